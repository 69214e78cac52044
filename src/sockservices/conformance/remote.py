"""
What the cases use of a service over either transport.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from twisted.internet.interfaces import IReactorTime

from sockservices.conformance.timing import Throttle, Timing

__all__ = ["Remote"]


@dataclass
class Remote:
    """
    A service over one transport.

    @cvar transport: C{"tcp"} or C{"udp"}.
    @ivar address: IP address and port.
    @ivar throttle: shared by all connections, or all datagrams, to one host.
    @ivar now: the time in seconds since 1970-01-01 00:00 UTC.
    @ivar responded: whether the service has ever responded: over TCP by a connection, over UDP by a reply.
    """

    transport: ClassVar[str]

    address: tuple[str, int]
    reactor: IReactorTime
    throttle: Throttle
    timing: Timing
    now: Callable[[], float]
    responded: bool = False
