"""
How conversations over streams close: half-close, lingering, close grace, resets.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.testing import StringTransport
from zope.interface import implementer

from sockservices import Outcome, Visit
from sockservices.responders import Chargen, Echo, Greet, Welcome
from tests.support.peer import HOST, PEER, StreamCase


class PeerFinTests(StreamCase):
    """
    The peer closes its side first.
    """

    def test_finIsFollowedByAllPendingOutput(self) -> None:
        """
        A peer that closes its side gets all pending output, then the connection closes. Input before the FIN that the
        server has not read is answered.
        """
        for visits, size in enumerate((50_000, 524_288)):
            peer = self.peer(Echo, window=1000)
            peer.send(*[bytes(25_000)] * (size // 25_000), bytes(size % 25_000))
            peer.end()
            self.assertEqual(len(self.visits), visits)
            self.assertEqual(len(peer.read()), size)
            self.assertTrue(peer.eofReceived)
            visit = Visit("echo", "tcp", PEER, visits + 1, 0.0, size, size, Outcome.DONE)
            self.assertEqual(self.visits[visits:], [visit])

    def test_finEndsGeneratedOutput(self) -> None:
        """
        The peer's FIN ends generated output. The block that was begun is sent.
        """
        peer = self.peer(Chargen, window=1000)
        peer.read(200_000)
        peer.end()
        self.assertEqual(self.visits, [])
        peer.read()
        self.assertTrue(peer.eofReceived)
        self.assertEqual((len(peer.received), self.outcomes), (self.visits[0].sent, [Outcome.DONE]))

    def test_progressWhileClosing(self) -> None:
        """
        A peer that has closed its side and reads slowly gets all output.
        """
        peer = self.peer(Echo, window=1000, closeGrace=1.0, stallTimeout=5.0)
        peer.send(bytes(60_000))
        peer.end()
        while not peer.eofReceived:
            self.wait(4)
            peer.read(1000)
        self.assertEqual((len(peer.received), self.outcomes), (60_000, [Outcome.DONE]))

    def test_zeroDisablesBothTimeouts(self) -> None:
        """
        A value of 0 disables the close grace and the stall timeout.
        """
        peer = self.peer(Echo, window=1000, closeGrace=0, stallTimeout=0)
        peer.send(bytes(5000))
        peer.end()
        self.clock.pump([60] * 60)
        self.assertEqual(len(peer.read()), 5000)
        self.assertEqual(self.outcomes, [Outcome.DONE])


class LingerTests(StreamCase):
    """
    The server closes its side first, and reads until the peer closes its own.
    """

    def test_inputDoesNotDestroyTheLastOutput(self) -> None:
        """
        After its last output the server reads for another second, because unread input would reset the connection.
        """
        peer = self.peer(Welcome)
        peer.send(b"1")
        for _ in range(7):
            self.wait(0.125)
            peer.send(bytes(100_000))
        self.assertFalse(peer.resetReceived)
        self.assertEqual((peer.read(), peer.eofReceived), (b"welcome to server!", True))
        peer.end()
        self.assertEqual(self.visits, [Visit("welcome", "tcp", PEER, 1, 0.875, 700_001, 18, Outcome.FINISHED)])

    def test_lingeringEndsAfterASecond(self) -> None:
        """
        The connection closes after a second if the peer does not close its side. The close grace does not apply to a
        peer that has all output while the server lingers, however short it is.
        """
        peers = [self.peer(Greet, closeGrace=closeGrace) for closeGrace in (5.0, 0.25)]
        self.assertEqual([(peer.read(), peer.eofReceived) for peer in peers], [(b"connected", True)] * 2)
        self.wait(0.875)
        self.assertEqual(self.visits, [])
        self.wait(0.125)
        visits = [Visit("greet", "tcp", PEER, serial, 1.0, 0, 9, Outcome.FINISHED) for serial in (1, 2)]
        self.assertEqual(sorted(self.visits, key=lambda visit: visit.serial), visits)
        self.assertEqual([peer.resetReceived for peer in peers], [False] * 2)

    def test_lingeringResumesReading(self) -> None:
        """
        Lingering resumes reading that the last output had paused.
        """

        def answer(responder: Any, message: bytes) -> bytes:
            responder.finished = len(message) == 1
            return bytes(100_000)

        peer = self.peer(type("Long", (Echo,), {"answer": answer}), window=1000)
        peer.send(b"12", b"1")
        self.assertEqual(len(peer.read(150_000)), 150_000)
        peer.send(b"more")
        peer.end()
        self.assertEqual((peer.unread, len(peer.read())), (0, 50_000))
        self.assertEqual(self.outcomes, [Outcome.FINISHED])

    def test_inputAfterTheServersCloseIsReset(self) -> None:
        """
        A peer whose input arrives after the server has closed for idleness or a drain is reset.
        """
        for drains in (False, True):
            peer = self.peer(Echo, idleTimeout=10.0)
            if drains:
                peer.protocol.factory.drain(5)
            self.wait(0.5 if drains else 10)
            peer.send(b"x")
            peer.end()
            self.wait(0.1)
            self.assertTrue(peer.resetReceived)
        self.assertEqual(self.outcomes, [Outcome.IDLE, Outcome.DRAINED])


class ResetTests(StreamCase):
    """
    Connections that are closing and do not end cleanly.
    """

    def test_closeGraceEndsInAReset(self) -> None:
        """
        A peer that has all output, and whose connection does not end within the close grace, is reset.
        """
        protocol, transport = self.connect(Greet, closeGrace=5.0)
        self.wait(4.875)
        self.assertFalse(transport.disconnected)
        self.wait(0.625)
        self.assertTrue(transport.disconnected)
        self.lose(protocol, ConnectionAborted)
        self.assertEqual(self.outcomes, [Outcome.GRACE])

    def test_resetByThePeer(self) -> None:
        """
        The outcome of the peer's reset is FINISHED after the last output, and RESET before it is written or while
        reading is paused.
        """
        for responder, window, segments, outcome in (
            (Greet, 1000, [], Outcome.FINISHED),
            (Greet, 4, [], Outcome.RESET),
            (Echo, 1000, [bytes(65536)] * 4, Outcome.RESET),
        ):
            peer = self.peer(responder, window=window)
            peer.send(*segments)
            peer.reset()
            self.assertEqual(self.outcomes[-1], outcome)


class NoHalfCloseTests(StreamCase):
    """
    Transports that cannot close one side alone.
    """

    def test_transportIsClosed(self) -> None:
        """
        A transport without half-close is closed.
        """
        protocol, transport = self.connect(Greet)
        self.assertEqual((transport.disconnecting, transport.producer), (True, None))
        protocol.readConnectionLost()
        self.lose(protocol)
        self.assertEqual(self.outcomes, [Outcome.FINISHED])

    def test_closingResumesReading(self) -> None:
        """
        Closing resumes paused reading: TLS needs the peer's answer.
        """
        protocol, transport = self.connect(Welcome)
        protocol.pauseProducing()
        protocol.dataReceived(b"1")
        self.assertEqual((transport.producerState, transport.disconnecting), ("producing", True))

    def test_tlsIsNotHalfClosed(self) -> None:
        """
        TLS has no half-close: closing only the write side would cut off data that TLS still buffers.
        """

        @implementer(ISSLTransport)
        class Secure(StringTransport):  # type: ignore[misc]
            def loseWriteConnection(self) -> None:
                raise AssertionError("half-closed")

        _, transport = self.connect(Greet, Secure(HOST, PEER))
        self.assertTrue(transport.disconnecting)
