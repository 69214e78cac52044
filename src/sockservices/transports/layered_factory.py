"""
Factories whose connections pass through layers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from sockservices.transports.stream_layer import StreamLayer

__all__ = ["MakeStreamLayer", "layered"]

#: Makes a layer around a protocol; a L{StreamLayer} subclass does.
MakeStreamLayer: TypeAlias = Callable[[Any], StreamLayer]


@implementer(IProtocolFactory)
class _LayeredFactory:
    """
    A factory whose protocols have layers around them.
    """

    noisy = False

    def __init__(self, factory: Any, layers: Sequence[MakeStreamLayer]) -> None:
        self._factory = factory
        self._layers = layers
        self.doStart, self.doStop = factory.doStart, factory.doStop

    def buildProtocol(self, addr: IAddress) -> Any:
        """
        Build a protocol, and the layers around it. A refused connection gets none.
        """
        protocol = self._factory.buildProtocol(addr)
        if protocol is None:
            return None
        try:
            for make in reversed(self._layers):
                protocol = make(protocol)
        except BaseException:
            # It was admitted, and must be released.
            protocol.connectionLost(Failure(ConnectionAborted()))
            raise
        return protocol


def layered(factory: IProtocolFactory, layers: Sequence[MakeStreamLayer]) -> Any:
    """
    A factory whose connections pass through layers.

    @param layers: the outermost first, which is next to the transport.
    """
    return _LayeredFactory(factory, layers) if layers else factory
