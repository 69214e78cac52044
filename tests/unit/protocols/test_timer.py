"""
L{Timer}.
"""

from __future__ import annotations

import gc
import weakref

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from sockservices.protocols.timer import MAX_LATENESS, READ_DELAY, START_DELAY, Timer, UnstartedTimers
from tests.support.loop import LoopCase


class TimerTests(SynchronousTestCase):
    """
    A timer on a clock that fires in time.
    """

    def setUp(self) -> None:
        """
        Make a timer that records the times of its callback.
        """
        self.clock = Clock()
        self.fired: list[float] = []
        self.timer = Timer(self.clock, self.fired.append)

    def test_firesAtTheEarliestTime(self) -> None:
        """
        The timer fires at the earliest requested time and has at most one delayed call.
        """
        for at in (5, 3, 9, 3):
            self.timer.fireBy(at)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.pump([2, 1, 10])
        self.assertEqual(self.fired, [3.0])

    def test_timeInThePast(self) -> None:
        """
        A time in the past fires in the next turn, not at once.
        """
        self.clock.advance(10)
        self.timer.fireBy(3)
        self.assertEqual(self.fired, [])
        self.clock.advance(0)
        self.assertEqual(self.fired, [10.0])

    @given(st.lists(st.floats(0, 1e9), min_size=1, max_size=5), st.floats(0, 1e9))
    def test_neverFiresEarly(self, delays: list[float], start: float) -> None:
        """
        The callback gets a time no earlier than the requested one, for any rounding of the clock.
        """
        clock, fired = Clock(), list[float]()
        clock.advance(start)
        timer = Timer(clock, fired.append)
        for delay in delays:
            timer.fireBy(start + delay)
        clock.advance(2e9)
        self.assertEqual(len(fired), 1)
        self.assertGreaterEqual(fired[0], start + min(delays))

    def test_roundedTime(self) -> None:
        """
        If rounding makes the delayed call due before the requested time, the callback still gets the requested time.
        """
        self.clock.advance(2.0**-53)
        at = 1 + 2.0**-52
        self.timer.fireBy(at)
        (call,) = self.clock.getDelayedCalls()
        self.assertLess(call.getTime(), at)
        self.clock.rightNow = call.getTime()
        self.clock.advance(0)
        self.assertEqual(self.fired, [at])

    def test_callbackSetsTheTimer(self) -> None:
        """
        The callback may set the timer again.
        """
        timer = Timer(self.clock, lambda now: (self.fired.append(now), timer.fireBy(now + 1)))  # type: ignore[func-returns-value]
        timer.fireBy(1)
        self.clock.pump([1, 1, 1])
        self.assertEqual(self.fired, [1.0, 2.0, 3.0])

    def test_cancelledTimerNeverFires(self) -> None:
        """
        A cancelled timer fires neither for earlier nor for later requests, and releases its callback.
        """

        class Callback:
            def __call__(self, now: float) -> None:
                raise AssertionError("called")

        callback = Callback()
        timer, reference = Timer(self.clock, callback), weakref.ref(callback)
        timer.fireBy(1)
        timer.cancel()
        for at in (2, 0.5):
            timer.fireBy(at)
        del callback
        gc.collect()
        self.assertEqual((self.clock.getDelayedCalls(), reference()), ([], None))


