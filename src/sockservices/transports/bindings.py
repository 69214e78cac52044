"""
Bindings: the addresses of listeners, as values and as strings such as C{tcp:8007:interface=0.0.0.0}, C{udp:8007},
C{unix:/run/echo.sock:mode=660} and C{systemd:echo}.
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

#: Maximum number of connections that wait to be accepted (listen(2)); the kernel lowers it to somaxconn.
BACKLOG = 1024

#: The prefix of a binding whose connections begin with a PROXY header, as in Twisted's endpoint strings.
PROXY_PREFIX = "haproxy:"

#: Maximum length of a path in bytes: C{sun_path} has 108 bytes with the final NUL (unix(7)).
MAX_PATH = 107


def portNumber(text: str) -> int:
    """
    Parse the number of a port.

    @raise ValueError: when the text is not a decimal number from 0 to 65535.
    """
    if re.fullmatch(r"[0-9]{1,5}", text) and int(text) <= 65535:
        return int(text)
    raise ValueError(f"port {text!r}: expected 0 to 65535; 0 is any free port")


class Binding:
    """
    The address of one listener.

    @ivar transport: the transport; L{None} for an inherited socket, whose type is known only after it is adopted.
    @ivar proxyHeader: whether each connection begins with a PROXY header.
    """

    transport: Transport | None
    proxyHeader: bool

    @property
    def stream(self) -> bool:
        """
        Whether the listener may accept connections.
        """
        return self.transport is None or self.transport.isStream

    @property
    def datagrams(self) -> bool:
        """
        Whether the listener may receive datagrams.
        """
        return self.transport is None or not self.transport.isStream

    def listen(self, reactor: Any, factoryOrProtocol: Any) -> IListeningPort:
        """
        Listen through the listen method of a reactor that cannot adopt a socket, such as a fake reactor in a test.

        @param factoryOrProtocol: the factory for a stream binding, the protocol for a datagram binding.
        @raise ValueError: when the reactor has no such method.
        """
        raise ValueError("this reactor cannot adopt sockets")


@dataclass(frozen=True)
class InetBinding(Binding):
    """
    An IP address and a TCP or UDP port.

    @raise ValueError: when the interface is not an IP address; host names are not resolved.
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
        Listen through the reactor's own listen method.
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
    @raise ValueError: when the path is empty, contains a NUL, or is longer than L{MAX_PATH}.
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
        Listen through the reactor's own listen method.
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
    All sockets that the service manager passed under a name (sd_listen_fds(3)), of any transport.
    """

    name: str
    proxyHeader: bool = False
    transport = None

    def __str__(self) -> str:
        return f"systemd:{self.name}"


#: One part of a binding string: escaped characters, an address in brackets, and any characters except colons.
_PART = re.compile(r"(?:^|:)((?:\\.|\[[^\]]*\]|[^:\\]|\\\Z)*)", re.DOTALL)


def parse(text: str) -> Binding | None:
    r"""
    Parse a binding string. As in Twisted's endpoint strings, colons separate the parts, and C{\:} is a literal colon.
    Colons in brackets, as in C{[::1]}, are literal too.

    @return: L{None} when the kind is none of this module's; it may be a kind of Twisted's endpoint strings.
    @raise ValueError: when the arguments are not valid for the kind.
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
    Make a binding from arguments, and remove from the dictionary those that it uses.
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
