"""
The direction from the peer, of a connection with faults.
"""

from __future__ import annotations

from typing import Any

from sockservices.faults.flow import Flow
from sockservices.faults.stage import End, Piece
from sockservices.transports.stream_layer import StreamLayer

__all__ = ["MAX_HELD", "Inbound"]

#: The memory in bytes of the delayed pieces, of both directions together, at which reading and the protocol pause. With
#: one read and the transport's buffer, a connection has less than the permitted 128 KiB.
MAX_HELD = 98304


class Inbound(StreamLayer):
    """
    Delays the bytes from the peer, and delivers them to the protocol when the faults let them pass.
    """

    _inbound: Flow
    _outbound: Flow

    _inboundEnded = False  # a fault has ended this direction: input is discarded
    _undelivered = 0  # the number of bytes from the peer that the protocol has not got
    _readPaused = _protocolPaused = _finReceived = False

    def dataReceived(self, data: bytes) -> None:
        """
        Take a segment.
        """
        self._undelivered += len(data)
        if not self._inboundEnded:
            self._inbound.add(data)
            self._updateReading()

    def readConnectionLost(self) -> None:
        """
        Take the peer's FIN.
        """
        self._finReceived = True
        if not self._inboundEnded:
            self._inbound.add(End.FIN)

    def _deliverIn(self, piece: Piece) -> None:
        if isinstance(piece, bytes):
            self._undelivered -= len(piece)
            self.protocol.dataReceived(piece)
            self._updateReading()
        elif piece is End.FIN:
            super().readConnectionLost()
        else:
            self._end(piece)

    def _end(self, end: End) -> None:
        raise NotImplementedError

    def _delayIn(self) -> float | None:
        return None if self._protocolPaused else 0.0

    def pauseProducing(self) -> None:
        """
        Deliver nothing to the protocol, and stop reading.
        """
        self._protocolPaused = True
        self._updateReading()

    def resumeProducing(self) -> None:
        """
        Deliver the delayed bytes, and resume reading.
        """
        self._protocolPaused = False
        self._inbound.pump()
        self._updateReading()

    def _updateReading(self) -> None:
        full = self._protocolPaused or self._inbound.memory + self._outbound.memory >= MAX_HELD
        # A hung connection is read, and the input discarded: only a read shows that the peer has left.
        paused = full and not self._inboundEnded
        if paused != self._readPaused and not self._finReceived:
            self._readPaused = paused
            transport: Any = self.transport
            if paused:
                transport.pauseProducing()
            else:
                transport.resumeProducing()
