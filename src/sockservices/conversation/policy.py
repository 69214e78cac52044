"""
The limits of a server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import Any

__all__ = ["MAX_LIMIT", "Policy", "optionName"]

#: Defaults of the limits per source: open connections, new connections per second, replies to datagrams per second.
DEFAULT_MAX_PER_SOURCE, DEFAULT_MAX_RATE, DEFAULT_UDP_RATE = 64, 50, 20

#: The default burst of replies to a Unix source.
DEFAULT_UNIX_BURST = 10_000

#: The maximum value of a limit: no system call accepts more seconds or bytes.
MAX_LIMIT = 10**9


def optionName(limit: str) -> str:
    """
    The option of a limit: C{--max-connections} for C{maxConnections}.
    """
    return "--" + re.sub("[A-Z]", lambda letter: "-" + letter.group().lower(), limit)


def _limit(default: Any, unit: str, text: str, whole: bool = False) -> Any:
    """
    A field with its description for --help: the unit, and the text that follows the unit.

    @param whole: whether the value is an integer.
    """
    return field(default=default, metadata={"unit": unit, "text": text, "whole": whole})


@dataclass(frozen=True, kw_only=True)
class Policy:
    """
    The limits of a listener. 0 switches a limit off, except C{drain=0}, which ends conversations at once.

    A source is an IPv4 address, an IPv6 /64 or the path of a Unix datagram socket. L{None} is the default of a limit
    per source, which exempts loopback addresses. A number limits loopback addresses too.

    @raise ValueError: for a value that is not a number from 0 to L{MAX_LIMIT}, or, for a limit that is a count, not an
        integer.
    """

    timeout: float | None = _limit(
        None, "seconds", "until the first message must arrive, in place of the service's own limit (welcome: 5)"
    )
    maxConnections: int = _limit(1024, "connections", "that may be open at once", whole=True)
    maxPerSource: int | None = _limit(
        None,
        "connections",
        f"that may be open at once from one IPv4 address or IPv6 /64 [default: {DEFAULT_MAX_PER_SOURCE}, no limit for "
        "loopback]",
        whole=True,
    )
    maxRate: int | None = _limit(
        None,
        "new connections per second",
        "from one IPv4 address or IPv6 /64, after a burst of twice as many "
        f"[default: {DEFAULT_MAX_RATE}, no limit for loopback]",
        whole=True,
    )
    idleTimeout: float = _limit(300.0, "seconds", "without data in either direction until a connection is closed")
    stallTimeout: float = _limit(
        60.0, "seconds", "without an acknowledgement of pending data until a connection is reset"
    )
    closeGrace: float = _limit(
        5.0, "seconds", "until a closing connection whose peer has all data, but does not end, is reset"
    )
    drain: float = _limit(10.0, "seconds", "for open conversations to end at shutdown; 0 ends them at once")
    udpRate: int | None = _limit(
        None,
        "replies per second",
        "to the datagrams of one source, after a burst of twice as many "
        f"[default: {DEFAULT_UDP_RATE}, no limit for loopback, a burst of {DEFAULT_UNIX_BURST} for a Unix socket]",
        whole=True,
    )
    udpMax: int = _limit(65527, "bytes", "in the longest datagram that is answered", whole=True)
    udpRfcSize: bool = False

    def __post_init__(self) -> None:
        """
        Check each limit.
        """
        for limit in fields(self):
            value = getattr(self, limit.name)
            if not limit.metadata or (value is None and limit.default is None):
                continue
            whole = limit.metadata["whole"]
            number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
            if not (number and 0 <= value <= MAX_LIMIT):
                kind = "whole number" if whole else "number"
                raise ValueError(f"{limit.name}={value!r}: expected a {kind} from 0 to {MAX_LIMIT}")
