"""
The minimum interval between requests.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from sockservices.conformance.timing import Throttle


class ThrottleTests(SynchronousTestCase):
    """
    Tests for L{Throttle}.
    """

    def test_interval(self) -> None:
        """
        The first caller does not wait; the next ones wait for the interval each, unless there was a pause.
        """
        clock = Clock()
        throttle = Throttle(clock, 0.5)
        times: list[float] = []
        for _ in range(3):
            throttle.wait().addCallback(lambda _: times.append(clock.seconds()))
        clock.pump([0.25] * 8)
        self.assertEqual(times, [0.25, 0.5, 1.0])
        throttle.wait().addCallback(lambda _: times.append(clock.seconds()))
        clock.advance(0)
        self.assertEqual(times, [0.25, 0.5, 1.0, 2.0])
