"""
A minimum interval between the requests to one host.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

__all__ = ["Throttle"]


class Throttle:
    """
    Spaces out the requests that share it.
    """

    def __init__(self, clock: IReactorTime, interval: float) -> None:
        """
        @param clock: an L{IReactorTime<twisted.internet.interfaces.IReactorTime>}.
        @param interval: the minimum time between two requests, in seconds.
        """
        self._clock = clock
        self._interval = interval
        self._nextTime = 0.0

    def wait(self) -> Deferred[None]:
        """
        Wait until the next request may be sent. Waiting callers go in the order of their calls.
        """
        now = self._clock.seconds()
        scheduled = max(now, self._nextTime)
        self._nextTime = scheduled + self._interval
        return deferLater(self._clock, scheduled - now, lambda: None)
