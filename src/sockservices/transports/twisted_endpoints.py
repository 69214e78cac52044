"""
Twisted's endpoint strings, whose TCP endpoints listen through the ports of this package.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from sockservices.conversation.transport import Transport
from sockservices.transports.bindings import InetBinding
from sockservices.transports.endpoint_forms import endpointError
from sockservices.transports.endpoints import Endpoint, StreamEndpoint
from sockservices.transports.listening_port import ListeningPort
from sockservices.transports.reactor import Reactor
from sockservices.transports.sockets import BoundSocket, openSockets

__all__ = ["SharedEndpoint", "twistedEndpoint"]


class _ListeningReactor:
    """
    A wrapper around a reactor. Its TCP ports are those of this package, which close a connection when a wrapper such as
    TLS cannot set it up, and log one line instead of a traceback.

    @ivar realReactor: the reactor. The endpoints of this package listen with it.
    @ivar bound: a socket that is open already, for the next TCP port; or L{None}.
    """

    def __init__(self, reactor: Reactor, bound: BoundSocket | None = None) -> None:
        self.realReactor = reactor
        self.bound = bound

    def __getattr__(self, name: str) -> Any:
        return getattr(self.realReactor, name)

    def listenTCP(self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = "") -> IListeningPort:
        """
        Listen for TCP connections.
        """
        interface = interface or "0.0.0.0"
        bound, self.bound = self.bound, None
        if bound is None and not (isIPAddress(interface) or isIPv6Address(interface)):
            reactor: Any = self.realReactor
            listening: IListeningPort = reactor.listenTCP(port, factory, backlog, interface)
            return listening
        binding = InetBinding(Transport.TCP, port, interface)
        return StreamEndpoint(self.realReactor, binding, bound).listenNow(factory)

    def listenSSL(
        self, port: int, factory: IProtocolFactory, contextFactory: Any, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """
        Listen for TLS connections.
        """
        from twisted.protocols.tls import TLSMemoryBIOFactory  # This import needs pyOpenSSL.

        wrapped = TLSMemoryBIOFactory(contextFactory, False, factory, IReactorTime(self.realReactor))
        return self.listenTCP(port, wrapped, backlog, interface)


class _OpeningReactor(_ListeningReactor):
    """
    A wrapper around a reactor that opens the socket of one TCP port, and accepts no connections from it.
    """

    def listenTCP(self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = "") -> IListeningPort:
        """
        Open the socket.

        @raise ValueError: for the name of a host, and for a second port.
        """
        if self.bound is not None:
            raise ValueError("expected an endpoint with one port")
        (self.bound,) = openSockets(InetBinding(Transport.TCP, port, interface or "0.0.0.0"))
        return ListeningPort(self.bound, factory, self.realReactor)


@implementer(IStreamServerEndpoint)
class SharedEndpoint(Endpoint):
    """
    An endpoint of Twisted's whose socket several processes serve: one opens it, others listen.
    """

    def __init__(self, reactor: Reactor, text: str, bound: BoundSocket | None = None) -> None:
        """
        @param bound: the socket, in a process that listens.
        @raise ValueError: as L{twistedEndpoint} does.
        """
        self._wrapper = _OpeningReactor(reactor) if bound is None else _ListeningReactor(reactor, bound)
        self._endpoint = _parse(self._wrapper, text)
        self._bound = bound

    def open(self) -> None:
        """
        Open the socket.

        @raise OpenError: when the socket cannot be opened.
        @raise ValueError: when the endpoint does not listen on one TCP port of the reactor.
        """
        if self._bound is not None:
            return
        results: list[Any] = []
        # Without effect when the Deferred has fired, as those of Twisted's own endpoints have.
        maybeDeferred(self._endpoint.listen, Factory.forProtocol(Protocol)).addBoth(results.append).cancel()
        (result,) = results
        self._bound = self._wrapper.bound
        if isinstance(result, Failure) and not result.check(CancelledError):
            result.raiseException()
        if self._bound is None or isinstance(result, Failure):
            if IListeningPort.providedBy(result):
                result.stopListening()
            raise ValueError("expected --workers 1, or an endpoint that listens on one TCP port, such as ssl:PORT")

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """
        Start listening.
        """
        self._bound = None
        return self._endpoint.listen(factory)


def twistedEndpoint(reactor: Reactor, text: str) -> IStreamServerEndpoint:
    """
    Parse an endpoint string of Twisted's.

    @raise ValueError: in place of every exception that Twisted raises for a string that it cannot parse.
    """
    # A fake reactor in a unit test has no real sockets and listens itself.
    return _parse(_ListeningReactor(reactor) if isinstance(reactor, PosixReactorBase) else reactor, text)


def _parse(reactor: Any, text: str) -> IStreamServerEndpoint:
    try:
        endpoint: IStreamServerEndpoint = serverFromString(reactor, text)
    except Exception as error:
        raise endpointError(text, error) from error
    return endpoint
