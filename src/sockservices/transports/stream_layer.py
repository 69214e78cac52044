"""
Layers between a stream transport and a protocol: faults, traces and the like. A layer passes on everything, both ways;
a subclass overrides what it changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IPullProducer,
    IPushProducer,
)
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import implementer

from sockservices.transports.interfaces import IStreamTransport
from sockservices.transports.twisted_transport import TwistedTransport

__all__ = ["StreamLayer"]


@implementer(IPushProducer, IPullProducer)
class _Producer:
    """
    A layer as the producer of the transport below: that transport's C{pauseProducing} is about writing, the layer's own
    is about reading.
    """

    def __init__(self, layer: StreamLayer) -> None:
        self.pauseProducing = layer.pauseWriting
        self.resumeProducing = layer.resumeWriting

    def stopProducing(self) -> None:
        """
        C{connectionLost} follows.
        """


@implementer(IHalfCloseableProtocol, IStreamTransport)
class StreamLayer:
    """
    One layer of one connection: a protocol for the transport below, and a transport for the protocol above.

    @ivar transport: the transport below, an L{IStreamTransport}.
    @ivar protocol: the protocol above, any of Twisted's.
    @ivar heldBytes: how many bytes for the peer the layer holds back itself: a subclass that does counts them here.
    """

    transport: Any
    heldBytes = 0

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol

    # From the transport below.

    def makeConnection(self, transport: Any) -> None:
        """
        The connection is made.
        """
        self.attach(transport)
        self.protocol.makeConnection(self)

    def attach(self, transport: Any) -> None:
        """
        Use a transport below.
        """
        # One of Twisted's wrappers claims to provide what the transport below it provides.
        native = IStreamTransport.providedBy(transport) and not isinstance(transport, ProtocolWrapper)
        self.transport = transport if native else TwistedTransport(transport, self)

    def dataReceived(self, data: bytes) -> None:
        """
        A segment has come.
        """
        self.protocol.dataReceived(data)

    def readConnectionLost(self) -> None:
        """
        The peer's FIN. A protocol that knows no half-close ends its own side then, after what is pending.
        """
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.readConnectionLost()
        else:
            self.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        Our FIN is out.
        """
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone.
        """
        self.protocol.connectionLost(reason)

    def pauseWriting(self) -> None:
        """
        The transport below has enough to write.
        """
        self.producer.pauseProducing()

    def resumeWriting(self) -> None:
        """
        The transport below wants more to write.
        """
        self.producer.resumeProducing()

    def peerIdentified(self) -> None:
        """
        The transport below knows now who the peer is.
        """
        if hasattr(self.protocol, "peerIdentified"):
            self.protocol.peerIdentified()

    # From the protocol above.

    @property
    def identifying(self) -> bool:
        """
        Whether it is not known yet who the peer is.
        """
        return bool(self.transport.identifying)

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
        Read again.
        """
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """
        Close the connection.
        """
        self.loseConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        Have a producer paused and resumed.
        """
        self.producer = producer
        self.transport.registerProducer(_Producer(self), streaming)

    def unregisterProducer(self) -> None:
        """
        The producer has produced all.
        """
        self.transport.unregisterProducer()

    def loseWriteConnection(self) -> None:
        """
        Send a FIN after all that is pending.
        """
        self.transport.loseWriteConnection()

    def loseConnection(self) -> None:
        """
        Close after all that is pending.
        """
        self.transport.loseConnection()

    def abortConnection(self) -> None:
        """
        Reset the connection.
        """
        self.transport.abortConnection()

    def userspaceBytes(self) -> int:
        """
        How many bytes are pending in this process.
        """
        return self.heldBytes + int(self.transport.userspaceBytes())

    def unackedBytes(self) -> int:
        """
        How many bytes are pending in this process, or not acknowledged.
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
