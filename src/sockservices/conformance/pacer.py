"""
The pace at which a host is asked.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

__all__ = ["Pacer"]


class Pacer:
    """
    Gives those who ask it their turns, one after the other.
    """

    def __init__(self, clock: Any, interval: float) -> None:
        """
        @param clock: an L{IReactorTime<twisted.internet.interfaces.IReactorTime>}.
        @param interval: the seconds from one turn to the next.
        """
        self._clock = clock
        self._interval = interval
        self._next = 0.0

    def turn(self) -> Deferred[None]:
        """
        Wait for a turn.
        """
        now = self._clock.seconds()
        turn = max(now, self._next)
        self._next = turn + self._interval
        return deferLater(self._clock, turn - now, lambda: None)
