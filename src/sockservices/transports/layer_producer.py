"""
The producer that a layer registers with the transport below.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPullProducer, IPushProducer
from zope.interface import implementer

__all__ = ["LayerProducer"]


@implementer(IPushProducer, IPullProducer)
class LayerProducer:
    """
    The producer that a layer registers with the transport below. Its C{pauseProducing} pauses writing, whereas
    C{pauseProducing} of the layer itself pauses reading.
    """

    def __init__(self, layer: Any) -> None:
        """
        @param layer: a L{StreamLayer<sockservices.transports.stream_layer.StreamLayer>}.
        """
        self.pauseProducing = layer.pauseWriting
        self.resumeProducing = layer.resumeWriting

    def stopProducing(self) -> None:
        """
        Do nothing: the transport calls C{connectionLost} next.
        """
