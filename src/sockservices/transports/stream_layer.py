"""
Layers between a stream transport and a protocol, such as fault injection and tracing. By default a layer passes all
calls on in both directions; a subclass overrides some of them.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import implementer

from sockservices.transports.interfaces import IStreamTransport
from sockservices.transports.layer_transport import LayerTransport
from sockservices.transports.twisted_transport import TwistedTransport

__all__ = ["StreamLayer"]


@implementer(IHalfCloseableProtocol)
class StreamLayer(LayerTransport):
    """
    One layer of a connection: the protocol of the transport below, and the transport of the protocol above.

    @ivar protocol: the protocol above, any of Twisted's.
    """

    _postponed = False  # the protocol above is connected when the peer is identified

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol

    def makeConnection(self, transport: Any) -> None:
        """
        Connect to the transport below, and connect the protocol above to this layer. If the peer's address is not known
        yet, a protocol without C{peerIdentified} is connected later.
        """
        self.attach(transport)
        self._postponed = self.identifying and not hasattr(self.protocol, "peerIdentified")
        if not self._postponed:
            self.protocol.makeConnection(self)

    def attach(self, transport: Any) -> None:
        """
        Set the transport below. Adapt it if it does not provide L{IStreamTransport} itself.
        """
        # ProtocolWrapper declares the interfaces of the transport that it wraps, but does not pass half-closes on.
        native = IStreamTransport.providedBy(transport) and not isinstance(transport, ProtocolWrapper)
        self.transport = transport if native else TwistedTransport(transport, self)

    def dataReceived(self, data: bytes) -> None:
        """
        Pass a segment on.
        """
        self.protocol.dataReceived(data)

    def readConnectionLost(self) -> None:
        """
        Pass the peer's FIN on. For a protocol without half-close, close the connection after all pending bytes.
        """
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.readConnectionLost()
        else:
            self.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        Report to the protocol above that the FIN has been sent, if it supports half-close.
        """
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Pass the end of the connection on, unless the protocol above was not connected yet.
        """
        if not self._postponed:
            self.protocol.connectionLost(reason)

    def pauseWriting(self) -> None:
        """
        Pause the producer: the buffer of the transport below is full.
        """
        self.producer.pauseProducing()

    def resumeWriting(self) -> None:
        """
        Resume the producer: the transport below can buffer more bytes.
        """
        self.producer.resumeProducing()

    def peerIdentified(self) -> None:
        """
        Report to the protocol above that the peer's address is known now; or connect it, if it has waited for that.
        """
        if self._postponed:
            self._postponed = False
            self.protocol.makeConnection(self)
        else:
            self.protocol.peerIdentified()
