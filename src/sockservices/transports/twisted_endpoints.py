"""
Twisted's own endpoints, over the listening ports of this package.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorTime, IStreamServerEndpoint
from twisted.internet.posixbase import PosixReactorBase

from sockservices.conversation.transport import Transport
from sockservices.transports.bindings import InetBinding
from sockservices.transports.endpoints import StreamEndpoint
from sockservices.transports.reactor import Reactor

__all__ = ["twistedEndpoint"]


class _ListeningReactor:
    """
    A reactor whose TCP ports are those of this package: a connection that a wrapper such as TLS cannot set up is
    closed, with one line in the log and no traceback.
    """

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = "") -> IListeningPort:
        """
        Listen for connections.
        """
        return StreamEndpoint(self._reactor, InetBinding(Transport.TCP, port, interface or "0.0.0.0")).start(factory)

    def listenSSL(
        self, port: int, factory: IProtocolFactory, contextFactory: Any, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """
        Listen for TLS connections.
        """
        from twisted.protocols.tls import TLSMemoryBIOFactory  # It needs pyOpenSSL.

        return self.listenTCP(
            port, TLSMemoryBIOFactory(contextFactory, False, factory, IReactorTime(self._reactor)), backlog, interface
        )


def twistedEndpoint(reactor: Reactor, text: str) -> IStreamServerEndpoint:
    """
    The endpoint that a string of Twisted's describes.

    @raise ValueError: when Twisted does not know the string; it raises many kinds of exceptions.
    """
    try:
        # A reactor that is no real one, as in unit tests, listens itself.
        real = isinstance(reactor, PosixReactorBase)
        endpoint: IStreamServerEndpoint = serverFromString(_ListeningReactor(reactor) if real else reactor, text)
    except Exception as error:
        expected = "expected tcp:PORT, unix:PATH, systemd:NAME or a server endpoint string of Twisted"
        raise ValueError(f"{text!r}: {error or type(error).__name__}; {expected}") from error
    return endpoint
