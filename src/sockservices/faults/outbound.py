"""
The direction to the peer, of a connection with faults.
"""

from __future__ import annotations

from typing import Any

from sockservices.faults.flow import Flow
from sockservices.faults.inbound import MAX_HELD
from sockservices.faults.stage import End, Piece
from sockservices.transports.stream_layer import StreamLayer

__all__ = ["Outbound"]

#: Seconds between two checks of the bytes that the kernel has sent, or the peer's kernel has acknowledged.
KERNEL_INTERVAL = 0.001

#: The same for a peer that does not read: many of them must not keep the server busy.
MAX_KERNEL_INTERVAL = 0.064


class Outbound(StreamLayer):
    """
    Delays the bytes that the protocol writes, and writes them to the transport when the faults let them pass. The
    protocol's producer is paused at L{MAX_HELD<sockservices.faults.inbound.MAX_HELD>}.
    """

    _outbound: Flow

    producer: Any = None
    _unwritten = 0  # the number of bytes for the peer that the transport has not got
    _kernelPending, _kernelInterval = 0, KERNEL_INTERVAL
    _sliced = False  # each piece has a segment of its own
    _outboundEnded = False  # a fault has ended this direction: output is discarded
    _closing = False  # the protocol has ended this direction
    _finSent = _streaming = _producerPaused = _writePaused = False

    @property
    def heldBytes(self) -> int:  # type: ignore[override]
        """
        The number of bytes for the peer that the layer holds.
        """
        return self._outbound.held

    def write(self, data: bytes) -> None:
        """
        Take bytes for the peer.
        """
        self._unwritten += len(data)
        if data and not (self._outboundEnded or self._closing):
            self._outbound.add(bytes(data))
            self._updateFlow()

    def loseWriteConnection(self) -> None:
        """
        Send a FIN after the bytes that are held.
        """
        if not self.halfCloses:
            self.loseConnection()
        elif not self._closing:
            self._closing = True
            self._outbound.add(End.FIN)

    def loseConnection(self) -> None:
        """
        Close the connection after the bytes that are held.
        """
        self._closing = True
        self._outbound.add(End.CLOSE)

    @property
    def disconnecting(self) -> bool:
        """
        Whether the connection is closing.
        """
        return self._closing or bool(self.transport.disconnecting)

    def _deliverOut(self, piece: Piece) -> None:
        if isinstance(piece, bytes):
            self._unwritten -= len(piece)
            self.transport.write(piece)
            self._updateFlow()
        elif piece is End.CLOSE:
            self._releaseProducer()
            self.transport.loseConnection()
        elif piece is End.FIN:
            self._outboundEnded = True
            self._sendFin()
        elif piece is End.RESET:
            self._resetWhenAcked()
        else:
            self._end(piece)

    def _sendFin(self) -> None:
        if self._finSent:
            # A fault has sent it already. The protocol expects the report of its own.
            super().writeConnectionLost()
            return
        self._finSent = True
        self._releaseProducer()
        self.transport.loseWriteConnection()

    def writeConnectionLost(self) -> None:
        """
        Report that the FIN has been sent, to a protocol that has ended this direction.
        """
        if self._closing:
            super().writeConnectionLost()

    def _releaseProducer(self) -> None:
        if self.producer is not None:
            self.unregisterProducer()

    def _end(self, end: End) -> None:
        raise NotImplementedError

    def _resetWhenAcked(self) -> None:
        raise NotImplementedError

    def _delayOut(self) -> float | None:
        if self._writePaused:
            return None
        # Bytes that the kernel has not sent yet would share a segment with the next piece.
        unsent = self._sliced and not self._outbound.empty and self.transport.unsentBytes()
        return self._kernelDelay(unsent) if unsent else 0.0

    def _kernelDelay(self, pending: int) -> float:
        """
        The seconds to the next check of the kernel: twice as many each time, while the number of pending bytes stays.
        """
        stays = pending == self._kernelPending
        self._kernelPending = pending
        self._kernelInterval = min(2 * self._kernelInterval, MAX_KERNEL_INTERVAL) if stays else KERNEL_INTERVAL
        return self._kernelInterval

    # The protocol's producer.

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        Register the protocol's producer.
        """
        self._streaming, self._producerPaused = streaming, False
        super().registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """
        Unregister the protocol's producer. The transport does not pause this layer any more.
        """
        # A fault that has ended this direction has unregistered the producer already.
        if self.producer is not None:
            super().unregisterProducer()
        self.producer, self._writePaused = None, False
        self._outbound.pump()

    def pauseWriting(self) -> None:
        """
        Hold the bytes for the peer: the transport has enough to send.
        """
        self._writePaused = True
        self._updateFlow()

    def resumeWriting(self) -> None:
        """
        Let bytes pass. If none are delayed, resume a pull producer.
        """
        self._writePaused = False
        self._outbound.pump()
        if self.producer is None or self._streaming:
            self._updateFlow()
        elif self._outbound.empty and not (self._outboundEnded or self._closing):
            self.producer.resumeProducing()

    def _updateFlow(self) -> None:
        self._updateReading()
        if self.producer is not None and self._streaming:
            paused = self._writePaused or self._outbound.memory >= MAX_HELD
            if paused != self._producerPaused:
                self._producerPaused = paused
                if paused:
                    self.producer.pauseProducing()
                else:
                    self.producer.resumeProducing()

    def _updateReading(self) -> None:
        raise NotImplementedError
