"""
What the far end of a conversation in memory has, whatever the transport.
"""

from __future__ import annotations

from twisted.internet.task import Clock

from sockservices.conversation.outcome import Outcome
from sockservices.conversation.visit import Visit

__all__ = ["Peer"]


class Peer:
    """
    The far end: it is the test that speaks for it.

    @ivar clock: the time of all deadlines and rates.
    @ivar visits: what was recorded.
    """

    def __init__(self, clock: Clock, visits: list[Visit]) -> None:
        self.clock = clock
        self.visits = visits

    def __repr__(self) -> str:
        """
        How it went so far, for the report of a failed assertion.
        """
        outcome = "no outcome yet" if self.outcome is None else self.outcome.value
        return f"<{type(self).__name__}: {outcome}>"

    @property
    def outcome(self) -> Outcome | None:
        """
        How the last conversation ended; L{None} before the first has.
        """
        return self.visits[-1].outcome if self.visits else None

    def _pass(self, seconds: float) -> None:
        """
        Let time pass, in which all that is due happens at its time.
        """
        clock = self.clock
        until = clock.seconds() + seconds
        while (calls := clock.getDelayedCalls()) and (due := min(call.getTime() for call in calls)) <= until:
            clock.advance(max(0.0, due - clock.seconds()))
        clock.advance(max(0.0, until - clock.seconds()))
