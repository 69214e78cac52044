"""
The cases of echo, upper, hello, discard and welcome against servers that deviate.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import gatherResults
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from sockservices import Policy
from sockservices.conformance import Result, Timing, check
from sockservices.responders import Echo
from tests.support.conformance import LOOPBACK, QUICK, CallbackDatagrams, ConformanceCase, callbackFactory, responderOf
from tests.support.inetd import freePorts


class EchoTests(ConformanceCase):
    """
    The cases of C{echo}, C{upper} and C{hello}.
    """

    def test_changedBytes(self) -> None:
        """
        A changed byte fails, with an excerpt of the response and of the request from the changed byte on. Any reply of
        C{hello} but C{hello} fails.
        """
        port = self.serve(responderOf(answer=lambda data: data.replace(b"\xff", b"\xfe")))
        failing = [
            f"{case} -> b'\\xfe' at byte 255 of 256" for case in ("tcp every byte", "udp every byte of a datagram")
        ]
        (rows,) = self.assertFailing("echo", (port, failing))
        self.assertEqual({row.expected for row in rows}, {"b'\\xff' at byte 255 of 256"})
        failing = [f"{case} -> b'HELLO'" for case in ("tcp to a message", "tcp stays open", "udp to any datagram")]
        self.assertFailing("hello", (self.serve(responderOf(answer=lambda _: b"HELLO")), failing))

    def test_echoIsNotUpper(self) -> None:
        """
        An echo passes only those cases of C{upper} that do not compare letters.
        """
        rows = self.check({"upper": self.serve(Echo)})
        passing = [
            "sends nothing before it receives data",
            "replies from the address that the request was sent to",
            "replies to an empty datagram with an empty datagram",
        ]
        self.assertEqual([row.sentence for row in rows if row.result is Result.PASS], passing)

    def test_connectionEnds(self) -> None:
        """
        An echo that closes early or resets the connection fails.
        """

        def truncate(transport: Any, data: bytes) -> None:
            transport.write(data[:1000])
            transport.loseConnection()

        closing = self.serve(responderOf(answer=bytes, close=True), udp=False)
        truncating = self.listen(callbackFactory(received=truncate))
        resetting = self.listen(callbackFactory(received=lambda transport, data: transport.abortConnection()))
        eof, reset = "tcp stays open -> no data, then eof", "no bytes, then reset"
        self.assertFailing(
            "echo",
            (closing, ["tcp 200 KiB -> 65536 bytes, then eof", eof]),
            (truncating, ["tcp 200 KiB -> 1000 bytes, then eof", eof]),
            (resetting, [f"tcp byte -> {reset}", f"tcp 200 KiB -> {reset}", "tcp stays -> no data, then reset"]),
        )

    def test_sendsBeforeRequest(self) -> None:
        """
        A service that sends data, or closes, before it receives data fails.
        """
        for server, seen in (
            (self.serve(responderOf(b"220 ready")), "b'220 ready'"),
            (self.listen(callbackFactory(lambda transport: transport.loseConnection())), "no data, then eof"),
        ):
            (row,) = (row for row in self.check({"hello": server}) if "before" in row.sentence)
            self.assertEqual((row.result, row.seen), (Result.FAIL, seen))
            self.assertEqual(row.expected, "no data, and an open connection")

    def test_datagrams(self) -> None:
        """
        A truncated reply to a datagram fails, and so does no reply, or data, in reply to an empty one.
        """
        cutting, ignoring, filling = (
            self.serve(responderOf(answer=answer), tcp=False)
            for answer in (lambda data: data[:1000], lambda data: data or None, lambda data: data or b"?")
        )
        rows, *_ = self.assertFailing(
            "echo",
            (cutting, ["udp returns 1,400 bytes -> 1000 bytes", "udp returns 65,507 bytes -> 1000 bytes"]),
            (ignoring, ["udp replies to an empty datagram -> no reply"]),
            (filling, ["udp replies to an empty datagram -> b'?'"]),
        )
        self.assertEqual([row.expected for row in rows], ["1400 bytes", "65507 bytes"])

    def test_replyFromAnotherPort(self) -> None:
        """
        A reply from another port fails, and shows that the host is up even if TCP does not answer.
        """
        other = CallbackDatagrams()
        self.reactor.listenUDP(0, other, interface=LOOPBACK)
        port = self.listen(None, CallbackDatagrams(lambda datagram, addr: other.transport.write(datagram[:1400], addr)))
        self.fillBacklog(port)
        rows = self.check({"echo": port}, Timing(responseTimeout=0.15, datagramInterval=0))
        self.assertEqual([row.result for row in rows], [Result.NOT_OFFERED, *[Result.FAIL] * 5])
        self.assertEqual({row.seen for row in rows[1:5]}, {f"a reply from {LOOPBACK}:{other.transport.getHost().port}"})
        self.assertEqual({row.expected for row in rows[1:]}, {f"a reply from {LOOPBACK}:{port}"})

    def test_listenerGoesAway(self) -> None:
        """
        If a service stops listening after its first case, the other cases fail.
        """
        (port,) = freePorts(1)
        factory = callbackFactory(received=lambda transport, data: (listening.stopListening(), transport.write(data)))
        listening = self.reactor.listenTCP(port, factory, interface=LOOPBACK)
        failing = ["tcp to a message -> no data, then eof", "tcp sends nothing -> refused", "tcp stays open -> refused"]
        (rows,) = self.assertFailing("hello", (port, failing))
        self.assertEqual([row.expected for row in rows[1:]], ["still offered"] * 2)


class DiscardTests(ConformanceCase):
    """
    The cases of C{discard}.
    """

    def test_deviations(self) -> None:
        """
        A discard service that replies, closes before the client, or does not close after the client's FIN fails.
        """

        def ignoreFin(transport: Any) -> None:
            transport.stopReading()
            self.addCleanup(transport.connectionLost, Failure(ConnectionLost()))

        replies = [f"tcp {case} -> b'thank you'" for case in ("reads 64 KiB", "stays open")]
        replies += [f"udp {case} -> a reply: b'thank you'" for case in ("replies to no datagram", "reads 65,507 bytes")]
        timeouts = [f"tcp {case} -> nothing (no-answer)" for case in ("reads 64 KiB", "stays open")]
        self.assertFailing(
            "discard",
            (self.serve(responderOf(answer=lambda _: b"thank you")), replies),
            (self.serve(responderOf(close=True)), ["tcp stays open -> no data, then eof"]),
            (self.listen(callbackFactory(ignoreFin)), timeouts),
        )


class WelcomeTests(ConformanceCase):
    """
    The cases of C{welcome}.
    """

    def test_otherReplies(self) -> None:
        """
        A server with the same reply to every message fails, whether the reply is the welcome or the refusal.
        """
        fin = "tcp to a FIN without data -> no data, then eof"
        for reply, failing in (
            (b"welcome to server!", ["tcp to anything else", fin, "udp to any other datagram"]),
            (b"please go out!", ["tcp to 1, then", "tcp to 1 and CR LF", fin, "udp to a datagram of 1"]),
        ):
            responder = responderOf(answer=lambda _, reply=reply: reply, close=True)  # type: ignore[misc]
            port = self.serve(responder, Policy(idleTimeout=QUICK.welcomeDeadline))
            self.assertFailing("welcome", (port, [row if "->" in row else f"{row} -> {reply!r}" for row in failing]))

    def test_silence(self) -> None:
        """
        Only a clean close without data, neither early nor late, passes as the end of a silent connection.
        """

        def closing(seconds: float, method: str, data: bytes = b"") -> Factory:
            def connected(transport: Any) -> None:
                transport.write(data)
                self.reactor.callLater(seconds, getattr(transport, method))

            return callbackFactory(connected, lambda transport, data: transport.loseConnection())

        deadline = QUICK.welcomeDeadline
        expected = (
            (closing(deadline, "loseConnection"), ""),
            (closing(deadline / 4, "loseConnection"), "no data, then eof"),
            (closing(deadline, "abortConnection"), "no data, then reset"),
            (closing(deadline, "loseConnection", b"time out"), "b'time out'"),
            (closing(deadline * 10, "loseConnection"), "nothing (no-answer)"),
        )
        checks = [
            check(LOOPBACK, {"welcome": self.listen(factory)}, reactor=self.reactor, timing=QUICK)
            for factory, _ in expected
        ]
        for rows, (_, seen) in zip(self.wait(gatherResults(checks)), expected, strict=True):
            (row,) = (row for row in rows if "five seconds of silence" in row.sentence)
            self.assertEqual((row.seen, row.result), (seen, Result.FAIL if seen else Result.PASS))
