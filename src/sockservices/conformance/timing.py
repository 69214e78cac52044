"""
The timeouts of a check, and the intervals between its requests.
"""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

__all__ = ["Throttle", "Timing"]


@dataclass(frozen=True)
class Timing:
    """
    The timeouts of a check, and the intervals between its requests, in seconds.

    @ivar responseTimeout: the maximum wait for a connection, for a reply, and for the next segment of a reply.
    @ivar welcomeDeadline: the silence after which C{welcome} closes.
    @ivar connectionInterval: the time between two connections. Servers limit the rate: inetd and xinetd disable a
        service that gets too many, and this project's server refuses more than 50 a second from one source.
    @ivar datagramInterval: the time between two datagrams. This project's server sends 20 replies a second to a source.
    """

    responseTimeout: float = 2.0
    welcomeDeadline: float = 5.0
    connectionInterval: float = 0.025
    datagramInterval: float = 0.1

    @property
    def quietPeriod(self) -> float:
        """
        How long to wait where no data is expected. Short, because the check of a correct server waits as long.
        """
        return self.responseTimeout / 4


class Throttle:
    """
    Spaces out the requests that share it.
    """

    def __init__(self, clock: IReactorTime, interval: float) -> None:
        """
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
