"""
Layers between a stream transport and a protocol, such as fault injection and tracing. By default a layer passes all
calls on in both directions; a subclass overrides some of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import implementer

from sockservices.transports.interfaces import IStreamTransport
from sockservices.transports.layer_producer import LayerProducer
from sockservices.transports.twisted_transport import TwistedTransport

__all__ = ["StreamLayer"]


@implementer(IHalfCloseableProtocol, IStreamTransport)
class StreamLayer:
    """
    One layer of a connection: the protocol of the transport below, and the transport of the protocol above.

    @ivar transport: the transport below, an L{IStreamTransport}.
    @ivar protocol: the protocol above, any of Twisted's.
    @ivar heldBytes: how many bytes for the peer the layer itself buffers. A subclass that buffers bytes counts them
        here.
    """

    transport: Any
    heldBytes = 0
    _postponed = False  # the protocol above is connected when the peer is identified

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol

    # Called by the transport below.

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

    # Called by the protocol above.

    @property
    def identifying(self) -> bool:
        """
        Whether the peer's address is not known yet.
        """
        return bool(self.transport.identifying)

    @property
    def disconnecting(self) -> bool:
        """
        Whether the connection is closing. Twisted's C{LineReceiver} reads it.
        """
        return bool(self.transport.disconnecting)

    @property
    def halfCloses(self) -> bool:
        """
        Whether L{loseWriteConnection} leaves reading open.
        """
        return bool(self.transport.halfCloses)

    def write(self, data: bytes) -> None:
        """
        Send data.
        """
        self.transport.write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """
        Send pieces of data.
        """
        self.write(b"".join(data))

    def pauseProducing(self) -> None:
        """
        Stop reading.
        """
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """
        Resume reading.
        """
        self.transport.resumeProducing()

    def limitReads(self, size: int) -> None:
        """
        Read no more than so many bytes at a time.
        """
        self.transport.limitReads(size)

    def stopProducing(self) -> None:
        """
        Close the connection.
        """
        self.loseConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        Register a producer, which the layer pauses and resumes.

        @param streaming: whether it is a push producer.
        """
        self.producer = producer
        self.transport.registerProducer(LayerProducer(self), streaming)

    def unregisterProducer(self) -> None:
        """
        Unregister the producer.
        """
        self.transport.unregisterProducer()

    def loseWriteConnection(self) -> None:
        """
        Send a FIN after all pending bytes.
        """
        self.transport.loseWriteConnection()

    def loseConnection(self) -> None:
        """
        Close the connection after all pending bytes.
        """
        self.transport.loseConnection()

    def abortConnection(self) -> None:
        """
        Reset the connection.
        """
        self.transport.abortConnection()

    @property
    def faults(self) -> tuple[tuple[str, int], ...]:
        """
        The faults that were applied on purpose.
        """
        faults: tuple[tuple[str, int], ...] = self.transport.faults
        return faults

    def limitBuffers(self, size: int) -> None:
        """
        Limit the bytes that the transport below reads at once, and those that it buffers.
        """
        self.transport.limitBuffers(size)

    def unsentBytes(self) -> int:
        """
        Count the bytes that are pending in this process, or not sent yet.
        """
        return self.heldBytes + int(self.transport.unsentBytes())

    def userspaceBytes(self) -> int:
        """
        Count the bytes that are pending in this process.
        """
        return self.heldBytes + int(self.transport.userspaceBytes())

    def unackedBytes(self) -> int:
        """
        Count the bytes that are pending in this process, or not acknowledged.
        """
        return self.heldBytes + int(self.transport.unackedBytes())

    def getPeer(self) -> IAddress:
        """
        The peer's address.
        """
        peer: IAddress = self.transport.getPeer()
        return peer

    def getHost(self) -> IAddress:
        """
        The local address.
        """
        host: IAddress = self.transport.getHost()
        return host
