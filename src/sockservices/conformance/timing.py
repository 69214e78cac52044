"""
The timeouts of a check, and the intervals between its requests.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Timing"]


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
