"""
When a connection must end.
"""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Outcome, Policy
from sockservices.conversation.timeouts import Timeouts

#: No timeout but those that a test is about.
NONE: dict[str, float] = {"idleTimeout": 0, "stallTimeout": 0, "closeGrace": 0}


def started(deadline: float | None = None, **limits: float) -> Timeouts:
    """
    The timeouts of a connection that started at 100 seconds.

    @param deadline: the responder's own, to the first message.
    """
    timeouts = Timeouts(Policy(**{**NONE, **limits}), 100.0)  # type: ignore[arg-type]
    timeouts.firstCheck(deadline)
    return timeouts


class TimeoutsTests(SynchronousTestCase):
    """
    Tests for L{Timeouts}.
    """

    def check(
        self,
        timeouts: Timeouts,
        now: float,
        received: bool = True,
        acked: int = 0,
        pending: bool = False,
        lastReceivedAt: float = 100.0,
    ) -> Outcome | float:
        """
        Check, by default for a peer that sent something when it connected, and for which no data is pending.
        """
        return timeouts.check(now, lastReceivedAt, received, acked, pending)

    def assertKept(self, timeouts: Timeouts, now: float, **state: Any) -> None:
        """
        Check that no timeout has passed.
        """
        self.assertNotIsInstance(self.check(timeouts, now, **state), Outcome)

    def test_none(self) -> None:
        """
        Without a timeout there is nothing to check, ever.
        """
        self.assertEqual(self.check(started(), 1e9), math.inf)

    def test_firstMessage(self) -> None:
        """
        The first message is due so long after the start.
        """
        timeouts = started(5.0)
        self.assertEqual(self.check(timeouts, 100.0, received=False), 105.0)
        self.assertEqual(self.check(timeouts, 104.9, received=False), 105.0)
        self.assertIs(self.check(timeouts, 105.0, received=False), Outcome.TIMED_OUT)
        self.assertEqual(self.check(timeouts, 105.0, received=True), math.inf)

    def test_firstMessageByPolicy(self) -> None:
        """
        The policy's timeout replaces the responder's deadline, if the responder has one.
        """
        for own, policy, due in ((5.0, 2.0, 102.0), (5.0, 0.0, math.inf), (None, 2.0, math.inf)):
            self.assertEqual(self.check(started(own, timeout=policy), 100.0, received=False), due)

    def test_idle(self) -> None:
        """
        Idle time is counted from the last data received.
        """
        timeouts = started(idleTimeout=300.0)
        self.assertEqual(self.check(timeouts, 100.0), 400.0)
        self.assertEqual(self.check(timeouts, 400.0, lastReceivedAt=250.0), 550.0)
        self.assertIs(self.check(timeouts, 550.0, lastReceivedAt=250.0), Outcome.IDLE)

    def test_notIdleWhilePending(self) -> None:
        """
        A peer for which data is pending is not idle, and is checked often enough to see when none is.
        """
        for stall in (0.0, 30.0):
            again = self.check(started(idleTimeout=10.0, stallTimeout=stall), 129.9, pending=True)
            assert isinstance(again, float)
            self.assertTrue(129.9 < again <= 130.9)

    def test_stalled(self) -> None:
        """
        A peer stalls that has acknowledged nothing since data was first seen to be pending.
        """
        timeouts = started(stallTimeout=30.0)
        for now in (200.0, 201.0, 229.9):
            self.assertKept(timeouts, now, acked=7, pending=True)
            self.assertTrue(timeouts.tracking)
        self.assertIs(self.check(timeouts, 230.0, acked=7, pending=True), Outcome.STALLED)

    def test_stalledSinceItWasPending(self) -> None:
        """
        The time counts from the event that left data pending, which comes between two checks.
        """
        timeouts = started(stallTimeout=30.0)
        self.assertEqual(timeouts.trackProgress(200.0, 7), 201.0)
        self.assertEqual(timeouts.trackProgress(215.0, 7), 216.0)
        self.assertIs(self.check(timeouts, 230.0, acked=7, pending=True), Outcome.STALLED)

    def test_progress(self) -> None:
        """
        One acknowledged byte is progress; so is a check that sees nothing pending.
        """
        timeouts = started(stallTimeout=30.0)
        self.check(timeouts, 200.0, acked=7, pending=True)
        self.check(timeouts, 201.0, acked=8, pending=True)
        self.assertKept(timeouts, 230.0, acked=8, pending=True)
        self.check(timeouts, 230.5, acked=8)
        self.assertFalse(timeouts.tracking)
        self.check(timeouts, 230.6, acked=8, pending=True)
        self.assertKept(timeouts, 260.0, acked=8, pending=True)
        self.assertIs(self.check(timeouts, 260.6, acked=8, pending=True), Outcome.STALLED)

    def test_longGapsBefore(self) -> None:
        """
        A peer that has recovered from a long gap gets twice as long the next time, up to 300 s.
        """
        for gap, timeout in ((29.0, 58.0), (10.0, 30.0), (14.0, 30.0), (16.0, 32.0)):
            timeouts = started(stallTimeout=30.0)
            self.check(timeouts, 200.0, acked=7, pending=True)
            self.assertKept(timeouts, 200.0 + gap, acked=8, pending=True)
            self.assertKept(timeouts, 200.0 + gap + timeout - 0.1, acked=8, pending=True)
            stalled = self.check(timeouts, 200.0 + gap + timeout, acked=8, pending=True)
            self.assertIs(stalled, Outcome.STALLED, gap)
        timeouts, now = started(stallTimeout=60.0), 200.0
        self.check(timeouts, now, pending=True)
        for acked, gap in enumerate((59.0, 117.0, 233.0, 299.0, 299.0), 1):
            now += gap
            self.assertKept(timeouts, now, acked=acked, pending=True)
        self.assertIs(self.check(timeouts, now + 300.0, acked=5, pending=True), Outcome.STALLED)

    def test_aLongStallTimeoutIsNotCut(self) -> None:
        """
        A stall timeout over 300 s holds as it is.
        """
        timeouts = started(stallTimeout=1000.0)
        self.check(timeouts, 200.0, pending=True)
        self.assertKept(timeouts, 1199.0, pending=True)
        self.assertIs(self.check(timeouts, 1200.0, pending=True), Outcome.STALLED)

    def test_checkInterval(self) -> None:
        """
        Two checks are at most a second and a tenth of the timeout apart.
        """
        for stall, gap in ((30.0, 1.0), (10.0, 1.0), (2.0, 0.2), (0.0, 1.0)):
            again = self.check(started(stallTimeout=stall), 200.0, pending=True)
            assert isinstance(again, float)
            self.assertAlmostEqual(again, 200.0 + gap)

    def test_closeGrace(self) -> None:
        """
        When the conversation is ending and the peer has everything, only the close grace counts.
        """
        timeouts = started(5.0, idleTimeout=1.0, stallTimeout=1.0, closeGrace=5.0)
        self.assertEqual(timeouts.close(200.0), 200.5)
        self.assertEqual(self.check(timeouts, 204.9, received=False), 205.0)
        self.assertIs(self.check(timeouts, 205.0, received=False), Outcome.GRACE)

    def test_stalledWhileClosing(self) -> None:
        """
        While data is pending the stall timeout counts, however short the close grace is; the grace follows it.
        """
        timeouts = started(stallTimeout=30.0, closeGrace=5.0)
        timeouts.close(200.0)
        timeouts.trackProgress(200.0, 7)
        self.assertKept(timeouts, 229.9, acked=7, pending=True)
        self.assertIs(self.check(timeouts, 230.0, acked=7, pending=True), Outcome.STALLED)
        self.assertKept(timeouts, 231.0, acked=8, pending=True)
        self.assertEqual(self.check(timeouts, 235.9, acked=9), 236.0)
        self.assertIs(self.check(timeouts, 236.0, acked=9), Outcome.GRACE)

    def test_noCloseGrace(self) -> None:
        """
        Without a close grace there is no timeout for the end.
        """
        timeouts = started(idleTimeout=1.0)
        timeouts.close(200.0)
        self.assertKept(timeouts, 1e6)

    def test_draining(self) -> None:
        """
        When the server stops, a peer is ended that has sent nothing for half a second and for which nothing is pending.
        """
        timeouts = started(5.0, idleTimeout=300.0)
        self.assertEqual(self.check(timeouts, 200.25, lastReceivedAt=200.0), 500.0)
        timeouts.draining = True
        self.assertEqual(self.check(timeouts, 200.25, lastReceivedAt=200.0), 200.5)
        self.assertKept(timeouts, 200.5, pending=True, lastReceivedAt=200.0)
        self.assertIs(self.check(timeouts, 200.5, lastReceivedAt=200.0), Outcome.DRAINED)

    def test_earliestTimeout(self) -> None:
        """
        While draining, a timeout that would have ended the conversation before still does.
        """
        timeouts = started(5.0)
        timeouts.draining = True
        self.assertIs(self.check(timeouts, 106.0, received=False, lastReceivedAt=104.75), Outcome.TIMED_OUT)

    def test_firstCheck(self) -> None:
        """
        With a deadline for the first message the first check is within half a second, early enough for the end of a
        short conversation too. Else it is at the idle timeout.
        """
        for limits, deadline, due in (
            ({}, 5.0, 100.5),
            ({}, 0.25, 100.25),
            ({"idleTimeout": 0.25}, None, 100.25),
            ({"closeGrace": 5.0, "idleTimeout": 300.0}, None, 400.0),
            ({}, None, math.inf),
        ):
            timeouts = Timeouts(Policy(**{**NONE, **limits}), 100.0)  # type: ignore[arg-type]
            self.assertEqual(timeouts.firstCheck(deadline), due)


