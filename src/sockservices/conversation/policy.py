"""
The limits of a server.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

__all__ = ["Policy"]


#: The limits on one source, where they are left open: connections, new ones a second, replies to datagrams a second.
PER_SOURCE, RATE, UDP_RATE = 64, 50, 20

#: The most that any number may be: no call into the kernel takes a second, or a byte, for each of many more.
MOST = 10**9


def _limit(default: Any, unit: str, text: str, whole: bool = False) -> Any:
    """
    A field with what the command line says of it: its unit and its meaning.
    """
    return field(default=default, metadata={"unit": unit, "text": text, "whole": whole})


@dataclass(frozen=True, kw_only=True)
class Policy:
    """
    Every limit, as one value. A number of 0 switches its limit off, but C{drain=0} ends at once.

    The limits on one source (an IPv4 address, an IPv6 /64) may be L{None}: then they have their default and sources on
    the loopback interface are exempt. A number holds for every source.

    @raise ValueError: when a number is negative, over 10**9, or no number, or has a fraction where things are counted.
    """

    timeout: float | None = _limit(
        None, "seconds", "to the first message, in place of the responder's own (welcome: 5)"
    )
    maxConnections: int = _limit(1024, "connections", "in all", whole=True)
    maxPerSource: int | None = _limit(
        None, "connections", f"from one source ({PER_SOURCE}, and any number from loopback)", whole=True
    )
    maxRate: int | None = _limit(
        None,
        "new connections a second",
        f"from one source, and a burst of twice as many ({RATE}; any from loopback)",
        whole=True,
    )
    idleTimeout: float = _limit(300.0, "seconds", "that a peer may be silent while it is owed nothing")
    stallTimeout: float = _limit(30.0, "seconds", "that a peer may take nothing of what it is owed")
    closeGrace: float = _limit(5.0, "seconds", "that a peer may take nothing of the last words")
    drain: float = _limit(10.0, "seconds", "to end conversations when the server stops; 0 ends them at once")
    udpRate: int | None = _limit(
        None,
        "replies a second",
        f"to datagrams of one source, and a burst of twice as many ({UDP_RATE}; any to loopback)",
        whole=True,
    )
    udpMax: int = _limit(65527, "bytes", "of the longest datagram that is answered", whole=True)
    udpRfcSize: bool = False

    def __post_init__(self) -> None:
        """
        Refuse what is no limit.
        """
        for limit in fields(self):
            value = getattr(self, limit.name)
            if not limit.metadata or (value is None and limit.default is None):
                continue
            whole = limit.metadata["whole"]
            number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
            if not (number and 0 <= value <= MOST):
                raise ValueError(f"{limit.name}={value!r}: a {'whole ' * whole}number from 0 to {MOST} is wanted")
