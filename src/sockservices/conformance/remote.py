"""
What the cases use of a service over either transport.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from sockservices.conformance.throttle import Throttle
from sockservices.conformance.timing import Timing

__all__ = ["Remote"]


class Remote:
    """
    A service over one transport.

    @ivar transport: C{"tcp"} or C{"udp"}.
    @ivar address: IP address and port.
    @ivar responded: whether the service has ever responded: over TCP by a connection, over UDP by a reply.
    """

    transport: str

    def __init__(
        self,
        address: tuple[str, int],
        *,
        reactor: IReactorTime,
        throttle: Throttle,
        timing: Timing,
        now: Callable[[], float],
    ) -> None:
        """
        @param throttle: shared by all connections, or all datagrams, to one host.
        @param now: the time in seconds since 1970-01-01 00:00 UTC.
        """
        self.address = address
        self._reactor = reactor
        self._throttle = throttle
        self._now = now
        self.timing = timing
        self.responded = False
