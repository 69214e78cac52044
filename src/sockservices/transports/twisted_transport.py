"""
An adapter from Twisted's own transports, and wrappers around them, to L{IStreamTransport}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.protocols.policies import ProtocolWrapper
from zope.interface import implementer

from sockservices.transports.interfaces import IStreamTransport
from sockservices.transports.unacked import unackedBytes, unsentBytes, userspaceBytes

__all__ = ["TwistedTransport"]


def _nothing(*arguments: object) -> None:
    pass


@implementer(IStreamTransport)
class TwistedTransport:
    """
    Adapts a stream transport of Twisted's. The transport may lack half-close, and does not count its pending bytes.
    """

    identifying = False
    faults = ()
    discardedBytes = 0, 0

    def __init__(self, transport: Any, protocol: object) -> None:
        self._transport = transport
        # Twisted's wrappers, including TLS, do not pass half-closes on in either direction.
        self.halfCloses = hasattr(transport, "loseWriteConnection") and getattr(transport, "protocol", None) is protocol
        self.loseWriteConnection = transport.loseWriteConnection if self.halfCloses else transport.loseConnection
        # Bound methods of the transport itself: a call passes through no method of the adapter.
        self.write, self.writeSequence = transport.write, transport.writeSequence
        self.loseConnection = transport.loseConnection
        # A transport over standard input and output cannot be reset.
        self.abortConnection = getattr(transport, "abortConnection", transport.loseConnection)
        # A transport without flow control, such as one in memory, has none of these.
        self.pauseProducing = getattr(transport, "pauseProducing", _nothing)
        self.resumeProducing = getattr(transport, "resumeProducing", _nothing)
        self.stopProducing = getattr(transport, "stopProducing", transport.loseConnection)
        self.registerProducer = getattr(transport, "registerProducer", _nothing)
        self.unregisterProducer = getattr(transport, "unregisterProducer", _nothing)
        self.getPeer, self.getHost = transport.getPeer, transport.getHost

    def _descriptor(self) -> FileDescriptor | None:
        transport = self._transport
        while isinstance(transport, ProtocolWrapper):
            transport = transport.transport
        return transport if isinstance(transport, FileDescriptor) else None

    @property
    def disconnecting(self) -> bool:
        """
        Whether the connection is closing.
        """
        return bool(getattr(self._transport, "disconnecting", False))

    def limitBuffers(self, size: int) -> None:
        """
        Read at most C{size} bytes at once from the transport below all wrappers, and let it pause its producer when
        more are pending. Bytes in the wrappers are not limited.
        """
        descriptor = self._descriptor()
        if descriptor is not None:
            descriptor.bufferSize = size

    def limitReads(self, size: int) -> None:
        """
        Do nothing: the number of bytes that one of Twisted's transports reads at once, 64 KiB, also limits its output.
        """

    def unsentBytes(self) -> int:
        """
        Count the bytes that the transport below all wrappers has buffered, or the kernel has not sent yet.
        """
        descriptor = self._descriptor()
        return 0 if descriptor is None else unsentBytes(descriptor)

    def userspaceBytes(self) -> int:
        """
        Count the bytes that the transport below all wrappers has buffered. Bytes in the wrappers are not counted.
        """
        descriptor = self._descriptor()
        return 0 if descriptor is None else userspaceBytes(descriptor)

    def unackedBytes(self) -> int:
        """
        Count the bytes that the transport below all wrappers has buffered, or the peer has not acknowledged.
        """
        descriptor = self._descriptor()
        return 0 if descriptor is None else unackedBytes(descriptor)
