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
from sockservices.conversation.timeouts import Deadlines

#: No deadline but those that a test is about.
NONE: dict[str, float] = {"idleTimeout": 0, "stallTimeout": 0, "closeGrace": 0}


def begun(first: float | None = None, **limits: float) -> Deadlines:
    """
    The deadlines of a connection that began at 100 seconds.

    @param first: the responder's own.
    """
    deadlines = Deadlines(Policy(**{**NONE, **limits}), 100.0)  # type: ignore[arg-type]
    deadlines.expect(first)
    return deadlines


class DeadlinesTests(SynchronousTestCase):
    """
    Tests for L{Deadlines.look}.
    """

    def look(
        self,
        deadlines: Deadlines,
        now: float,
        heard: bool = True,
        taken: int = 0,
        owed: bool = False,
        heardAt: float = 100.0,
    ) -> Outcome | float:
        """
        Look, by default at a peer that was heard when it came, and is owed nothing.
        """
        return deadlines.look(now, heardAt, heard, taken, owed)

    def test_none(self) -> None:
        """
        Without a deadline there is nothing to look at, ever.
        """
        self.assertEqual(self.look(begun(), 1e9), math.inf)

    def test_first(self) -> None:
        """
        The first message is due so long after the beginning.
        """
        deadlines = begun(5.0)
        self.assertEqual(self.look(deadlines, 100.0, heard=False), 105.0)
        self.assertEqual(self.look(deadlines, 104.9, heard=False), 105.0)
        self.assertIs(self.look(deadlines, 105.0, heard=False), Outcome.TIMED_OUT)
        self.assertEqual(self.look(deadlines, 105.0, heard=True), math.inf)

    def test_firstByPolicy(self) -> None:
        """
        The policy has the last word on it, but only if there is one.
        """
        for own, policy, due in ((5.0, 2.0, 102.0), (5.0, 0.0, math.inf), (None, 2.0, math.inf)):
            self.assertEqual(self.look(begun(own, timeout=policy), 100.0, heard=False), due)

    def test_idle(self) -> None:
        """
        Idle is counted from when the peer was last heard.
        """
        deadlines = begun(idleTimeout=300.0)
        self.assertEqual(self.look(deadlines, 100.0), 400.0)
        self.assertEqual(self.look(deadlines, 400.0, heardAt=250.0), 550.0)
        self.assertIs(self.look(deadlines, 550.0, heardAt=250.0), Outcome.IDLE)

    def test_notIdleWhileOwed(self) -> None:
        """
        A peer that is owed something is not idle, and looked at often enough to see when it is owed no more.
        """
        for stall in (0.0, 30.0):
            deadlines = begun(idleTimeout=10.0, stallTimeout=stall)
            again = self.look(deadlines, 129.9, owed=True)
            assert isinstance(again, float)
            self.assertTrue(129.9 < again <= 130.9)

    def test_stalled(self) -> None:
        """
        Stalled is a peer that has taken nothing since it was first seen to be owed something.
        """
        deadlines = begun(stallTimeout=30.0)
        for now in (200.0, 201.0, 229.9):
            self.assertNotIsInstance(self.look(deadlines, now, taken=7, owed=True), Outcome)
            self.assertTrue(deadlines.watched)
        self.assertIs(self.look(deadlines, 230.0, taken=7, owed=True), Outcome.STALLED)

    def test_stalledSinceItWasOwed(self) -> None:
        """
        What is owed may be noted between two looks.
        """
        deadlines = begun(stallTimeout=30.0)
        self.assertEqual(deadlines.owe(200.0, 7), 201.0)
        self.assertEqual(deadlines.owe(215.0, 7), 216.0)
        self.assertIs(self.look(deadlines, 230.0, taken=7, owed=True), Outcome.STALLED)

    def test_progress(self) -> None:
        """
        One byte taken is progress; so is having been owed nothing in between.
        """
        deadlines = begun(stallTimeout=30.0)
        self.look(deadlines, 200.0, taken=7, owed=True)
        self.look(deadlines, 229.0, taken=8, owed=True)
        self.assertNotIsInstance(self.look(deadlines, 258.0, taken=8, owed=True), Outcome)
        self.look(deadlines, 258.5, taken=8)
        self.assertFalse(deadlines.watched)
        self.look(deadlines, 258.6, taken=8, owed=True)
        self.assertNotIsInstance(self.look(deadlines, 288.0, taken=8, owed=True), Outcome)
        self.assertIs(self.look(deadlines, 288.6, taken=8, owed=True), Outcome.STALLED)

    def test_oftenEnough(self) -> None:
        """
        Looks are a second apart at most, and a tenth of the time in question.
        """
        for stall, gap in ((30.0, 1.0), (10.0, 1.0), (2.0, 0.2), (0.0, 1.0)):
            again = self.look(begun(stallTimeout=stall), 200.0, owed=True)
            assert isinstance(again, float)
            self.assertAlmostEqual(again, 200.0 + gap)

    def test_grace(self) -> None:
        """
        When the conversation is ending its end is owed, and there is the grace alone for that.
        """
        deadlines = begun(5.0, idleTimeout=1.0, stallTimeout=1.0, closeGrace=5.0)
        deadlines.owe(199.0, 0)
        deadlines.close()
        self.assertFalse(deadlines.watched)
        self.assertEqual(deadlines.owe(200.0, 0), 200.5)
        self.assertEqual(self.look(deadlines, 204.9, heard=False), 205.4)
        self.assertIs(self.look(deadlines, 205.0, heard=False), Outcome.GRACE)

    def test_graceAndProgress(self) -> None:
        """
        Who takes some of the last words is given the grace anew.
        """
        deadlines = begun(closeGrace=5.0)
        deadlines.close()
        for now in range(200, 260, 4):
            self.assertNotIsInstance(self.look(deadlines, float(now), taken=now), Outcome)
        self.assertIs(self.look(deadlines, 262.0, taken=256), Outcome.GRACE)

    def test_noGrace(self) -> None:
        """
        Without a grace there is no deadline for the end.
        """
        deadlines = begun(idleTimeout=1.0)
        deadlines.close()
        self.assertNotIsInstance(self.look(deadlines, 1e6), Outcome)

    def test_draining(self) -> None:
        """
        When the server stops a quiet peer is over: one that was silent for half a second, and is owed nothing.
        """
        deadlines = begun(5.0, idleTimeout=300.0)
        self.assertEqual(self.look(deadlines, 200.25, heardAt=200.0), 500.0)
        deadlines.draining = True
        self.assertEqual(self.look(deadlines, 200.25, heardAt=200.0), 200.5)
        self.assertNotIsInstance(self.look(deadlines, 200.5, owed=True, heardAt=200.0), Outcome)
        self.assertIs(self.look(deadlines, 200.5, heardAt=200.0), Outcome.DRAINED)

    def test_whatIsDueFirst(self) -> None:
        """
        While draining, what would have ended the conversation before still does.
        """
        deadlines = begun(5.0)
        deadlines.draining = True
        self.assertIs(self.look(deadlines, 106.0, heard=False, heardAt=104.75), Outcome.TIMED_OUT)

    def test_firstLook(self) -> None:
        """
        Where there is a deadline for the first message the first look is early enough for the end of a short
        conversation, too: within a tenth of the close grace, and a second. Else it is when the peer may be idle.
        """
        for policy, first, due in (
            ({"closeGrace": 5.0}, 5.0, 100.5),
            ({"closeGrace": 20.0}, 5.0, 101.0),
            ({}, 5.0, 101.0),
            ({}, 0.25, 100.25),
            ({"idleTimeout": 0.25}, None, 100.25),
            ({"closeGrace": 5.0, "idleTimeout": 300.0}, None, 400.0),
            ({}, None, math.inf),
        ):
            limits: dict[str, Any] = policy
            self.assertEqual(begun(first, **limits).first(), due)


