"""
One delayed call for all timeouts of a connection.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property

from twisted.internet.base import ReactorBase
from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["DefaultClock", "Timer", "UnstartedTimers"]

#: Seconds of delay from which a reactor's call counts as late: the process was stopped (SIGSTOP), or busy.
MAX_LATENESS = 1.0

#: Seconds by which a reactor's late call is postponed once. Reactors run timed calls before they poll. The delay lets
#: the reactor read the data that arrived while the process was stopped.
READ_DELAY = 0.25

#: Seconds after which a new timer gets a delayed call of the reactor.
START_DELAY = 0.25


class UnstartedTimers:
    """
    New timers that have no delayed call of the reactor yet. One call starts all of them. Most short conversations end
    before it and need no delayed call.
    """

    def __init__(self) -> None:
        self._timers: dict[Timer, None] = {}
        self._call: IDelayedCall | None = None

    def add(self, timer: Timer, clock: IReactorTime) -> None:
        """
        Start a timer within L{START_DELAY}.
        """
        self._timers[timer] = None
        if self._call is None:
            self._call = clock.callLater(START_DELAY, self._startAll)

    def discard(self, timer: Timer) -> None:
        """
        Do not start a timer.
        """
        self._timers.pop(timer, None)
        if self._call is not None and not self._timers:
            self._call.cancel()
            self._call = None

    def _startAll(self) -> None:
        self._call = None
        timers, self._timers = self._timers, {}
        # Earliest first: if the reactor is late, several of them are due.
        for timer in sorted(timers, key=lambda timer: timer.at):
            timer.start()


class Timer:
    """
    Fires at the earliest of its requested times. If the reactor itself is late, the reactor reads input first.

    @ivar at: the earliest requested time, in seconds by the clock; infinity if there is none.
    """

    __slots__ = ("_call", "_clock", "_delayed", "_unstarted", "at")

    def __init__(
        self, clock: IReactorTime, call: Callable[[float], object], unstarted: UnstartedTimers | None = None
    ) -> None:
        """
        @param call: called with the time, in seconds by the clock.
        @param unstarted: starts the timer later, if its first time is late enough.
        """
        self._clock = clock
        self._call = call
        self._unstarted = unstarted
        self._delayed: IDelayedCall | None = None
        self.at = math.inf

    def fireBy(self, at: float) -> None:
        """
        Fire at this time or earlier.
        """
        if at < self.at:
            isNew, self.at = self.at == math.inf, at
            if isNew and self._unstarted is not None and at > self._clock.seconds() + START_DELAY:
                self._unstarted.add(self, self._clock)
            else:
                self.start()

    def start(self) -> None:
        """
        Make the delayed call.
        """
        if self._unstarted is not None:
            self._unstarted.discard(self)
            self._unstarted = None
        if self._delayed is not None:
            # Not reset(): for an earlier time Twisted searches its whole heap of timers.
            self._delayed.cancel()
        self._delayed = self._clock.callLater(max(0.0, self.at - self._clock.seconds()), self._fire)

    def _fire(self) -> None:
        # A Clock, which tests advance, reads no input between two calls.
        if self._clock.seconds() - self.at > MAX_LATENESS and isinstance(self._clock, ReactorBase):
            # self.at does not change: until the call, fireBy() with a later time does nothing.
            self._delayed = self._clock.callLater(READ_DELAY, self._callNow)
        else:
            self._callNow()

    def _callNow(self) -> None:
        # The clock may be a rounding error before the requested time.
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
        if self._unstarted is not None:
            self._unstarted.discard(self)
        self.at, self._call = -math.inf, _nothing


class DefaultClock:
    """
    A mixin for a clock that is the global reactor by default.
    """

    _clock: IReactorTime | None

    @cached_property
    def clock(self) -> IReactorTime:
        """
        The clock of all deadlines and rates. The global reactor is imported when it is needed: the import installs it.
        """
        if self._clock is not None:
            return self._clock
        from twisted.internet import reactor

        return IReactorTime(reactor)


def _nothing(now: float) -> None:
    pass
