"""
Endpoints that listen at the address of a binding.
"""

from __future__ import annotations

import socket
from functools import partial

from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorTime, IStreamServerEndpoint
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.protocol import AbstractDatagramProtocol
from zope.interface import implementer

from sockservices.text.log_interval import LogInterval
from sockservices.transports.batched_udp_port import BatchedUDPPort
from sockservices.transports.bindings import Binding
from sockservices.transports.datagram_port import DatagramPort, UDPPort
from sockservices.transports.interfaces import IRequestProtocol
from sockservices.transports.layered_factory import layered
from sockservices.transports.listening_port import ListeningPort
from sockservices.transports.proxy_layer import ProxyLayer
from sockservices.transports.reactor import Reactor
from sockservices.transports.recvmmsg import recvmmsg
from sockservices.transports.sendmmsg import sendmmsg
from sockservices.transports.sockets import BoundSocket, OpenError, openSockets
from sockservices.transports.stream_port import StreamPort

__all__ = ["DatagramEndpoint", "Endpoint", "StreamEndpoint"]


class Endpoint:
    """
    The base class of endpoints whose L{open} can open the socket before C{listen}: while the process is privileged, and
    before it forks.
    """

    _bound: BoundSocket | None = None

    def open(self) -> None:
        """
        Open the socket.

        @raise OpenError: when the socket cannot be opened.
        """
        raise NotImplementedError

    @property
    def bound(self) -> BoundSocket | None:
        """
        The socket, if it is open and C{listen} has not used it.
        """
        return self._bound

    def close(self) -> None:
        """
        Close the socket, if it is open and C{listen} has not used it.
        """
        if self._bound is not None:
            self._bound.close()
            self._bound = None


class _BindingEndpoint(Endpoint):
    """
    The base class of the endpoints at the address of a binding.

    On a reactor without real sockets, such as a L{MemoryReactor<twisted.internet.testing.MemoryReactor>}, C{listen}
    calls the listen method of the reactor.
    """

    def __init__(self, reactor: Reactor, binding: Binding, bound: BoundSocket | None = None) -> None:
        self._reactor = reactor
        self._binding = binding
        self._bound = bound

    def open(self) -> None:
        """
        Open the socket.

        @raise OpenError: when the socket cannot be opened, or the binding names several inherited sockets.
        """
        if self._bound is None and isinstance(self._reactor, PosixReactorBase):
            sockets = openSockets(self._binding)
            if len(sockets) > 1:
                for bound in sockets:
                    bound.close()
                raise OpenError(self._binding, "there are several sockets of this name")
            (self._bound,) = sockets

    def _claimSocket(self) -> BoundSocket | None:
        self.open()
        bound, self._bound = self._bound, None
        return bound

    def _startPort(self, port: ListeningPort, bound: BoundSocket) -> IListeningPort:
        try:
            port.startListening()
        except Exception:
            bound.close()
            raise
        return port


@implementer(IStreamServerEndpoint)
class StreamEndpoint(_BindingEndpoint):
    """
    Listens for TCP or Unix-stream connections.
    """

    def __init__(
        self, reactor: Reactor, binding: Binding, bound: BoundSocket | None = None, plain: bool = False
    ) -> None:
        """
        @param bound: the socket of the binding, if it is open already.
        @param plain: use Twisted's own transports for the connections.
        """
        super().__init__(reactor, binding, bound)
        self._plain = plain

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """
        Start listening.

        @return: fires with the port, or fails with L{OpenError}.
        """
        return execute(self.listenNow, protocolFactory)

    def listenNow(self, factory: IProtocolFactory) -> IListeningPort:
        """
        Start listening, and return the port without a Deferred.

        @raise OpenError: when the socket cannot be opened.
        """
        binding, reactor = self._binding, self._reactor
        if binding.proxyHeader:
            factory = layered(factory, [partial(ProxyLayer, clock=IReactorTime(reactor), logInterval=LogInterval())])
        bound = self._claimSocket()
        if bound is None:
            return binding.listen(reactor, factory)
        if not bound.stream:
            bound.close()
            raise OpenError(binding, "expected a socket for connections, not for datagrams")
        return self._startPort(StreamPort(bound, factory, reactor, self._plain), bound)


class DatagramEndpoint(_BindingEndpoint):
    """
    Listens for UDP or Unix datagrams.
    """

    def listen(self, protocol: AbstractDatagramProtocol) -> Deferred[IListeningPort]:
        """
        Start listening.

        @return: fires with the port, or fails with L{OpenError}.
        """
        return execute(self._listen, protocol)

    def _listen(self, protocol: AbstractDatagramProtocol) -> IListeningPort:
        bound = self._claimSocket()
        if bound is None:
            return self._binding.listen(self._reactor, protocol)
        if bound.stream:
            bound.close()
            raise OpenError(self._binding, "expected a socket for datagrams, not for connections")
        kind: type[DatagramPort] = UDPPort
        if bound.socket.family == socket.AF_UNIX:
            kind = DatagramPort
        elif recvmmsg and sendmmsg and IRequestProtocol.providedBy(protocol):
            kind = BatchedUDPPort
        return self._startPort(kind(bound, protocol, self._reactor), bound)