class ArbitraryTests(SynchronousTestCase):
    """
    Tests with whatever may happen.
    """

    @settings(deadline=None)
    @given(
        limits=st.fixed_dictionaries({name: st.floats(0.25, 20) for name in NONE}),
        looks=st.lists(st.tuples(st.floats(0, 5), st.booleans(), st.integers(0, 3)), max_size=50),
        closing=st.integers(0, 50),
    )
    def test_everyConversationEnds(
        self, limits: dict[str, float], looks: list[tuple[float, bool, int]], closing: int
    ) -> None:
        """
        Whatever came before, a peer that does nothing more is over by one of its deadlines. Nobody is called for a look
        in the past.
        """
        deadlines, now, taken = begun(**limits), 100.0, 0
        over: Any = now
        for number, (seconds, owed, some) in enumerate(looks):
            if number == closing:
                deadlines.close()
            now, taken = now + seconds, taken + some
            over = deadlines.look(now, 100.0, True, taken, owed)
            if isinstance(over, Outcome):
                return
            self.assertGreater(over, now)
        for _ in range(1000):
            now = over
            over = deadlines.look(now, 100.0, True, taken, False)
            if isinstance(over, Outcome):
                self.assertLessEqual(now, 100 + 5 * 50 + sum(limits.values()))
                return
        self.fail("it went on for ever")
