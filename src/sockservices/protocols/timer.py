"""
One delayed call for all timeouts of a connection.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from twisted.internet.base import ReactorBase
from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Timer", "globalClock"]

#: Seconds after its time from which a reactor's call is late: the process was stopped (SIGSTOP), or busy.
MAX_LATENESS = 1.0

#: Seconds by which a reactor's late call is put off once. Reactors run timed calls before they poll: what peers sent
#: while the process was stopped is read first.
READ_DELAY = 0.25


class Timer:
    """
    Fires no later than it was asked to. If the reactor itself is late, input is read first.

    @ivar at: the time that it is set for, in seconds by the clock. A later time changes nothing.
    """

    __slots__ = ("_call", "_clock", "_delayed", "at")

    def __init__(self, clock: IReactorTime, call: Callable[[float], object]) -> None:
        """
        @param call: called with the time, in seconds by the clock.
        """
        self._clock = clock
        self._call = call
        self._delayed: IDelayedCall | None = None
        self.at = math.inf

    def by(self, at: float) -> None:
        """
        Fire no later than at this time.
        """
        if at < self.at:
            if self._delayed is not None:
                # Not reset(): for an earlier time Twisted searches its whole heap of timers.
                self._delayed.cancel()
            self.at = at
            self._delayed = self._clock.callLater(max(0.0, at - self._clock.seconds()), self._fire)

    def _fire(self) -> None:
        if self._late():
            # self.at does not change: until the call, by() with a later time does nothing.
            self._delayed = self._clock.callLater(READ_DELAY, self._callNow)
        else:
            self._callNow()

    def _late(self) -> bool:
        # A Clock, which tests advance, reads no input between two calls.
        if self._delayed is None or not isinstance(self._clock, ReactorBase):
            return False
        return self._clock.seconds() - self._delayed.getTime() > MAX_LATENESS

    def _callNow(self) -> None:
        # The clock may be a rounding error before the time that was asked for.
        now = max(self._clock.seconds(), self.at)
        self._delayed, self.at = None, math.inf
        self._call(now)

    def cancel(self) -> None:
        """
        Never fire again, and drop the reference to the function.
        """
        if self._delayed is not None:
            self._delayed.cancel()
            self._delayed = None
        self.at, self._call = -math.inf, _nothing


def globalClock() -> IReactorTime:
    """
    The global reactor. Importing it installs it, so this is called only when it is needed.
    """
    from twisted.internet import reactor

    return IReactorTime(reactor)


def _nothing(now: float) -> None:
    pass
