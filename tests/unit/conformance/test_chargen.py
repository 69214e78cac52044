"""
The cases of chargen against servers that deviate.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from twisted.internet.protocol import Factory

from sockservices import Policy
from sockservices.conformance import Result, Row
from sockservices.responders import Chargen
from sockservices.responders.chargen import PATTERN, RING
from tests.support.conformance import LOOPBACK, CallbackProtocol, ConformanceCase, callbackFactory, responderOf
from tests.support.inetd import freePorts


def endlessFactory(
    data: bytes,
    received: Callable[[Any, bytes], object] = lambda transport, data: None,
    lost: Callable[[], object] = lambda: None,
) -> Factory:
    """
    Make a factory of protocols that send the same data over and over, as fast as the peer reads.

    @param received: called with the transport and each segment received.
    @param lost: called when a connection is lost.
    """

    class Endless(CallbackProtocol):
        """
        A pull producer.
        """

        def resumeProducing(self) -> None:
            """
            Write 64 KiB or more.
            """
            self.transport.write(data * (65536 // len(data) + 1))  # type: ignore[union-attr]

        def stopProducing(self) -> None:
            """
            Do nothing: the connection is lost.
            """

        def connectionLost(self, reason: Any = None) -> None:
            """
            Call C{lost()}.
            """
            lost()

    return Factory.forProtocol(
        lambda: (protocol := Endless(lambda transport: transport.registerProducer(protocol, False), received))
    )


def lines(ring: bytes, length: int = 72, step: int = 1) -> bytes:
    """
    Make as many lines as the ring has characters, each some steps further along the ring.
    """
    return b"".join((ring * 2)[start % len(ring) :][:length] + b"\r\n" for start in range(0, len(ring) * step, step))


class ChargenTests(ConformanceCase):
    """
    The cases of C{chargen}.
    """

    def assertOutput(self, factory: Factory, *failing: str) -> list[Row]:
        """
        Check that a factory's output fails the given cases over TCP.
        """
        (rows,) = self.assertFailing("chargen", (self.listen(factory), [f"tcp {row}" for row in failing]))
        return rows

    def test_otherPatterns(self) -> None:
        """
        Lines of another length, line end, ring or step fail, with an excerpt of the first wrong line.
        """
        for data, seen, expected in (
            (RING, "b' !\"#$%&\\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOP...", "lines of 72 characters and CR LF"),
            (PATTERN.replace(b"\r\n", b"\n\r"), "b' !\"#...", "lines of 72 characters and CR LF"),
            (b"hello\r\n", "a line of 5: b'hello'", "lines of 72 characters"),
            (lines(RING, length=73), "a line of 73: b' !\"#...", "lines of 72 characters"),
            (lines(RING[1:-1]), "no b' ~' in any line", "all 95 printable characters"),
            (lines(RING, step=2), "b'\"#$%&\\'()*+,-./0123456789...", "b'!\"#$%&\\'()*+,-./0123456789"),
        ):
            (row,) = self.assertOutput(endlessFactory(data), f"sends lines of 72 characters and CR LF -> {seen}")
            self.assertIn(expected, row.expected)

    def test_inputChangesOutput(self) -> None:
        """
        A service whose output holds the input, or changes with the input, fails. Output with a period too long to
        detect passes.
        """
        repeating = endlessFactory(PATTERN, lambda transport, data: transport.write(data))
        self.assertOutput(repeating, "ignores input -> the input at byte ...")
        changing = endlessFactory(PATTERN, lambda transport, data: transport.write(b"?"))
        self.assertOutput(changing, "ignores input -> b'?...")
        self.assertOutput(endlessFactory(bytes(range(256)) * 300 + b"!"), "sends lines -> ...")

    def test_connectionEnds(self) -> None:
        """
        A service that closes, or that waits for a request, fails.
        """
        port = self.serve(responderOf(PATTERN, close=True), udp=False)
        self.assertFailing("chargen", (port, [f"tcp {case} -> ..., then eof" for case in ("ignores", "still sends")]))
        waiting = callbackFactory(received=lambda transport, data: transport.write(PATTERN * 100))
        row, *_ = self.check({"chargen": self.listen(waiting)})
        self.assertEqual((row.result, row.seen), (Result.FAIL, "nothing (no-answer)"))

    def test_stopsAfterReset(self) -> None:
        """
        A service that stops listening after some clients have reset their connections fails.
        """
        (port,) = freePorts(1)
        serials = count(1)
        factory = endlessFactory(PATTERN, lost=lambda: next(serials) == 4 and listening.stopListening())
        factory.noisy = False
        listening = self.reactor.listenTCP(port, factory, interface=LOOPBACK)
        self.assertFailing("chargen", (port, ["tcp after other clients have reset -> refused"]))

    def test_datagrams(self) -> None:
        """
        Replies of the same length, of more than 512 characters, or with a byte that is not printable fail, and so does
        no reply to a long datagram.
        """
        lengths = iter([600, 0, 512, 30, 40, 50, 60, 70] * 3)
        # One after the other: the servers share the lengths.
        for answer, failing in (
            (lambda _: PATTERN[:74], "udp random number -> 74 characters each time"),
            (lambda _: PATTERN[: next(lengths)], "udp at most 512 -> 600 characters"),
            (lambda data: bytes(len(data) and next(lengths) % 512), "udp printable -> b'\\x00' in b'\\x00\\x00..."),
        ):
            port = self.serve(responderOf(answer=answer), Policy(udpRfcSize=True), tcp=False)
            self.assertFailing("chargen", (port, [failing]))
        row = self.check({"chargen": self.serve(Chargen, Policy(udpMax=100), tcp=False)})[1]
        self.assertEqual(row.seen, "a reply to an empty datagram, no reply to 512 bytes")
