"""
A L{StreamPort} whose socket other processes accept from as well.
"""

from __future__ import annotations

from twisted.internet.testing import MemoryReactorClock

from tests.support.stream_ports import StreamPortCase


class SharedAcceptTests(StreamPortCase):
    """
    Tests of C{hasShare}.
    """

    def test_oneConnectionPerTurn(self) -> None:
        """
        Below its share, the port accepts one connection in each turn, and leaves the next one to another process.
        """
        port = self.listen(reactor=MemoryReactorClock())
        port.hasShare = lambda: False
        for _ in range(3):
            self.connect(port.getHost())
        for count in (1, 2, 3):
            port.doRead()
            self.assertEqual(len(self.factory.made), count)

    def test_share(self) -> None:
        """
        Above its share, the port leaves the connections to others for 2 ms, and then accepts 8 of those that remain. A
        stop accepts all, and leaves no timer.
        """
        clock = MemoryReactorClock()
        port = self.listen(reactor=clock)
        port.hasShare = lambda: True
        for _ in range(20):
            self.connect(port.getHost())
        for count in (8, 16):
            port.doRead()
            self.assertNotIn(port, clock.getReaders())
            clock.advance(0.002)
            self.assertIn(port, clock.getReaders())
            self.assertEqual(len(self.factory.made), count)
        port.doRead()
        self.successResultOf(port.stopListening())
        self.assertEqual((len(self.factory.made), clock.getDelayedCalls()), (20, []))
