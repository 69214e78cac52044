"""
Bindings: the addresses of listeners.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from twisted.internet.interfaces import IListeningPort

from sockservices.conversation.transport import Transport
from sockservices.text.addresses import hostPort

__all__ = ["BACKLOG", "LOOPBACK", "MAX_PORT", "Binding", "InetBinding", "SystemdBinding", "UnixBinding"]

#: The default interface.
LOOPBACK = "127.0.0.1"

#: Maximum number of connections that wait to be accepted (listen(2)); the kernel lowers it to somaxconn.
BACKLOG = 1024

#: The highest number of a port. getaddrinfo(3) takes a higher one modulo 65536.
MAX_PORT = 65535

#: Maximum length of a path in bytes: C{sun_path} has 108 bytes with the final NUL (unix(7)).
MAX_PATH = 107


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

    @raise ValueError: when the port is not 0 to L{MAX_PORT}, or the interface is not an IP address; host names are not
        resolved.
    """

    transport: Transport
    port: int
    interface: str = LOOPBACK
    proxyHeader: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.port <= MAX_PORT:
            raise ValueError(f"port {self.port}: expected 0 to {MAX_PORT}; 0 is any free port")
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
