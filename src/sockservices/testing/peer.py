"""
The base class of peers in memory.
"""

from __future__ import annotations

from twisted.internet.task import Clock

from sockservices.conversation.outcome import Outcome
from sockservices.conversation.responder_types import ResponderTypeError
from sockservices.conversation.visit import Visit

__all__ = ["Peer", "checkSent"]

#: The most turns of the reactor in a row that each take less than so many seconds. The endless output of a coroutine
#: takes a turn for every 64 KiB.
MAX_TURNS, MIN_STEP = 1000, 0.001


class Peer:
    """
    A peer in memory. The test decides what it sends and when.

    @ivar clock: the clock of all deadlines and rate limits.
    @ivar visits: the recorded visits.
    @ivar exception: the last exception that the responder raised, or L{None}.
    """

    exception: BaseException | None = None

    def __init__(self, clock: Clock, visits: list[Visit]) -> None:
        self.clock = clock
        self.visits = visits

    def __repr__(self) -> str:
        """
        Show the outcome, for the report of a failed assertion.
        """
        outcome = "no outcome yet" if self.outcome is None else self.outcome.value
        return f"<{type(self).__name__}: {outcome}>"

    @property
    def outcome(self) -> Outcome | None:
        """
        The outcome of the last conversation that ended; L{None} before the first one ends.
        """
        return self.visits[-1].outcome if self.visits else None

    def _onException(self, exception: BaseException) -> None:
        self.exception = exception

    def _raiseTypeError(self) -> None:
        """
        Raise the error of a responder that returned an object of a wrong type: a test of it cannot go on.
        """
        if isinstance(self.exception, ResponderTypeError):
            raise self.exception

    def _advance(self, seconds: float) -> None:
        """
        Advance the clock from timer to timer: C{Clock.advance} alone calls all of them at the final time.
        """
        clock = self.clock
        until = clock.seconds() + seconds
        turns = 0
        while (calls := clock.getDelayedCalls()) and (due := min(call.getTime() for call in calls)) <= until:
            turns = turns + 1 if due < clock.seconds() + MIN_STEP else 0
            if turns > MAX_TURNS:
                break
            clock.advance(max(0.0, due - clock.seconds()))
        clock.advance(max(0.0, until - clock.seconds()))


def checkSent(*sent: object) -> None:
    """
    Check what a test sends: a responder would be blamed for it.

    @raise TypeError: for what is not bytes.
    """
    for each in sent:
        if not isinstance(each, (bytes, bytearray, memoryview)):
            raise TypeError(f"say({each!r}): expected bytes")