class UnstartedTimersTests(SynchronousTestCase):
    """
    Timers that are started together.
    """

    def setUp(self) -> None:
        """
        Make the clock.
        """
        self.clock, self.unstarted = Clock(), UnstartedTimers()
        self.clock.advance(100)
        self.fired: list[float] = []

    def timers(self, *delays: float) -> list[Timer]:
        """
        Make timers, and set them.
        """
        timers = [Timer(self.clock, self.fired.append, self.unstarted) for _ in delays]
        for timer, delay in zip(timers, delays, strict=True):
            timer.fireBy(self.clock.seconds() + delay)
        return timers

    def test_oneCallForManyTimers(self) -> None:
        """
        New timers share one delayed call. When all of them are cancelled, none remains.
        """
        timers = self.timers(*[10.0] * 50)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        for timer in timers:
            timer.cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        (timer,) = self.timers(10.0)
        self.clock.advance(START_DELAY)
        self.assertEqual([call.getTime() for call in self.clock.getDelayedCalls()], [110.0])
        timer.cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    @given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), min_size=1, max_size=6), st.floats(0.001, 4))
    def test_exactTimes(self, requests: list[tuple[float, float]], step: float) -> None:
        """
        However coarsely the clock advances, each timer fires once, at the earlier of two requested times and in the
        first step that reaches it.
        """
        self.setUp()
        timers = self.timers(*[first for first, _ in requests])
        for timer, (_, second) in zip(timers, requests, strict=True):
            timer.fireBy(100 + second)
        due = sorted(100 + min(pair) for pair in requests)
        while self.clock.seconds() < 104:
            self.clock.advance(step)
            reached = [at for at in due if at <= self.clock.seconds()]
            self.assertEqual(len(self.fired), len(reached))
        self.assertTrue(all(time >= at for time, at in zip(sorted(self.fired), due, strict=True)))

    def test_cancelledByAnother(self) -> None:
        """
        A timer that has been cancelled by the callback of another one does not fire.
        """
        first = Timer(self.clock, lambda now: second.cancel(), self.unstarted)
        second = Timer(self.clock, self.fired.append, self.unstarted)
        first.fireBy(101)
        second.fireBy(102)
        self.clock.advance(10)
        self.assertEqual((self.fired, self.clock.getDelayedCalls()), ([], []))


class LateReactorTests(LoopCase):
    """
    A timer on a reactor whose delayed calls run late, as after a pause of the process.
    """

    def setUp(self) -> None:
        """
        Set a timer for 10, on a clock that the test sets.
        """
        super().setUp()
        self.now = 0.0
        self.reactor.seconds = lambda: self.now
        self.fired: list[float] = []
        self.timer = Timer(self.reactor, self.fired.append)
        self.timer.fireBy(10)
        self.turn()

    def firedBy(self, now: float) -> list[float]:
        """
        Set the clock, and iterate the reactor twice.

        @return: the times of the callbacks so far.
        """
        self.now = now
        self.turn(2)
        return self.fired

    def test_slightlyLate(self) -> None:
        """
        A call that is C{MAX_LATENESS} late is made at once.
        """
        self.assertEqual(self.firedBy(10 + MAX_LATENESS), [10 + MAX_LATENESS])

    def test_lateCallIsDelayedOnce(self) -> None:
        """
        A call that is over C{MAX_LATENESS} late is delayed once by C{READ_DELAY}, so that the reactor reads
        first. Requests for other times do not delay it further.
        """
        self.assertEqual(self.firedBy(17), [])
        self.timer.fireBy(12)
        self.timer.fireBy(20)
        self.assertEqual(self.firedBy(17 + READ_DELAY / 2), [])
        self.assertEqual(self.firedBy(30), [30])

    def test_lateUnstartedTimer(self) -> None:
        """
        A new timer whose delayed call has not been made yet when the reactor is late is delayed by C{READ_DELAY} too.
        """
        self.timer.cancel()
        timer = Timer(self.reactor, self.fired.append, UnstartedTimers())
        timer.fireBy(10)
        self.turn()
        self.assertEqual(self.firedBy(17), [])
        self.assertEqual(self.firedBy(17 + READ_DELAY / 2), [])
        self.assertEqual(self.firedBy(30), [30])

    def test_lateCallCanBeCancelled(self) -> None:
        """
        A timer that is cancelled while its call is delayed never fires.
        """
        self.firedBy(17)
        self.timer.cancel()
        self.assertEqual((self.firedBy(30), self.reactor.getDelayedCalls()), ([], []))
