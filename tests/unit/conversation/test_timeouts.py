"""
L{Timeouts}: when a connection must end.
"""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Outcome, Policy
from sockservices.conversation.timeouts import Timeouts

#: The timeouts that a test sets; they are disabled otherwise.
LIMITS = ("idleTimeout", "stallTimeout", "closeGrace")


def started(deadline: float | None = None, **limits: Any) -> Timeouts:
    """
    The timeouts of a connection that started at 100 seconds.

    @param deadline: the responder's own deadline for the first message.
    """
    timeouts = Timeouts(Policy(**{**dict.fromkeys(LIMITS, 0), **limits}))
    timeouts.start(100.0, deadline)
    return timeouts


class TimeoutsTests(SynchronousTestCase):
    """
    Single checks.
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

    def assertOpen(self, timeouts: Timeouts, now: float, **state: Any) -> None:
        """
        Check that no timeout has passed.
        """
        self.assertNotIsInstance(self.check(timeouts, now, **state), Outcome)

    def assertStalled(self, timeouts: Timeouts, at: float, acked: int) -> None:
        """
        Check that a peer with pending data stalls at a time, and not a tenth of a second earlier.
        """
        self.assertOpen(timeouts, at - 0.1, acked=acked, pending=True)
        self.assertIs(self.check(timeouts, at, acked=acked, pending=True), Outcome.STALLED)

    def test_firstMessage(self) -> None:
        """
        A peer is ended at the deadline for the first message. The policy's timeout replaces the deadline of a responder
        that has one. Without a timeout nothing ends the peer.
        """
        for own, limits, due in (
            (None, {}, math.inf),
            (5.0, {}, 105.0),
            (5.0, {"timeout": 2.0}, 102.0),
            (5.0, {"timeout": 0.0}, math.inf),
            (None, {"timeout": 2.0}, math.inf),
        ):
            timeouts = started(own, **limits)
            for now in (100.0, min(due, 1e9) - 0.1):
                self.assertEqual(self.check(timeouts, now, received=False), due)
            if due < math.inf:
                self.assertIs(self.check(timeouts, due, received=False), Outcome.TIMED_OUT)
            self.assertEqual(self.check(timeouts, 1e9), math.inf)

    def test_firstCheck(self) -> None:
        """
        With a deadline for the first message the first check is within half a second, early enough for the end of a
        short conversation too. Otherwise it is at the idle timeout.
        """
        for limits, deadline, due in (
            ({}, 5.0, 100.5),
            ({}, 0.25, 100.25),
            ({"idleTimeout": 0.25}, None, 100.25),
            ({"closeGrace": 5.0, "idleTimeout": 300.0}, None, 400.0),
            ({}, None, math.inf),
        ):
            self.assertEqual(started(**limits).start(100.0, deadline), due)

    def test_notIdleWhilePending(self) -> None:
        """
        A peer with pending data is not idle. The next check is within a second, to detect that none is pending.
        """
        for stall in (0.0, 30.0):
            next = self.check(started(idleTimeout=10.0, stallTimeout=stall), 129.9, pending=True)
            assert isinstance(next, float)
            self.assertTrue(129.9 < next <= 130.9)

    def test_stalled(self) -> None:
        """
        A peer stalls that has acknowledged nothing since a check or an event found data pending.
        """
        timeouts = started(stallTimeout=30.0)
        for now in (200.0, 201.0):
            self.assertOpen(timeouts, now, acked=7, pending=True)
            self.assertTrue(timeouts.tracking)
        self.assertStalled(timeouts, 230.0, acked=7)
        timeouts = started(stallTimeout=30.0)
        self.assertEqual(timeouts.trackProgress(200.0, 7), 201.0)
        self.assertEqual(timeouts.trackProgress(215.0, 7), 216.0)
        self.assertStalled(timeouts, 230.0, acked=7)

    def test_progress(self) -> None:
        """
        One acknowledged byte is progress, and so is a check that finds nothing pending.
        """
        timeouts = started(stallTimeout=30.0)
        self.check(timeouts, 200.0, acked=7, pending=True)
        self.check(timeouts, 201.0, acked=8, pending=True)
        self.assertOpen(timeouts, 230.0, acked=8, pending=True)
        self.check(timeouts, 230.5, acked=8)
        self.assertFalse(timeouts.tracking)
        self.check(timeouts, 230.6, acked=8, pending=True)
        self.assertStalled(timeouts, 260.6, acked=8)

    def test_slowPeersGetMoreTime(self) -> None:
        """
        A peer that has acknowledged data after a long gap stalls after twice this gap, up to 300 s. A stall timeout
        over 300 s applies unchanged.
        """
        for stall, gaps, timeout in (
            (30.0, [29.0], 58.0),
            (30.0, [10.0], 30.0),
            (30.0, [14.0], 30.0),
            (30.0, [16.0], 32.0),
            (60.0, [59.0, 117.0, 233.0, 299.0, 299.0], 300.0),
            (1000.0, [], 1000.0),
        ):
            timeouts, now = started(stallTimeout=stall), 200.0
            self.check(timeouts, now, pending=True)
            for acked, gap in enumerate(gaps, 1):
                now += gap
                self.assertOpen(timeouts, now, acked=acked, pending=True)
            self.assertStalled(timeouts, now + timeout, acked=len(gaps))

    def test_checkInterval(self) -> None:
        """
        Two checks are at most a second and a tenth of the timeout apart.
        """
        for stall, interval in ((30.0, 1.0), (10.0, 1.0), (2.0, 0.2), (0.0, 1.0)):
            next = self.check(started(stallTimeout=stall), 200.0, pending=True)
            assert isinstance(next, float)
            self.assertAlmostEqual(next, 200.0 + interval)

    def test_stalledWhileClosing(self) -> None:
        """
        While data is pending the stall timeout applies, however short the close grace is. The grace follows it.
        """
        timeouts = started(stallTimeout=30.0, closeGrace=5.0)
        timeouts.close(200.0)
        timeouts.trackProgress(200.0, 7)
        self.assertStalled(timeouts, 230.0, acked=7)
        self.assertOpen(timeouts, 231.0, acked=8, pending=True)
        self.assertEqual(self.check(timeouts, 235.9, acked=9), 236.0)
        self.assertIs(self.check(timeouts, 236.0, acked=9), Outcome.GRACE)

    def test_draining(self) -> None:
        """
        While the server drains, a peer is ended that has been silent for half a second and has no pending data. A
        timeout that passes earlier still applies.
        """
        timeouts = started(5.0, idleTimeout=300.0)
        self.assertEqual(self.check(timeouts, 200.25, lastReceivedAt=200.0), 500.0)
        timeouts.draining = True
        self.assertEqual(self.check(timeouts, 200.25, lastReceivedAt=200.0), 200.5)
        self.assertOpen(timeouts, 200.5, pending=True, lastReceivedAt=200.0)
        self.assertIs(self.check(timeouts, 200.5, lastReceivedAt=200.0), Outcome.DRAINED)
        self.assertIs(self.check(timeouts, 106.0, received=False, lastReceivedAt=104.75), Outcome.TIMED_OUT)


class ArbitraryTests(SynchronousTestCase):
    """
    Arbitrary sequences of checks.
    """

    @settings(deadline=None)
    @given(
        limits=st.fixed_dictionaries({name: st.floats(0.25, 20) for name in LIMITS}),
        checks=st.lists(st.tuples(st.floats(0, 5), st.booleans(), st.integers(0, 3)), max_size=50),
        closing=st.integers(0, 50),
    )
    def test_everyConversationEnds(
        self, limits: dict[str, float], checks: list[tuple[float, bool, int]], closing: int
    ) -> None:
        """
        A peer that stops sending and reading is ended by a timeout, for any earlier activity. No check is in the past.
        """
        timeouts, now, acked = started(**limits), 100.0, 0
        result: Any = now
        for number, (seconds, pending, progress) in enumerate(checks):
            if number == closing:
                timeouts.close(now)
            now, acked = now + seconds, acked + progress
            result = timeouts.check(now, 100.0, True, acked, pending)
            if isinstance(result, Outcome):
                return
            self.assertGreater(result, now)
        for pending in (False, True):
            for _ in range(1000):
                now = result
                result = timeouts.check(now, 100.0, True, acked, pending)
                if isinstance(result, Outcome):
                    break
            else:
                self.fail("no timeout has passed")
            result = now + 0.5