class ArbitraryTests(SynchronousTestCase):
    """
    Tests with whatever may happen.
    """

    @settings(deadline=None)
    @given(
        limits=st.fixed_dictionaries({name: st.floats(0.25, 20) for name in NONE}),
        checks=st.lists(st.tuples(st.floats(0, 5), st.booleans(), st.integers(0, 3)), max_size=50),
        closing=st.integers(0, 50),
    )
    def test_everyConversationEnds(
        self, limits: dict[str, float], checks: list[tuple[float, bool, int]], closing: int
    ) -> None:
        """
        Whatever came before, a peer that does nothing more is ended by one of its timeouts. No check is in the past.
        """
        timeouts, now, acked = started(**limits), 100.0, 0
        passed: Any = now
        for number, (seconds, pending, progress) in enumerate(checks):
            if number == closing:
                timeouts.close(now)
            now, acked = now + seconds, acked + progress
            passed = timeouts.check(now, 100.0, True, acked, pending)
            if isinstance(passed, Outcome):
                return
            self.assertGreater(passed, now)
        for pending in (False, True):
            for _ in range(1000):
                now = passed
                passed = timeouts.check(now, 100.0, True, acked, pending)
                if isinstance(passed, Outcome):
                    break
            else:
                self.fail("it went on for ever")
            passed = now + 0.5
