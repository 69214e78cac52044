"""
The limits of a server.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

__all__ = ["Policy"]


def _limit(default: Any, unit: str, text: str) -> Any:
    """
    A field with what the command line says of it: its unit and its meaning.
    """
    return field(default=default, metadata={"unit": unit, "text": text})


@dataclass(frozen=True, kw_only=True)
class Policy:
    """
    Every limit, as one value. A number of 0 switches its limit off, but C{drain=0} ends at once.

    The limits on one source (an IPv4 address, an IPv6 /64) may be L{None}: then they have their default and sources on
    the loopback interface are exempt. A number holds for every source.

    @raise ValueError: when a number is negative, not finite, or no number, or has a fraction where things are counted.
    """

    timeout: float | None = _limit(
        None, "seconds", "to the first message, in place of the responder's own (welcome: 5)"
    )
    maxConnections: int = _limit(1024, "connections", "in all")
    maxPerSource: int | None = _limit(None, "connections", "from one source (64, and any number from loopback)")
    maxRate: int | None = _limit(
        None, "new connections a second", "from one source, and a burst of twice as many (50; any from loopback)"
    )
    idleTimeout: float = _limit(300.0, "seconds", "that a peer may be silent while it is owed nothing")
    stallTimeout: float = _limit(30.0, "seconds", "that a peer may take nothing of what it is owed")
    closeGrace: float = _limit(5.0, "seconds", "that it may take nothing of the last words")
    drain: float = _limit(10.0, "seconds", "to end conversations when the server stops; 0 ends them at once")
    udpRate: int | None = _limit(
        None, "replies a second", "to datagrams of one source, and a burst of twice as many (20; any to loopback)"
    )
    udpMax: int = _limit(65527, "bytes", "of the longest datagram that is answered")
    udpRfcSize: bool = False

    def __post_init__(self) -> None:
        """
        Refuse what is no limit.
        """
        for limit in fields(self):
            value = getattr(self, limit.name)
            if limit.name == "udpRfcSize" or (value is None and limit.default is None):
                continue
            counted = str(limit.type).startswith("int")
            number = isinstance(value, int if counted else (int, float)) and not isinstance(value, bool)
            if not number or not 0 <= value < math.inf:
                raise ValueError(f"{limit.name}={value!r}: a {'whole ' * counted}number of 0 or more is wanted")
