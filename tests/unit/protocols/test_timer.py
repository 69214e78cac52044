"""
The timer.
"""

from __future__ import annotations

import gc
import weakref

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from sockservices.protocols.timer import MAX_LATENESS, READ_DELAY, Timer
from tests.support.loop import LoopCase


class TimerTests(SynchronousTestCase):
    """
    L{Timer}.
    """

    def setUp(self) -> None:
        """
        A timer, and the times at which it fired.
        """
        self.clock = Clock()
        self.fired: list[float] = []
        self.timer = Timer(self.clock, self.fired.append)

    def test_firesByTheEarliestTime(self) -> None:
        """
        The timer fires at the earliest requested time and has at most one delayed call.
        """
        for at in (5, 3, 9, 3):
            self.timer.by(at)
        self.assertEqual(1, len(self.clock.getDelayedCalls()))
        self.clock.pump([2, 1, 10])
        self.assertEqual([3.0], self.fired)

    def test_timeInThePast(self) -> None:
        """
        A time in the past fires in the next turn, not at once.
        """
        self.clock.advance(10)
        self.timer.by(3)
        self.assertEqual([], self.fired)
        self.clock.advance(0)
        self.assertEqual([10.0], self.fired)

    @given(st.lists(st.floats(0, 1e9), min_size=1, max_size=5), st.floats(0, 1e9))
    def test_neverFiresEarly(self, delays: list[float], start: float) -> None:
        """
        The callback gets a time no earlier than the requested one, whatever the clock's rounding is.
        """
        clock, calledAt = Clock(), list[float]()
        clock.advance(start)
        timer = Timer(clock, calledAt.append)
        for delay in delays:
            timer.by(start + delay)
        clock.advance(2e9)
        self.assertEqual(1, len(calledAt))
        self.assertGreaterEqual(calledAt[0], start + min(delays))

    def test_roundedTime(self) -> None:
        """
        The call gets no time before the one asked for, although the clock's sum is rounded down.
        """
        self.clock.advance(2.0**-53)
        at = 1 + 2.0**-52
        self.timer.by(at)
        (call,) = self.clock.getDelayedCalls()
        self.assertLess(call.getTime(), at)
        self.clock.rightNow = call.getTime()
        self.clock.advance(0)
        self.assertEqual([at], self.fired)

    def test_mayBeSetAgainWhenItFires(self) -> None:
        """
        The callback may set the timer again.
        """
        timer = Timer(self.clock, lambda now: (self.fired.append(now), timer.by(now + 1)))  # type: ignore[func-returns-value]
        timer.by(1)
        self.clock.pump([1, 1, 1])
        self.assertEqual([1.0, 2.0, 3.0], self.fired)

    def test_cancelledTimerNeverFires(self) -> None:
        """
        A cancelled timer fires neither for earlier nor for later requests, and releases its callback.
        """

        class Called:
            def __call__(self, now: float) -> None:
                raise AssertionError("called")

        called = Called()
        timer, reference = Timer(self.clock, called), weakref.ref(called)
        timer.by(1)
        timer.cancel()
        for at in (2, 0.5):
            timer.by(at)
        del called
        gc.collect()
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertIsNone(reference())


class LateReactorTests(LoopCase):
    """
    L{Timer} on a reactor whose timed calls run late, as after a pause of the process.
    """

    def setUp(self) -> None:
        """
        Set a timer for 10, by a clock that the test sets.
        """
        super().setUp()
        self.now = 0.0
        self.reactor.seconds = lambda: self.now
        self.fired: list[float] = []
        self.timer = Timer(self.reactor, self.fired.append)
        self.timer.by(10)
        self.turn()

    def at(self, now: float) -> list[float]:
        """
        Set the clock, and turn the reactor twice.

        @return: when the timer has fired.
        """
        self.now = now
        self.turn(2)
        return self.fired

    def test_aLittleLate(self) -> None:
        """
        A call that is C{MAX_LATENESS} late is made at once.
        """
        self.assertEqual([10 + MAX_LATENESS], self.at(10 + MAX_LATENESS))

    def test_aLateCallIsPutOffOnce(self) -> None:
        """
        A call that is later is made C{READ_DELAY} later, so that the reactor reads in between; however late it is then.
        Times that are asked for meanwhile put nothing off.
        """
        self.assertEqual([], self.at(17))
        self.timer.by(12)
        self.timer.by(20)
        self.assertEqual([], self.at(17 + READ_DELAY / 2))
        self.assertEqual([30], self.at(30))

    def test_aLateCallCanBeCancelled(self) -> None:
        """
        A timer that is cancelled while its call is put off never fires.
        """
        self.at(17)
        self.timer.cancel()
        self.assertEqual(([], []), (self.at(30), self.reactor.getDelayedCalls()))
