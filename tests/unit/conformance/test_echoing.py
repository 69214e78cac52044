"""
The cases of echo, upper, hello, discard and welcome against servers that deviate.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from sockservices import Policy
from sockservices.conformance import Result, Timing
from sockservices.responders import Echo
from tests.support.conformance import (
    LOOPBACK,
    QUICK,
    CallbackDatagrams,
    ConformanceCase,
    callbackFactory,
    responderOf,
)
from tests.support.inetd import freePorts

#: The row of a transport without a listener.
NO_TCP = ("tcp", "is offered", "refused")
NO_UDP = ("udp", "is offered", "refused")


class EchoTests(ConformanceCase):
    """
    The cases of C{echo} and C{upper}.
    """

    def test_changedBytes(self) -> None:
        """
        A changed byte fails, with an excerpt of the response and of the request from the changed byte on.
        """
        changing = responderOf(answer=lambda data: data.replace(b"\xff", b"\xfe"))
        seen = "b'\\xfe' at byte 255 of 256"
        failing = [("tcp", "returns every byte", seen), ("udp", "returns every byte of a datagram", seen)]
        (rows,) = self.assertFailing("echo", (self.serve(changing), failing))
        self.assertEqual({row.expected for row in rows}, {"b'\\xff' at byte 255 of 256"})

    def test_echoIsNotUpper(self) -> None:
        """
        Against an echo, only the cases of C{upper} that do not look at letters pass.
        """
        rows = self.check({"upper": self.serve(Echo)})
        self.assertEqual(
            [row.sentence for row in rows if row.result is Result.PASS],
            [
                "sends nothing before it receives data",
                "replies from the address that the request was sent to",
                "replies to an empty datagram with an empty datagram",
            ],
        )

    def test_connectionEnds(self) -> None:
        """
        An echo that closes early or resets the connection fails.
        """

        def truncate(transport: Any, data: bytes) -> None:
            transport.write(data[:1000])
            transport.loseConnection()

        stays = "stays open after a reply"
        self.assertFailing(
            "echo",
            (
                self.listen(callbackFactory(received=truncate)),
                [("tcp", "200 KiB in full", "1000 bytes, then eof"), ("tcp", stays, "no data, then eof"), NO_UDP],
            ),
            (
                self.serve(responderOf(answer=bytes, close=True), udp=False),
                [("tcp", "200 KiB in full", "65536 bytes, then eof"), ("tcp", stays, "no data, then eof"), NO_UDP],
            ),
            (
                self.listen(callbackFactory(received=lambda transport, data: transport.abortConnection())),
                [
                    ("tcp", "returns every byte", "no bytes, then reset"),
                    ("tcp", "200 KiB in full", "no bytes, then reset"),
                    ("tcp", stays, "no data, then reset"),
                    NO_UDP,
                ],
            ),
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
            self.assertEqual(
                (row.result, row.seen, row.expected), (Result.FAIL, seen, "no data, and an open connection")
            )

    def test_datagrams(self) -> None:
        """
        A truncated reply to a datagram fails, and so does no reply, or data, in reply to an empty one.
        """
        empty = "replies to an empty datagram with an empty"
        rows, *_ = self.assertFailing(
            "echo",
            (
                self.serve(responderOf(answer=lambda data: data[:1000]), tcp=False),
                [NO_TCP, ("udp", "returns 1,400 bytes", "1000 bytes"), ("udp", "returns 65,507 bytes", "1000 bytes")],
            ),
            (
                self.serve(responderOf(answer=lambda data: data or None), tcp=False),
                [NO_TCP, ("udp", empty, "no reply")],
            ),
            (self.serve(responderOf(answer=lambda data: data or b"?"), tcp=False), [NO_TCP, ("udp", empty, "b'?'")]),
        )
        self.assertEqual([row.expected for row in rows[1:]], ["1400 bytes", "65507 bytes"])

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
        rows = self.check({"hello": port})
        self.assertEqual([(row.seen, row.expected) for row in rows[1:3]], [("refused", "still offered")] * 2)
        self.assertEqual({row.result for row in rows[:3]}, {Result.FAIL})


class HelloTests(ConformanceCase):
    """
    The cases of C{hello}.
    """

    def test_anotherReply(self) -> None:
        """
        Any reply but C{hello} fails.
        """
        failing = [(transport, "", "b'HELLO'") for transport in ("tcp", "tcp", "udp")]
        self.assertFailing("hello", (self.serve(responderOf(answer=lambda _: b"HELLO")), failing))


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

        reads, stays = ("tcp", "reads 64 KiB"), ("tcp", "stays open")
        thanks = "b'thank you'"
        self.assertFailing(
            "discard",
            (
                self.serve(responderOf(answer=lambda _: b"thank you")),
                [
                    (*reads, thanks),
                    (*stays, thanks),
                    ("udp", "replies to no datagram", f"a reply: {thanks}"),
                    ("udp", "reads 65,507 bytes", f"a reply: {thanks}"),
                ],
            ),
            (self.serve(responderOf(close=True)), [(*stays, "no data, then eof")]),
            (
                self.listen(callbackFactory(ignoreFin)),
                [(*reads, "no data, then timeout"), (*stays, "no data, then timeout"), NO_UDP],
            ),
        )


class WelcomeTests(ConformanceCase):
    """
    The cases of C{welcome}.
    """

    def test_otherReplies(self) -> None:
        """
        A server that welcomes every message fails, and so does one that refuses every message.
        """
        welcome, refusal = b"welcome to server!", b"please go out!"
        policy = Policy(idleTimeout=QUICK.welcomeDeadline)
        self.assertFailing(
            "welcome",
            (
                self.serve(responderOf(answer=lambda _: welcome, close=True), policy),
                [
                    ("tcp", "to anything else", repr(welcome)),
                    ("tcp", "to a FIN without data", "no data, then eof"),
                    ("udp", "to any other datagram", repr(welcome)),
                ],
            ),
            (
                self.serve(responderOf(answer=lambda _: refusal, close=True), policy),
                [
                    ("tcp", "to 1, then", repr(refusal)),
                    ("tcp", "to 1 and CR LF", repr(refusal)),
                    ("tcp", "to a FIN without data", "no data, then eof"),
                    ("udp", "to a datagram of 1", repr(refusal)),
                ],
            ),
        )

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
        for factory, seen in (
            (closing(deadline, "loseConnection"), ""),
            (closing(deadline / 4, "loseConnection"), "no data, then eof"),
            (closing(deadline, "abortConnection"), "no data, then reset"),
            (closing(deadline, "loseConnection", b"time out"), "b'time out'"),
            (closing(deadline * 10, "loseConnection"), "no data, then timeout"),
        ):
            rows = self.check({"welcome": self.listen(factory)})
            (row,) = (row for row in rows if "five seconds of silence" in row.sentence)
            self.assertEqual((row.seen, row.result), (seen, Result.FAIL if seen else Result.PASS))
