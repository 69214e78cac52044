"""
Probing, over real sockets, by a clock that goes when it is told to.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.task import Clock

from sockservices.client import Target, Verdict
from sockservices.client.ping import ping
from sockservices.client.tally import SIZE, Tally
from tests.support.loop import LoopCase

#: What close() does: it resets.
RESETTING = struct.pack("ii", 1, 0)


class PingCase(LoopCase):
    """
    A test against a far end of plain sockets.

    @ivar clock: all that is waited for by time.
    @ivar target: the far end.
    """

    target: Target

    def setUp(self) -> None:
        """
        Make the clock, and the tally.
        """
        super().setUp()
        self.clock = Clock()
        self.reactor.seconds = self.clock.seconds
        self.reactor.callLater = self.clock.callLater
        self.tally = Tally(Random(1))

    def bound(self, transport: str) -> Any:
        """
        The far end's socket.
        """
        unix = transport.startswith("unix")
        kind = socket.SOCK_STREAM if transport in ("tcp", "unix") else socket.SOCK_DGRAM
        opened = self.keep(socket.socket(socket.AF_UNIX if unix else socket.AF_INET, kind))
        # An address that nobody else uses, so that the port stays free while it is closed.
        opened.bind(str(self.folder / "far") if unix else ("127.0.0.86", 0))
        opened.setblocking(False)
        if kind == socket.SOCK_STREAM:
            opened.listen()
        self.target = Target(transport, opened.getsockname())
        return opened

    def ping(self, count: int | None, interval: float = 1.0, timeout: float = 2.0) -> Deferred[None]:
        """
        Begin.
        """
        return Deferred.fromCoroutine(
            ping(self.target, self.tally, reactor=self.reactor, count=count, interval=interval, timeout=timeout)
        )

    def until(self, condition: Callable[[], object]) -> None:
        """
        Turn the reactor until a condition holds. What is called at once is.
        """

        def met() -> object:
            self.clock.advance(0)
            return condition()

        super().until(met)

    def untilSent(self, number: int) -> None:
        """
        Wait until so many have been sent.
        """
        self.until(lambda: self.tally.sent == number)

    def assertDone(self, pinging: Deferred[None], **numbers: int) -> None:
        """
        It comes to its end, has counted this, and leaves nothing.
        """
        self.wait(pinging)
        self.assertCount(**numbers)
        self.assertNothingLeft()

    def assertCount(self, **numbers: int) -> None:
        """
        It has counted this, and nothing else.
        """
        words = ("sent", "returned", "lost", "corrupt", "duplicated", "reordered", "strays")
        self.assertEqual({word: count for word in words if (count := getattr(self.tally, word))}, numbers)

    def assertNothingLeft(self) -> None:
        """
        Nothing is in the reactor, and nothing waits for a time.
        """
        self.turn(3)
        self.assertQuiet()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class DatagramTests(PingCase):
    """
    Each probe is a datagram.
    """

    def heard(self, far: Any) -> tuple[bytes, Any]:
        """
        The probe that comes next, and where from.
        """
        received: list[tuple[bytes, Any]] = []

        def comes() -> object:
            try:
                received.append(far.recvfrom(1000))
            except BlockingIOError:
                return False
            return True

        self.until(comes)
        return received[0]

    def returned(self, number: int) -> None:
        """
        Wait until so many have returned.
        """
        self.until(lambda: self.tally.returned == number)

    def test_echo(self) -> None:
        """
        A probe goes out every second, and each returns; after the last, none is waited for.
        """
        for transport in ("udp", "unixgram"):
            self.tally = Tally(Random(1))
            far = self.bound(transport)
            pinging = self.ping(3)
            for number in (1, 2, 3):
                probe, source = self.heard(far)
                self.assertEqual(len(probe), SIZE)
                self.clock.advance(0.25)
                far.sendto(probe, source)
                self.returned(number)
                if number < 3:
                    self.clock.advance(0.5)
                    self.turn(3)
                    self.assertEqual(self.tally.sent, number)
                    self.clock.advance(0.25)
            self.assertDone(pinging, sent=3, returned=3)
            self.assertEqual(list(self.tally.times), [0.25] * 3)

    def test_lost(self) -> None:
        """
        What does not return is waited for, after the last was sent, as long as was said.
        """
        far = self.bound("udp")
        pinging = self.ping(2, timeout=2.0)
        self.heard(far)
        self.clock.advance(1)
        probe, source = self.heard(far)
        far.sendto(probe, source)
        self.returned(1)
        self.clock.advance(1.75)
        self.turn(3)
        self.assertFalse(pinging.called)
        self.clock.advance(0.25)
        self.assertDone(pinging, sent=2, returned=1, lost=1)
        self.assertIs(self.tally.verdict, Verdict.TIMEOUT)

    def test_late(self) -> None:
        """
        What returns while it is waited for is the end of that.
        """
        far = self.bound("udp")
        pinging = self.ping(2)
        first, _ = self.heard(far)
        self.clock.advance(1)
        second, source = self.heard(far)
        far.sendto(second, source)
        self.returned(1)
        self.clock.advance(0.5)
        far.sendto(first, source)
        self.assertDone(pinging, sent=2, returned=2, reordered=1)
        self.assertEqual(list(self.tally.times), [0.0, 1.5])

    def test_strange(self) -> None:
        """
        What comes twice, spoilt, or from elsewhere is counted apart.
        """
        far = self.bound("udp")
        other = self.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        other.bind(("127.0.0.86", 0))
        pinging = self.ping(3)
        probe, source = self.heard(far)
        far.sendto(probe, source)
        far.sendto(probe, source)
        self.until(lambda: self.tally.duplicated)
        self.clock.advance(1)
        probe, source = self.heard(far)
        far.sendto(probe + b"!", source)
        self.until(lambda: self.tally.corrupt)
        self.clock.advance(1)
        probe, source = self.heard(far)
        other.sendto(probe, source)
        # Both are there: which is read first does not matter.
        far.sendto(b"", source)
        self.until(lambda: self.tally.corrupt == 2)
        self.turn(3)
        self.clock.advance(2)
        self.assertDone(pinging, sent=3, returned=1, duplicated=1, corrupt=2, lost=1, strays=1)
        self.assertIs(self.tally.verdict, Verdict.CORRUPT)

    def test_wrongSource(self) -> None:
        """
        A service that replies from elsewhere is told from one that does not reply.
        """
        far = self.bound("udp")
        other = self.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        other.bind(("127.0.0.86", 0))
        pinging = self.ping(1)
        probe, source = self.heard(far)
        other.sendto(probe, source)
        self.turn(3)
        self.clock.advance(2)
        self.assertDone(pinging, sent=1, lost=1, strays=1)
        self.assertIs(self.tally.verdict, Verdict.WRONG_SOURCE)

    def test_comesUpAgain(self) -> None:
        """
        A refusal is no end: when the service is there again, probes return. That of the lost one is the verdict.
        """
        far = self.bound("udp")
        far.close()
        pinging = self.ping(2)
        self.until(lambda: self.tally.fault)
        again = self.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        again.bind(self.target.address)
        again.setblocking(False)
        self.clock.advance(1)
        again.sendto(*self.heard(again))
        self.returned(1)
        self.clock.advance(2)
        self.assertDone(pinging, sent=2, returned=1, lost=1)
        self.assertIs(self.tally.verdict, Verdict.REFUSED)

    def test_noWay(self) -> None:
        """
        Where there is no socket, each probe is lost at once; when there is one, they go there.
        """
        self.target = Target("unixgram", str(self.folder / "far"))
        pinging = self.ping(2)
        self.until(lambda: self.tally.sent)
        self.assertCount(sent=1, lost=1)
        far = self.bound("unixgram")
        self.clock.advance(1)
        far.sendto(*self.heard(far))
        # The one that could not be sent is not waited for.
        self.assertDone(pinging, sent=2, returned=1, lost=1)
        self.assertIs(self.tally.verdict, Verdict.UNREACHABLE)

    def test_refusedAtTheEnd(self) -> None:
        """
        A refusal of the last is not waited upon.
        """
        self.bound("udp").close()
        self.assertDone(self.ping(1), sent=1, lost=1)
        self.assertIs(self.tally.verdict, Verdict.REFUSED)

    def test_endless(self) -> None:
        """
        Without a count it goes on until it is cancelled, and then leaves nothing.
        """
        far = self.bound("udp")
        pinging = self.ping(None)
        for number in range(1, 6):
            far.sendto(*self.heard(far))
            self.returned(number)
            self.clock.advance(1)
        pinging.cancel()
        with self.assertRaises(CancelledError):
            self.wait(pinging)
        self.assertNothingLeft()


class StreamTests(PingCase):
    """
    All probes go through one conversation.
    """

    def accepted(self, listening: Any) -> Any:
        """
        The conversation that comes next.
        """
        taken: list[socket.socket] = []

        def comes() -> object:
            try:
                taken.append(self.keep(listening.accept()[0]))
            except BlockingIOError:
                return False
            return True

        self.until(comes)
        taken[0].setblocking(False)
        return taken[0]

    def answered(self, far: Any, returned: int) -> None:
        """
        Give a probe back, in two parts, and wait until that has been seen.
        """
        probe = self.hear(far, SIZE)
        far.sendall(probe[:20])
        self.turn(3)
        self.assertEqual(self.tally.returned, returned - 1)
        far.sendall(probe[20:])
        self.until(lambda: self.tally.returned == returned)

    def test_echo(self) -> None:
        """
        Every second one goes, and each returns, however it is cut; then the conversation is ended, cleanly.
        """
        for transport in ("tcp", "unix"):
            self.tally = Tally(Random(1))
            listening = self.bound(transport)
            pinging = self.ping(3)
            far = self.accepted(listening)
            for number in (1, 2):
                self.answered(far, number)
                self.clock.advance(1)
            probe = self.hear(far, SIZE)
            far.sendall(probe)
            self.assertDone(pinging, sent=3, returned=3)
            self.assertEqual(self.hear(far), b"")
            self.assertEqual(list(self.tally.times), [0.0] * 3)

    def test_interval(self) -> None:
        """
        The interval is from one probe to the next, however long it takes to send one.
        """
        listening = self.bound("tcp")
        pinging = self.ping(2)
        # It connects meanwhile.
        self.clock.advance(0.75)
        far = self.accepted(listening)
        self.answered(far, 1)
        self.clock.advance(0.25)
        self.answered(far, 2)
        self.assertDone(pinging, sent=2, returned=2)

    def test_together(self) -> None:
        """
        Probes that return in one segment are told apart.
        """
        listening = self.bound("tcp")
        pinging = self.ping(3)
        far = self.accepted(listening)
        for sent in (1, 2):
            self.untilSent(sent)
            self.clock.advance(1)
        far.sendall(self.hear(far, 3 * SIZE))
        self.assertDone(pinging, sent=3, returned=3)

    def test_faults(self) -> None:
        """
        A conversation that ends costs what was out; the next probe goes through another one.
        """
        faults: list[tuple[int, bool, Verdict]] = [
            (0, False, Verdict.EOF),
            (SIZE - 1, False, Verdict.SHORT),
            (1, True, Verdict.RESET),
        ]
        for length, resets, verdict in faults:
            self.tally = Tally(Random(1))
            listening = self.bound("tcp")
            pinging = self.ping(2)
            far = self.accepted(listening)
            probe = self.hear(far, SIZE)
            far.sendall(probe[:length])
            # Read before the reset, which would else overtake it.
            self.turn(3)
            if resets:
                far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETTING)
            far.close()
            self.until(lambda: self.tally.fault)
            self.assertIs(self.tally.verdict, verdict)
            self.clock.advance(1)
            self.answered(self.accepted(listening), 1)
            self.clock.advance(2)
            self.assertDone(pinging, sent=2, returned=1, lost=1)
            self.assertIs(self.tally.verdict, verdict)

    def test_endAtTheEnd(self) -> None:
        """
        When the peer ends after the last, that is no fault of it; when it owes one, that is not waited for.
        """
        for owed, verdict in ((0, Verdict.OK), (1, Verdict.EOF)):
            self.tally = Tally(Random(1))
            listening = self.bound("unix")
            pinging = self.ping(1)
            far = self.accepted(listening)
            probe = self.hear(far, SIZE)
            far.sendall(b"" if owed else probe)
            far.close()
            self.wait(pinging)
            self.assertNothingLeft()
            self.assertIs(self.tally.verdict, verdict)
            (self.folder / "far").unlink()

    def test_corrupt(self) -> None:
        """
        What is something else is counted so, and ends the conversation: nobody knows where the next probe begins. There
        is another one for those that follow.
        """
        listening = self.bound("tcp")
        pinging = self.ping(2)
        far = self.accepted(listening)
        far.sendall(self.hear(far, SIZE)[1:] + b"?")
        self.until(lambda: self.tally.corrupt)
        self.clock.advance(1)
        far = self.accepted(listening)
        far.sendall(self.hear(far, SIZE))
        self.until(lambda: self.tally.returned)
        self.clock.advance(2)
        self.assertDone(pinging, sent=2, returned=1, lost=1, corrupt=1)
        self.assertIs(self.tally.verdict, Verdict.CORRUPT)

    def test_lost(self) -> None:
        """
        A peer that takes all and says nothing is waited for as long as was said, and then cut off.
        """
        listening = self.bound("tcp")
        pinging = self.ping(1)
        far = self.accepted(listening)
        self.hear(far, SIZE)
        self.turn(3)
        self.clock.advance(2)
        self.assertDone(pinging, sent=1, lost=1)
        self.assertIs(self.tally.verdict, Verdict.TIMEOUT)
        with self.assertRaises(ConnectionResetError):
            self.hear(far)

    def test_comesUpAgain(self) -> None:
        """
        Refused, a probe is lost, and the next one tries again.
        """
        self.bound("tcp").close()
        pinging = self.ping(2)
        self.until(lambda: self.tally.fault)
        self.assertCount(sent=1, lost=1)
        again = self.keep(socket.socket())
        again.bind(self.target.address)
        again.listen()
        again.setblocking(False)
        self.clock.advance(1)
        self.answered(self.accepted(again), 1)
        self.assertDone(pinging, sent=2, returned=1, lost=1)
        self.assertIs(self.tally.verdict, Verdict.REFUSED)

    def test_endless(self) -> None:
        """
        Without a count it goes on until it is cancelled, and then leaves nothing.
        """
        listening = self.bound("tcp")
        pinging = self.ping(None)
        far = self.accepted(listening)
        for number in range(1, 6):
            self.answered(far, number)
            self.clock.advance(1)
        pinging.cancel()
        with self.assertRaises(CancelledError):
            self.wait(pinging)
        self.assertNothingLeft()

    def test_cancelledWhileConnecting(self) -> None:
        """
        Cancelled before there is a connection, it leaves nothing either.
        """
        self.bound("tcp")
        pinging = self.ping(None)
        pinging.cancel()
        with self.assertRaises((CancelledError, ConnectingCancelledError)):
            self.wait(pinging)
        self.assertNothingLeft()
