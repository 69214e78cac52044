"""
Layers between a datagram transport and a protocol, such as fault injection and tracing. By default a layer passes all
calls on in both directions; a subclass overrides some of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from zope.interface import implementer

from sockservices.transports.interfaces import IReplyRoute
from sockservices.transports.reply_route import RequestProtocol

__all__ = ["DatagramLayer", "LayerRoute", "MakeDatagramLayer", "layeredDatagrams"]


@implementer(IReplyRoute)
class LayerRoute:
    """
    A route whose replies pass through a layer.
    """

    __slots__ = ("_layer", "_route", "destination", "peer", "source")

    def __init__(self, layer: DatagramLayer, route: Any) -> None:
        self._layer = layer
        self._route = route
        self.peer, self.destination = route.peer, route.destination
        self.source: Any = None

    @property
    def faults(self) -> tuple[tuple[str, int], ...]:
        """
        The faults that were applied on purpose so far.
        """
        faults: tuple[tuple[str, int], ...] = self._route.faults
        return faults

    def send(self, datagram: bytes, token: object) -> None:
        """
        Send a reply.
        """
        self._layer.send(self._route, datagram, token)


class DatagramLayer(RequestProtocol):
    """
    One layer of a datagram port: the protocol of the transport below. The protocol above gets the layer's routes.

    @ivar protocol: the protocol above, an L{IRequestProtocol}.
    """

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol

    def makeConnection(self, transport: Any) -> None:
        """
        The transport has started listening.
        """
        super().makeConnection(transport)
        self.protocol.makeConnection(transport)

    def doStop(self) -> None:
        """
        The transport has stopped listening.
        """
        super().doStop()
        self.protocol.doStop()

    @property
    def pendingReplies(self) -> int:
        """
        The number of datagrams and replies that come later.
        """
        return getattr(self.protocol, "pendingReplies", 0)

    def requestReceived(self, datagram: bytes, route: Any) -> None:
        """
        Pass a datagram to the protocol above, with a route through this layer.
        """
        self.protocol.requestReceived(datagram, LayerRoute(self, route))

    def requestLost(self, size: int, route: Any) -> None:
        """
        Report that a fault has dropped a datagram.
        """
        self.protocol.requestLost(size, route)

    def connectionRefused(self) -> None:
        """
        Report that the peer of a connected transport has refused a datagram.
        """
        self.protocol.connectionRefused()

    def send(self, route: Any, datagram: bytes, token: object) -> None:
        """
        Send a reply through the route below. A layer that sends none, or several, calls C{repliesSent} of the protocol
        above itself, once for each token.
        """
        route.send(datagram, token)

    def changedReplySent(self, token: Any, size: int) -> None:
        """
        Report that the kernel has accepted a reply, and faults have changed its size.
        """
        self.protocol.changedReplySent(token, size)

    def repliesSent(self, tokens: list[Any], failures: list[tuple[Any, Exception]]) -> None:
        """
        Report which replies the kernel has accepted, and which have failed.
        """
        self.protocol.repliesSent(tokens, failures)


#: A function that makes a layer around a protocol, such as a L{DatagramLayer} subclass.
MakeDatagramLayer: TypeAlias = Callable[[Any], DatagramLayer]


def layeredDatagrams(protocol: Any, layers: Sequence[MakeDatagramLayer]) -> Any:
    """
    Put layers around a protocol.

    @param layers: the outermost layer, next to the transport, is first.
    @return: the protocol for the transport.
    """
    for make in reversed(layers):
        protocol = make(protocol)
    return protocol
