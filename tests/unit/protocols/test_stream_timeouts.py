"""
The timeouts of conversations over streams, and back-pressure.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionAborted
from twisted.internet.testing import StringTransport
from zope.interface import implementer

from sockservices import Outcome, Visit
from sockservices.responders import Chargen, Discard, Echo, Greet, Hello, Welcome
from sockservices.transports.interfaces import IStreamTransport
from tests.support.peer import HOST, PEER, StreamCase

#: A responder with a deadline for the first message that does not finish.
Patient: Any = type("Patient", (Hello,), {"deadline": 5.0})


@implementer(IStreamTransport)
class UnackedTransport(StringTransport):
    """
    A transport without half-close: all output is in the kernel, and the peer acknowledges none.
    """

    identifying = halfCloses = False
    faults = ()
    discardedBytes = 0, 0

    def limitBuffers(self, size: int) -> None:
        """
        A protocol does not call this.
        """
        raise NotImplementedError

    def unsentBytes(self) -> int:
        """
        The kernel has sent everything.
        """
        return 0

    def limitReads(self, size: int) -> None:
        """
        Nothing is read.
        """

    def loseWriteConnection(self) -> None:
        """
        A protocol does not call this without half-close.
        """
        raise NotImplementedError

    def userspaceBytes(self) -> int:
        """
        Nothing is pending in this process.
        """
        return 0

    def unackedBytes(self) -> int:
        """
        All output is pending in the kernel.
        """
        return len(self.value())


class SilentPeerTests(StreamCase):
    """
    The responder's own deadline for the first message, and the idle timeout.
    """

    def test_silentPeerIsClosed(self) -> None:
        """
        A silent peer receives a FIN and no reply at the responder's deadline, or at the idle timeout. The policy's
        timeout replaces the deadline of responders that have one, and only of these; 0 disables the deadline. Later
        input is not answered.
        """
        limits: Any
        for responder, limits, due, outcome in (
            (Echo, {"timeout": 2.0}, 300.0, Outcome.IDLE),
            (Welcome, {}, 5.0, Outcome.TIMED_OUT),
            (Welcome, {"timeout": 2.0}, 2.0, Outcome.TIMED_OUT),
            (Welcome, {"timeout": 0, "idleTimeout": 60.0}, 60.0, Outcome.IDLE),
        ):
            (protocol, transport), peer = self.connect(responder, **limits), self.peer(responder, **limits)
            self.wait(due - 0.125)
            self.assertEqual((transport.disconnecting, peer.eofReceived), (False, False))
            self.wait(0.125)
            self.assertEqual((transport.disconnecting, transport.disconnected, transport.value()), (True, False, b""))
            self.assertTrue(peer.eofReceived)
            self.lose(protocol)
            visit = self.visits[-1]
            self.assertEqual(visit, Visit(responder.name, "tcp", PEER, visit.serial, due, 0, 0, outcome))
            peer.send(b"1")
            peer.end()
            self.assertEqual((peer.read(), peer.resetReceived), (b"", outcome is Outcome.IDLE))

    def test_firstByteEndsTheDeadline(self) -> None:
        """
        The deadline no longer applies after the first byte.
        """
        protocol, transport = self.connect(Patient)
        self.wait(4.875)
        protocol.dataReceived(b"x")
        self.wait(100)
        self.assertEqual((transport.disconnecting, transport.value()), (False, b"hello"))

    def test_endWithoutAMessage(self) -> None:
        """
        The end of a peer that has sent nothing is an empty message to a responder that has a deadline, has received
        nothing and generates no output, for any timeout.
        """
        output = type("Output", (Patient,), {"generate": lambda _: iter([bytes(65536)] * 5)})
        refusal = len(b"please go out!")
        for responder, segments, timeout, length in (
            *((Welcome, [], timeout, refusal) for timeout in (None, 0.0, 60.0)),
            (Hello, [], None, 0),
            (Patient, [], None, 5),
            (Patient, [b"x"], None, 5),
            (output, [], None, 65536),
        ):
            peer = self.peer(responder, window=1000, timeout=timeout)
            peer.send(*segments)
            peer.end()
            self.assertEqual((len(peer.read()), peer.eofReceived), (length, True))
        self.assertEqual(self.outcomes, [Outcome.DONE] * 7)

    def test_inputPostponesTheTimeout(self) -> None:
        """
        The idle time starts at the last input.
        """
        protocol, transport = self.connect(Discard, idleTimeout=10.0)
        for _ in range(5):
            self.wait(9.875)
            protocol.dataReceived(b"x")
        self.wait(9.875)
        self.assertFalse(transport.disconnecting)
        self.wait(0.125)
        self.assertTrue(transport.disconnecting)

    def test_notIdleWhileOutputIsPending(self) -> None:
        """
        A peer that reads slowly is not idle. The idle time starts when it has all pending output, with and without a
        stall timeout.
        """
        for stallTimeout in (60.0, 0):
            peer = self.peer(Echo, window=1000, idleTimeout=5.0, stallTimeout=stallTimeout)
            peer.send(bytes(65536), bytes(65536))
            for _ in range(60):
                self.wait(1)
                peer.read(1000)
            self.assertFalse(peer.resetReceived)
            peer.read()
            self.wait(4.875)
            self.assertFalse(peer.eofReceived)
            self.wait(1.125)
            self.assertTrue(peer.eofReceived)
            peer.end()
        self.assertEqual(self.outcomes, [Outcome.IDLE] * 2)

    def test_lateTimer(self) -> None:
        """
        A timer that fires late checks every timeout against the current time. A timeout of 0 never ends a connection.
        """
        transports = [self.connect(Echo, idleTimeout=timeout)[1] for timeout in (10.0, 10_000.0, 0)]
        self.clock.advance(5000)
        self.assertEqual([transport.disconnecting for transport in transports], [True, False, False])


class BackPressureTests(StreamCase):
    """
    Peers that read slowly or not at all.
    """

    def test_readingPausesWhileOutputIsPending(self) -> None:
        """
        The protocol stops reading when the transport pauses it, and resumes when all output is written.
        """
        protocol, transport = self.connect(Echo)
        self.assertEqual((transport.producer, transport.streaming), (protocol, True))
        protocol.pauseProducing()
        self.assertEqual(transport.producerState, "paused")
        protocol.resumeProducing()
        self.assertEqual(transport.producerState, "producing")

    def test_unreadInputStaysInTheKernel(self) -> None:
        """
        The input of a peer that does not read stays in the kernel until the peer reads.
        """
        peer = self.peer(Echo, window=1000)
        peer.send(*[bytes(65536)] * 10)
        self.assertEqual(peer.unread, 8 * 65536)
        self.assertLessEqual(peer.buffered, 128 * 1024)
        self.assertEqual(len(peer.read()), 655360)
        self.assertEqual(peer.unread, 0)

    def test_stalledPeerIsReset(self) -> None:
        """
        A peer that acknowledges nothing until the stall timeout is reset at most a tenth later. Its pending output may
        be generated, or too little to pause the transport; the peer may have read earlier replies, or have closed its
        side; the idle timeout and the close grace do not apply.
        """
        blocks = [bytes(65536), bytes(65536), b"never read"]
        for responder, earlier, segments, ends, limits, lateness in (
            (Echo, [], blocks, False, {}, 1.0),
            (Echo, [], [bytes(2000)], False, {"idleTimeout": 0}, 3.0),
            (Echo, [b"read"], [bytes(2000)], False, {"idleTimeout": 0}, 3.0),
            (Echo, [b"read"], [bytes(2000)], False, {"idleTimeout": 5.0}, 3.0),
            (Chargen, [], [], False, {}, 1.0),
            (Echo, [], [bytes(5000)], True, {"closeGrace": 5.0}, 1.0),
            (Greet, [], [], True, {"closeGrace": 5.0}, 1.0),
        ):
            peer = self.peer(responder, window=4, stallTimeout=30.0, **limits)
            peer.send(*earlier)
            peer.read(1_000_000 if earlier or responder is Chargen else 0)
            self.wait(4)
            peer.send(*segments)
            if ends:
                peer.end()
            self.wait(29.875 if segments else 25.875)
            self.assertFalse(peer.resetReceived, (responder, limits))
            self.wait(0.125 + lateness)
            self.assertTrue(peer.resetReceived, (responder, limits))
            self.assertEqual(self.outcomes[-1], Outcome.STALLED)

    def test_stalledTransports(self) -> None:
        """
        A peer stalls on a transport that only reports that it is paused. On a transport that cannot half-close, the
        timeout counts from the close, although the kernel has all output.
        """
        for responder, transport in ((Echo, StringTransport(HOST, PEER)), (Greet, UnackedTransport(HOST, PEER))):
            protocol, _ = self.connect(responder, transport, stallTimeout=1.0)
            if responder is Echo:
                protocol.pauseProducing()
            self.wait(0.875)
            self.assertFalse(transport.disconnected)
            self.wait(0.375)
            self.assertTrue(transport.disconnected)
            self.lose(protocol, ConnectionAborted)
            self.assertEqual(self.outcomes[-1], Outcome.STALLED)

    def test_progressPostponesTheStall(self) -> None:
        """
        A peer that reads something within each timeout does not stall, however slow it is. A peer that has read
        everything has the whole timeout for the next output.
        """
        peers = [self.peer(responder, window=1000, stallTimeout=30.0) for responder in (Echo, Chargen, Echo)]
        for peer in peers:
            peer.send(bytes(65536), bytes(65536))
        for _ in range(20):
            self.wait(28)
            for peer in peers[:2]:
                peer.read(100)
            self.assertEqual(len(peers[2].read()), 131072)
            peers[2].send(bytes(65536), bytes(65536))
        for peer in peers:
            self.assertFalse(peer.resetReceived)
            peer.reset()
