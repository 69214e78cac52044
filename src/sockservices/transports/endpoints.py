"""
Endpoints that listen where a binding says.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.protocol import AbstractDatagramProtocol
from zope.interface import implementer

from sockservices.transports.batched_udp_port import BatchedUDPPort
from sockservices.transports.bindings import Binding, InetBinding, UnixBinding
from sockservices.transports.datagram_port import DatagramPort, UDPPort
from sockservices.transports.interfaces import IRequestProtocol
from sockservices.transports.listening_port import Port
from sockservices.transports.recvmmsg import recvmmsg
from sockservices.transports.sockets import BACKLOG, BoundSocket, OpenError, openSockets
from sockservices.transports.stream_port import StreamPort

__all__ = ["DatagramEndpoint", "StreamEndpoint"]


#: Why a reactor other than a real one cannot adopt what a service manager has opened.
NO_SOCKETS = "this reactor has no sockets of its own"


class _Endpoint:
    """
    A place to listen, whose socket may be opened before it is listened on: while privileged, and before a fork.

    On a reactor that has no real sockets, such as a L{MemoryReactor<twisted.internet.testing.MemoryReactor>}, the
    reactor is asked to listen.
    """

    def __init__(self, reactor: Any, binding: Binding, opened: BoundSocket | None = None) -> None:
        self._reactor = reactor
        self._binding = binding
        self._opened = opened

    def open(self) -> None:
        """
        Open the socket.

        @raise OpenError: when it cannot be opened, or is of the wrong kind.
        """
        if self._opened is None and isinstance(self._reactor, PosixReactorBase):
            several = openSockets(self._binding)
            if len(several) > 1:
                for opened in several:
                    opened.close()
                raise OpenError(self._binding, "there are several sockets of this name")
            (self._opened,) = several

    def close(self) -> None:
        """
        Close the socket again, if it is open and not listened on.
        """
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _claimSocket(self) -> BoundSocket | None:
        self.open()
        opened, self._opened = self._opened, None
        return opened

    def _start(self, port: Port, opened: BoundSocket) -> IListeningPort:
        try:
            port.startListening()
        except Exception:
            opened.close()
            raise
        return port


@implementer(IStreamServerEndpoint)
class StreamEndpoint(_Endpoint):
    """
    Listens for TCP or Unix-stream connections.
    """

    def __init__(self, reactor: Any, binding: Binding, opened: BoundSocket | None = None, plain: bool = False) -> None:
        """
        @param opened: the socket, if it is open already.
        @param plain: have Twisted's own transports.
        """
        super().__init__(reactor, binding, opened)
        self._plain = plain

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """
        Listen.

        @return: fires with the port, or fails with L{OpenError}.
        """
        return execute(self._listen, protocolFactory)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        opened, binding, reactor = self._claimSocket(), self._binding, self._reactor
        port: IListeningPort
        if opened is not None:
            if not opened.stream:
                opened.close()
                raise OpenError(binding, "it takes datagrams, not connections")
            port = self._start(StreamPort(opened, factory, reactor, self._plain), opened)
        elif isinstance(binding, InetBinding):
            port = reactor.listenTCP(binding.port, factory, BACKLOG, binding.interface)
        elif isinstance(binding, UnixBinding):
            port = reactor.listenUNIX(binding.path, factory, BACKLOG, binding.mode)
        else:
            raise OpenError(binding, NO_SOCKETS)
        return port


class DatagramEndpoint(_Endpoint):
    """
    Listens for UDP or Unix datagrams.
    """

    def listen(self, protocol: AbstractDatagramProtocol) -> Deferred[IListeningPort]:
        """
        Listen.

        @return: fires with the port, or fails with L{OpenError}.
        """
        return execute(self._listen, protocol)

    def _listen(self, protocol: AbstractDatagramProtocol) -> IListeningPort:
        opened, binding, reactor = self._claimSocket(), self._binding, self._reactor
        port: IListeningPort
        if opened is not None:
            if opened.stream:
                opened.close()
                raise OpenError(binding, "it takes connections, not datagrams")
            kind: type[DatagramPort] = (
                BatchedUDPPort if recvmmsg is not None and IRequestProtocol.providedBy(protocol) else UDPPort
            )
            if opened.socket.family == socket.AF_UNIX:
                kind = DatagramPort
            port = self._start(kind(opened, protocol, reactor), opened)
        elif isinstance(binding, InetBinding):
            port = reactor.listenUDP(binding.port, protocol, binding.interface)
        elif isinstance(binding, UnixBinding):
            port = reactor.listenUNIXDatagram(binding.path, protocol, mode=binding.mode)
        else:
            raise OpenError(binding, NO_SOCKETS)
        return port
