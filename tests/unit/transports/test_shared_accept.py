"""
A L{StreamPort} whose socket other processes accept from as well.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import MemoryReactorClock

from sockservices.transports.stream_port import StreamPort
from tests.support.stream_ports import StreamPortCase


class SharedAcceptTests(StreamPortCase):
    """
    Tests of C{excess}.
    """

    def listenAbove(self, excess: float, reactor: Any) -> StreamPort:
        """
        Listen in a process that exceeds its share by so many connections, with 20 more in the queue.
        """
        port = self.listen(reactor=reactor)
        port.excess = lambda: excess
        for _ in range(20):
            self.connect(port.getHost())
        return port

    def test_turns(self) -> None:
        """
        Near its share, the port accepts 4 connections in each turn, so that other processes get some of a burst.
        """
        for excess in (-100, 0, 1.5, 4):
            with self.subTest(excess=excess):
                clock = MemoryReactorClock()
                port = self.listenAbove(excess, clock)
                before = len(self.factory.made)
                for count in (4, 8, 12, 16, 20, 20):
                    port.doRead()
                    self.assertEqual(len(self.factory.made) - before, count)
                    self.assertIn(port, clock.getReaders())

    def test_pause(self) -> None:
        """
        If a turn ends far above its share, the port leaves the connections to others for 2 ms. A stop accepts all, and
        leaves no timer.
        """
        clock = MemoryReactorClock()
        port = self.listenAbove(4.5, clock)
        for count in (4, 8):
            port.doRead()
            self.assertEqual(len(self.factory.made), count)
            self.assertNotIn(port, clock.getReaders())
            clock.advance(0.002)
            self.assertIn(port, clock.getReaders())
        port.doRead()
        self.successResultOf(port.stopListening())
        self.assertEqual((len(self.factory.made), clock.getDelayedCalls()), (20, []))

    def test_stopInATurn(self) -> None:
        """
        A connection that stops the port in its turn leaves nothing of the port in the reactor.
        """
        clock = MemoryReactorClock()
        port = self.listenAbove(4.5, clock)
        self.factory.build = lambda _: port.stopListening() and None
        port.doRead()
        self.assertEqual((clock.getReaders(), clock.getDelayedCalls()), ([], []))
