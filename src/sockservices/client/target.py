"""
The address of a service as a URL: C{tcp://127.0.0.1:8007}, C{udp://[::1]:8007}, C{unix:///run/echo.sock},
C{unixgram://@echo}.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import NamedTuple

from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint, UNIXClientEndpoint
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint

from sockservices.conversation.transport import Transport
from sockservices.text.addresses import hostPort
from sockservices.text.values import quoted
from sockservices.transports.bindings import UnixBinding

__all__ = ["Target", "target", "targets"]

EXPECTED_URL = "expected tcp://HOST:PORT, udp://HOST:PORT, unix:///PATH or unixgram:///PATH"

EXPECTED_PORT = "expected 1 to 65535"


class Target(NamedTuple):
    """
    The address of a service. C{str()} gives its URL.

    @ivar transport: a L{Transport<sockservices.conversation.transport.Transport>}, or its value, such as C{"tcp"}.
    @ivar address: host and port, or the path of a Unix socket (C{@name} in the abstract namespace).
    """

    transport: str
    address: tuple[str, int] | str

    @property
    def stream(self) -> bool:
        """
        Whether the transport is a stream, and not datagrams.
        """
        return Transport(self.transport).isStream

    @property
    def inet(self) -> bool:
        """
        Whether the address is a host and a port, and not the path of a Unix socket.
        """
        return Transport(self.transport).isInet

    def endpoint(self, reactor: IReactorTime) -> IStreamClientEndpoint:
        """
        Make the client endpoint of a stream target.
        """
        if isinstance(self.address, str):
            path = self.address
            return UNIXClientEndpoint(reactor, "\0" + path[1:] if path.startswith("@") else path)
        host, port = self.address
        version = _ipVersion(host)
        if version is None:
            return HostnameEndpoint(reactor, host, port)
        return (TCP4ClientEndpoint if version == 4 else TCP6ClientEndpoint)(reactor, host, port)

    def __str__(self) -> str:
        authority = self.address if isinstance(self.address, str) else hostPort(*self.address)
        return f"{self.transport}://{authority}"


def target(url: str) -> Target:
    """
    Parse a URL.

    @raise ValueError: with one line that gives the URL and the expected form.
    """
    with _addUrl(url):
        return _parse(url)


def targets(url: str) -> list[Target]:
    """
    Parse a URL whose port may be a range, both ends included: C{tcp://127.0.0.1:8000-8010}.

    @return: the targets, in the order of their ports.
    @raise ValueError: with one line that gives the URL and the expected form.
    """
    match = re.fullmatch(r"((?:tcp|udp)://.*):([0-9]{1,5})-([0-9]{1,5})/?", url, re.IGNORECASE | re.DOTALL)
    if match is None:
        try:
            return [target(url)]
        except ValueError as error:
            hint = ", or a range such as 20-25" if str(error).endswith(EXPECTED_PORT) else ""
            raise ValueError(f"{error}{hint}") from None
    base, first, last = match[1], int(match[2]), int(match[3])
    with _addUrl(url):
        for port in (first, last):
            _parse(f"{base}:{port}")
        if first > last:
            raise ValueError(f"ports {first}-{last}: expected FIRST-LAST, FIRST at most LAST")
        return [_parse(f"{base}:{port}") for port in range(first, last + 1)]


@contextmanager
def _addUrl(url: str) -> Iterator[None]:
    """
    Put the URL before the message of a L{ValueError} raised inside.
    """
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{quoted(url)}: {error}") from None


def _parse(url: str) -> Target:
    scheme, separator, address = url.partition("://")
    # A scheme is not case-sensitive (RFC 3986 section 3.1).
    if not separator or scheme.lower() not in [*Transport]:
        raise ValueError(EXPECTED_URL)
    transport = Transport(scheme.lower())
    if transport.isInet:
        return Target(transport, _parseHostPort(address))
    if address and not address.startswith(("/", "@")):
        # Otherwise the first part of a path would stand where a URL has its host.
        raise ValueError(f"expected {transport}:///PATH with an absolute path, or {transport}://@NAME")
    return Target(transport, UnixBinding(transport, address).path)


def _parseHostPort(address: str) -> tuple[str, int]:
    match = re.fullmatch(r"(?:\[([^\]]+)\]|([^:/\[\]\s]+)):([^:/]*)/?", address)
    if match is None or not address.isprintable() or _ipVersion(match[1] or "::") != 6:
        raise ValueError("expected HOST:PORT; put an IPv6 address in brackets")
    bracketed, plain, port = match.groups()
    if not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise ValueError(f"port {quoted(port)}: {EXPECTED_PORT}")
    return bracketed or plain, int(port)


def _ipVersion(host: str) -> int | None:
    try:
        return ip_address(host.partition("%")[0]).version
    except ValueError:
        return None
