"""
Layers between a datagram transport and a protocol: faults, traces and the like. A layer passes on everything, both
ways; a subclass overrides what it changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from zope.interface import implementer

from sockservices.transports.interfaces import IReplyRoute
from sockservices.transports.reply_route import RequestProtocol

__all__ = ["DatagramLayer", "MakeDatagramLayer", "layeredDatagrams"]


@implementer(IReplyRoute)
class _Route:
    """
    A route whose replies pass through a layer.
    """

    __slots__ = ("_layer", "_route", "destination", "peer")

    def __init__(self, layer: DatagramLayer, route: Any) -> None:
        self._layer = layer
        self._route = route
        self.peer, self.destination = route.peer, route.destination

    def send(self, datagram: bytes, token: object) -> None:
        """
        Send a reply.
        """
        self._layer.send(self._route, datagram, token)


class DatagramLayer(RequestProtocol):
    """
    One layer of a datagram port: a protocol for the transport below, and the routes of the protocol above.

    @ivar protocol: the protocol above, an L{IRequestProtocol}.
    """

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol

    def makeConnection(self, transport: Any) -> None:
        """
        The transport listens.
        """
        super().makeConnection(transport)
        self.protocol.makeConnection(transport)

    def doStop(self) -> None:
        """
        The transport listens no more.
        """
        super().doStop()
        self.protocol.doStop()

    def requestReceived(self, datagram: bytes, route: Any) -> None:
        """
        A datagram has come.
        """
        self.protocol.requestReceived(datagram, _Route(self, route))

    def send(self, route: Any, datagram: bytes, token: object) -> None:
        """
        Send a reply by the route below. A layer may send none, or several: then it calls C{repliesSent} of the protocol
        above itself, once for each token.
        """
        route.send(datagram, token)

    def repliesSent(self, tokens: list[Any], failures: list[tuple[Any, Exception]]) -> None:
        """
        The kernel has taken the replies of these tokens, and has refused the others.
        """
        self.protocol.repliesSent(tokens, failures)


#: Makes a layer around a protocol; a L{DatagramLayer} subclass does.
MakeDatagramLayer: TypeAlias = Callable[[Any], DatagramLayer]


def layeredDatagrams(protocol: Any, layers: Sequence[MakeDatagramLayer]) -> Any:
    """
    A protocol whose datagrams pass through layers.

    @param layers: the outermost first, which is next to the transport.
    """
    for make in reversed(layers):
        protocol = make(protocol)
    return protocol
