"""
Datagram protocols without reply routes, on a port with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.protocol import DatagramProtocol

from sockservices.transports.reply_route import RequestProtocol, TransportRoute

__all__ = ["PlainDatagrams"]


class _Transport:
    """
    The transport of a plain protocol: writes through the route of the datagram that is being received, or else through
    a new one.
    """

    def __init__(self, transport: Any, datagrams: PlainDatagrams) -> None:
        self._transport, self._datagrams = transport, datagrams

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, datagram: bytes, addr: Any = None) -> None:
        """
        Send a datagram.
        """
        self._datagrams.write(datagram, addr)

    def writeSequence(self, data: Iterable[bytes], addr: Any) -> None:
        """
        Send pieces as one datagram.
        """
        self.write(b"".join(data), addr)


class PlainDatagrams(RequestProtocol):
    """
    Gives the datagrams that come with a route to a protocol of Twisted's.
    """

    _route: Any = None

    def __init__(self, protocol: DatagramProtocol, layer: Any) -> None:
        """
        @param layer: the layer that these datagrams pass.
        """
        self._protocol, self._layer = protocol, layer

    def makeConnection(self, transport: Any) -> None:
        """
        The transport has started listening.
        """
        super().makeConnection(transport)
        self._protocol.makeConnection(_Transport(transport, self))  # type: ignore[arg-type]

    def doStop(self) -> None:
        """
        The transport has stopped listening.
        """
        super().doStop()
        self._protocol.doStop()

    def connectionRefused(self) -> None:
        """
        The peer of a connected transport has refused a datagram.
        """
        self._protocol.connectionRefused()

    def requestReceived(self, datagram: bytes, route: Any) -> None:
        """
        Pass a datagram on.
        """
        self._route = route
        try:
            self._protocol.datagramReceived(datagram, route.peer)
        finally:
            self._route = None

    def write(self, datagram: bytes, addr: Any) -> None:
        """
        Send a datagram: as a reply, if the datagram that is being received came from this address; else as a
        conversation of its own.
        """
        route = self._route
        if route is None or route.peer != addr:
            route = self._layer.routeOf(TransportRoute(self.transport, addr, self._layer))
        # A copy: the protocol may change a bytearray while it is held.
        route.send(bytes(memoryview(datagram)), None)

    def repliesSent(self, tokens: list[Any], failures: list[tuple[Any, Exception]]) -> None:
        """
        Do nothing: the protocol expects no report.
        """
