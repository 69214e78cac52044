"""
A factory that puts layers around the protocols of another factory.
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

#: A function that makes a layer around a protocol, such as a L{StreamLayer} subclass.
MakeStreamLayer: TypeAlias = Callable[[Any], StreamLayer]


@implementer(IProtocolFactory)
class _LayeredFactory:
    """
    A factory that puts layers around the protocols of another factory.
    """

    noisy = False

    def __init__(self, factory: Any, layers: Sequence[MakeStreamLayer]) -> None:
        self._factory = factory
        self._layers = layers
        self.doStart, self.doStop = factory.doStart, factory.doStop

    def buildProtocol(self, addr: IAddress) -> Any:
        """
        Build a protocol, and the layers around it.

        @return: the outermost layer, or L{None} when the factory refuses the connection.
        """
        protocol = self._factory.buildProtocol(addr)
        if protocol is None:
            return None
        try:
            for make in reversed(self._layers):
                protocol = make(protocol)
        except BaseException:
            # The factory has admitted the connection and counts it until connectionLost.
            protocol.connectionLost(Failure(ConnectionAborted()))
            raise
        return protocol


def layered(factory: IProtocolFactory, layers: Sequence[MakeStreamLayer]) -> Any:
    """
    Put layers around the protocols of a factory.

    @param layers: the outermost layer, next to the transport, is first.
    @return: the factory for the transport.
    """
    return _LayeredFactory(factory, layers) if layers else factory
