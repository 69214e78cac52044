"""
Twisted's own transports, and wrappers around them, as L{IStreamTransport}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.protocols.policies import ProtocolWrapper
from zope.interface import implementer

from sockservices.transports.interfaces import IStreamTransport
from sockservices.transports.unacked import unackedBytes, userspaceBytes

__all__ = ["TwistedTransport"]


@implementer(IStreamTransport)
class TwistedTransport:
    """
    A stream transport of Twisted's, which may not be able to half-close, and does not count what is pending.
    """

    identifying = False

    def __init__(self, transport: Any, protocol: object) -> None:
        self._transport = transport
        # Twisted's wrappers, TLS among them, pass half-closes neither down nor up.
        self.halfCloses = hasattr(transport, "loseWriteConnection") and getattr(transport, "protocol", None) is protocol
        self.loseWriteConnection = transport.loseWriteConnection if self.halfCloses else transport.loseConnection
        # Taken over as they are, so that the adapter adds no call to any of them.
        self.write, self.writeSequence = transport.write, transport.writeSequence
        self.loseConnection = transport.loseConnection
        # Standard input and output have no reset.
        self.abortConnection = getattr(transport, "abortConnection", transport.loseConnection)
        self.pauseProducing, self.resumeProducing = transport.pauseProducing, transport.resumeProducing
        self.stopProducing = transport.stopProducing
        self.registerProducer, self.unregisterProducer = transport.registerProducer, transport.unregisterProducer
        self.getPeer, self.getHost = transport.getPeer, transport.getHost

    def _descriptor(self) -> FileDescriptor | None:
        transport = self._transport
        while isinstance(transport, ProtocolWrapper):
            transport = transport.transport
        return transport if isinstance(transport, FileDescriptor) else None

    def userspaceBytes(self) -> int:
        """
        How many bytes are buffered below all wrappers. What a wrapper buffers itself is not known.
        """
        descriptor = self._descriptor()
        return 0 if descriptor is None else userspaceBytes(descriptor)

    def unackedBytes(self) -> int:
        """
        How many bytes are buffered below all wrappers, or not acknowledged.
        """
        descriptor = self._descriptor()
        return 0 if descriptor is None else unackedBytes(descriptor)
