"""
Where to listen, as strings and values: C{tcp:8007:interface=0.0.0.0}, C{udp:8007}, C{unix:/run/echo.sock:mode=660},
C{systemd:echo}.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

from twisted.internet.interfaces import IListeningPort

from sockservices.conversation.transport import Transport
from sockservices.text.addresses import hostPort

__all__ = ["BACKLOG", "LOOPBACK", "Binding", "InetBinding", "SystemdBinding", "UnixBinding", "parse", "portNumber"]

#: The default interface.
LOOPBACK = "127.0.0.1"

#: Connections that may wait to be accepted; the kernel takes the lower of this and somaxconn.
BACKLOG = 1024

#: The prefix of a binding whose connections begin with a PROXY header, as with Twisted's endpoint strings.
PROXY_PREFIX = "haproxy:"

#: Bytes of the longest path: C{sun_path} has 108 bytes with its final NUL (unix(7)).
MAX_PATH = 107


def portNumber(text: str) -> int:
    """
    The number of a port.

    @raise ValueError: for a text that is no number from 0 to 65535.
    """
    if re.fullmatch(r"[0-9]{1,5}", text) and int(text) <= 65535:
        return int(text)
    raise ValueError(f"port {text!r}: expected 0 to 65535; 0 is any free port")


class Binding:
    """
    Where one listener listens.

    @ivar transport: its transport; L{None} where only the socket itself knows.
    @ivar proxyHeader: whether each connection begins with a PROXY header.
    """

    transport: Transport | None
    proxyHeader: bool

    @property
    def stream(self) -> bool:
        """
        Whether it takes connections.
        """
        return self.transport is None or self.transport.isStream

    @property
    def datagrams(self) -> bool:
        """
        Whether it takes datagrams.
        """
        return self.transport is None or not self.transport.isStream

    def listen(self, reactor: Any, factoryOrProtocol: Any) -> IListeningPort:
        """
        Have a reactor listen that opens sockets itself, or only pretends to.

        @param factoryOrProtocol: the factory of connections, or the protocol of datagrams.
        @raise ValueError: when that is not possible.
        """
        raise ValueError("this reactor cannot adopt sockets")


@dataclass(frozen=True)
class InetBinding(Binding):
    """
    An address and port, TCP or UDP.

    @raise ValueError: when the interface is no IP address: a name would have to be resolved.
    """

    transport: Transport
    port: int
    interface: str = LOOPBACK
    proxyHeader: bool = False

    def __post_init__(self) -> None:
        try:
            ip_address(self.interface.partition("%")[0])
        except ValueError:
            raise ValueError(f"interface {self.interface!r}: expected an IP address, such as 127.0.0.1 or ::") from None

    def __str__(self) -> str:
        return f"{self.transport}:{hostPort(self.interface, self.port)}"

    def listen(self, reactor: Any, factoryOrProtocol: Any) -> IListeningPort:
        """
        Have a reactor listen.
        """
        port: IListeningPort
        if self.stream:
            port = reactor.listenTCP(self.port, factoryOrProtocol, BACKLOG, self.interface)
        else:
            port = reactor.listenUDP(self.port, factoryOrProtocol, self.interface)
        return port


@dataclass(frozen=True)
class UnixBinding(Binding):
    """
    The path of a Unix socket; C{@name} is in Linux's abstract namespace.

    @ivar mode: the permissions of the file.
    @raise ValueError: when there is no path, or it is too long for the kernel.
    """

    transport: Transport
    path: str
    mode: int = 0o600
    proxyHeader: bool = False

    def __post_init__(self) -> None:
        if not self.path or "\0" in self.path:
            raise ValueError(f"path {self.path!r}: expected the path of a socket, or @name")
        length = len(os.fsencode(self.path))
        if length > MAX_PATH:
            raise ValueError(f"path {self.path!r}: expected at most {MAX_PATH} bytes, not {length}")

    def __str__(self) -> str:
        return f"{self.transport}:{self.path}"

    def listen(self, reactor: Any, factoryOrProtocol: Any) -> IListeningPort:
        """
        Have a reactor listen.
        """
        port: IListeningPort
        if self.stream:
            port = reactor.listenUNIX(self.path, factoryOrProtocol, BACKLOG, self.mode)
        else:
            port = reactor.listenUNIXDatagram(self.path, factoryOrProtocol, mode=self.mode)
        return port


@dataclass(frozen=True)
class SystemdBinding(Binding):
    """
    All sockets of a name that the service manager has opened (sd_listen_fds(3)), whatever their transports.
    """

    name: str
    proxyHeader: bool = False
    transport = None

    def __str__(self) -> str:
        return f"systemd:{self.name}"


#: One part of the string: escaped characters, an address in brackets, anything but a colon.
_PART = re.compile(r"(?:^|:)((?:\\.|\[[^\]]*\]|[^:\\]|\\\Z)*)", re.DOTALL)


def parse(text: str) -> Binding | None:
    r"""
    Parse the string of a binding. As in Twisted's endpoint strings, C{\:} is a colon; so is one inside of C{[::1]}.

    @return: L{None} when the kind is not one of ours, so that it may be one of Twisted's.
    @raise ValueError: when it is, but its arguments are wrong.
    """
    if text.startswith(PROXY_PREFIX):
        return _parseWithProxyHeader(text)
    kind, *parts = _PART.findall(text)
    if kind not in (*Transport, "systemd"):
        return None
    positional = {"tcp": "port", "udp": "port", "systemd": "name"}.get(kind, "path")
    arguments: dict[str, str] = {}
    for number, part in enumerate(parts):
        name, equals, value = part.partition("=")
        if not (equals and name.isidentifier()):
            if number:
                raise ValueError(f"{_unescape(part)!r}: expected NAME=VALUE; put an IPv6 address in brackets")
            name, value = positional, part
        if name in arguments:
            raise ValueError(f"{name!r}: expected once, not twice")
        arguments[name] = _unescape(value)
    if positional not in arguments:
        raise ValueError(f"{kind}: the {positional} is missing")
    binding = _makeBinding(kind, arguments)
    if arguments:
        raise ValueError(f"{next(iter(arguments))!r}: {kind} has no such argument")
    return binding


def _parseWithProxyHeader(text: str) -> Binding | None:
    binding: Any = parse(text.removeprefix(PROXY_PREFIX))
    if binding is None:
        return None
    if not binding.stream:
        raise ValueError(f"{text!r}: expected haproxy:tcp:PORT or haproxy:unix:PATH; datagrams have no PROXY header")
    proxied: Binding = replace(binding, proxyHeader=True)
    return proxied


def _unescape(part: str) -> str:
    return re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL)


def _makeBinding(kind: str, arguments: dict[str, str]) -> Binding:
    """
    Make a binding of its arguments, and remove those that it uses.
    """
    if kind == "systemd":
        return SystemdBinding(arguments.pop("name"))
    transport = Transport(kind)
    if transport.isInet:
        port, interface = portNumber(arguments.pop("port")), arguments.pop("interface", LOOPBACK)
        return InetBinding(transport, port, interface.strip("[]"))
    path, mode = arguments.pop("path"), arguments.pop("mode", "600")
    if not re.fullmatch(r"0?[0-7]{3}", mode):
        raise ValueError(f"mode {mode!r}: expected three octal digits, such as 660")
    return UnixBinding(transport, path, int(mode, 8))
