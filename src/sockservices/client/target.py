"""
Where to ask, as a URL: C{tcp://127.0.0.1:8007}, C{udp://[::1]:8007}, C{unix:///run/echo.sock}, C{unixgram://@echo}.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Any, NamedTuple

from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
)
from twisted.internet.interfaces import IStreamClientEndpoint

from sockservices.conversation.transport import Transport
from sockservices.text.addresses import hostPort
from sockservices.transports.bindings import UnixBinding

__all__ = ["Target", "target"]

WANTED = "tcp://HOST:PORT, udp://HOST:PORT, unix:///PATH or unixgram:///PATH is wanted"


class Target(NamedTuple):
    """
    Where to ask.

    @ivar transport: C{"tcp"}, C{"udp"}, C{"unix"} or C{"unixgram"}.
    @ivar address: host and port, or the path of a Unix socket (C{@name} in the abstract namespace).
    """

    transport: str
    address: tuple[str, int] | str

    @property
    def stream(self) -> bool:
        """
        Whether there are conversations there, and not datagrams.
        """
        return self.transport in ("tcp", "unix")

    def endpoint(self, reactor: Any) -> IStreamClientEndpoint:
        """
        The way to a stream.
        """
        if isinstance(self.address, str):
            path = self.address
            return UNIXClientEndpoint(reactor, "\0" + path[1:] if path.startswith("@") else path)
        host, port = self.address
        version = _version(host)
        if version is None:
            return HostnameEndpoint(reactor, host, port)
        return (TCP4ClientEndpoint if version == 4 else TCP6ClientEndpoint)(reactor, host, port)

    def __str__(self) -> str:
        where = self.address if isinstance(self.address, str) else hostPort(*self.address)
        return f"{self.transport}://{where}"


def target(url: str) -> Target:
    """
    Read a URL.

    @raise ValueError: in one line that says what would be right.
    """
    transport, separator, where = url.partition("://")
    if not separator or transport not in ("tcp", "udp", "unix", "unixgram"):
        raise ValueError(f"{url!r}: {WANTED}")
    try:
        if transport in ("unix", "unixgram"):
            return Target(transport, UnixBinding(Transport(transport), where).path)
        return Target(transport, _hostPort(where))
    except ValueError as fault:
        raise ValueError(f"{url!r}: {fault}") from None


def _hostPort(where: str) -> tuple[str, int]:
    said = re.fullmatch(r"(?:\[([^\]]+)\]|([^:/\[\]\s]+)):([^:/]*)/?", where)
    if said is None or not where.isprintable() or _version(said[1] or "::") != 6:
        raise ValueError("HOST:PORT is wanted, and an IPv6 address in brackets")
    if not re.fullmatch("[0-9]{1,5}", said[3]) or not 0 < int(said[3]) < 65536:
        raise ValueError(f"port {said[3]!r}: 1 to 65535 is wanted")
    return said[1] or said[2], int(said[3])


def _version(host: str) -> int | None:
    try:
        return ip_address(host.partition("%")[0]).version
    except ValueError:
        return None
