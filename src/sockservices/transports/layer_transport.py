"""
The side of a layer that is the transport of the protocol above.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.interfaces import IAddress
from zope.interface import implementer

from sockservices.transports.interfaces import IStreamTransport
from sockservices.transports.layer_producer import LayerProducer

__all__ = ["LayerTransport"]


@implementer(IStreamTransport)
class LayerTransport:
    """
    Passes the calls of the protocol above to the transport below.

    @ivar transport: the transport below, an L{IStreamTransport}.
    @ivar heldBytes: how many bytes for the peer the layer itself buffers. A subclass that buffers bytes counts them
        here.
    """

    transport: Any
    heldBytes = 0

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

    @property
    def discardedBytes(self) -> tuple[int, int]:
        """
        How many bytes from the peer, and to the peer, faults have discarded or still hold.
        """
        discarded: tuple[int, int] = self.transport.discardedBytes
        return discarded

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
