"""
Twisted's endpoint strings, whose TCP endpoints listen through the ports of this package.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.posixbase import PosixReactorBase

from sockservices.conversation.transport import Transport
from sockservices.transports.bindings import InetBinding
from sockservices.transports.endpoints import StreamEndpoint
from sockservices.transports.reactor import Reactor

__all__ = ["twistedEndpoint"]


class _ListeningReactor:
    """
    A wrapper around a reactor. Its TCP ports are those of this package, which close a connection when a wrapper such as
    TLS cannot set it up, and log one line instead of a traceback.

    @ivar realReactor: the reactor. The endpoints of this package listen with it.
    """

    def __init__(self, reactor: Reactor) -> None:
        self.realReactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self.realReactor, name)

    def listenTCP(self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = "") -> IListeningPort:
        """
        Listen for TCP connections.
        """
        interface = interface or "0.0.0.0"
        if not (isIPAddress(interface) or isIPv6Address(interface)):
            reactor: Any = self.realReactor
            listening: IListeningPort = reactor.listenTCP(port, factory, backlog, interface)
            return listening
        return StreamEndpoint(self.realReactor, InetBinding(Transport.TCP, port, interface)).listenNow(factory)

    def listenSSL(
        self, port: int, factory: IProtocolFactory, contextFactory: Any, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """
        Listen for TLS connections.
        """
        from twisted.protocols.tls import TLSMemoryBIOFactory  # This import needs pyOpenSSL.

        wrapped = TLSMemoryBIOFactory(contextFactory, False, factory, IReactorTime(self.realReactor))
        return self.listenTCP(port, wrapped, backlog, interface)


def twistedEndpoint(reactor: Reactor, text: str) -> IStreamServerEndpoint:
    """
    Parse an endpoint string of Twisted's.

    @raise ValueError: in place of every exception that Twisted raises for a string that it cannot parse.
    """
    try:
        # A fake reactor in a unit test has no real sockets and listens itself.
        real = isinstance(reactor, PosixReactorBase)
        endpoint: IStreamServerEndpoint = serverFromString(_ListeningReactor(reactor) if real else reactor, text)
    except Exception as error:
        expected = "expected tcp:PORT, unix:PATH, systemd:NAME or a server endpoint string of Twisted"
        raise ValueError(f"{text!r}: {error or type(error).__name__}; {expected}") from error
    return endpoint
