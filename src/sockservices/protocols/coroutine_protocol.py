"""
The conversation of a coroutine over a stream.
"""

from __future__ import annotations

from traceback import clear_frames
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IAddress

from sockservices.conversation.phase import OPEN
from sockservices.monitoring.exception_log import logException, logMismatch
from sockservices.protocols.stream import StreamProtocol
from sockservices.scripting.coroutine_exchange import CoroutineExchange

if TYPE_CHECKING:
    from sockservices.protocols.stream_factory import StreamFactory

__all__ = ["CoroutineProtocol"]

#: Bytes: the most that one read brings, in addition to 64 KiB that wait already.
MAX_READ = 16384


class CoroutineProtocol(StreamProtocol):
    """
    One conversation of a coroutine over one connection. If the peer does not read, the coroutine waits where it sends.
    Reading pauses while 64 KiB wait to be received.
    """

    _exchange: CoroutineExchange
    _halfClosed = False  # the coroutine has ended its side
    _finSent = False

    def __init__(self, factory: StreamFactory, peer: IAddress) -> None:
        super().__init__(factory, peer)
        service: Any = factory.responder
        self._exchange = CoroutineExchange(service, factory.policy, self._startedAt, self, factory.clock)

    def _begin(self) -> None:
        self._transport.limitReads(MAX_READ)
        self._produce()
        super()._begin()

    # The port of the exchange.

    @property
    def writingPaused(self) -> bool:
        """
        Whether 64 KiB wait to be sent.
        """
        return self._paused

    def write(self, data: bytes) -> None:
        """
        Send bytes.
        """
        self._transport.write(data)

    def pauseReading(self) -> None:
        """
        Stop reading.
        """
        self._transport.pauseProducing()

    def resumeReading(self) -> None:
        """
        Read on.
        """
        self._transport.resumeProducing()

    def halfClose(self) -> None:
        """
        Send a FIN after the bytes that wait, if the transport can.
        """
        if self._transport.halfCloses:
            self._halfClosed = True
            self._unregister()
            self._transport.loseWriteConnection()

    def follow(self) -> None:
        """
        Act on what has changed in the exchange.
        """
        if not self.lost:
            self._applyChanges()

    def logException(self, exception: BaseException) -> None:
        """
        Log what a coroutine has raised after its conversation.
        """
        logException(self._exchange.service, exception, self.serial, self.peer, ended=True)

    # The producer of the transport.

    def pauseProducing(self) -> None:
        """
        64 KiB wait to be sent: the next send waits.
        """
        self._paused = True
        self._trackProgress()

    def resumeProducing(self) -> None:
        """
        The peer has taken what waited.
        """
        self._paused = False
        exchange = self._exchange
        exchange.idleSince = self._seconds()
        exchange.resumeSending()
        if exchange.changed:
            self._applyChanges()

    def _unregister(self) -> None:
        self._paused = False
        if self._producing:
            self._producing = False
            self._transport.unregisterProducer()

    # The ways out.

    def _close(self) -> None:
        # The rest of the input is read and dropped, up to the peer's FIN.
        self._exchange.reader.resume()
        if not self._halfClosed:
            super()._close()
            return
        exchange, transport = self._exchange, self._transport
        now = self._seconds()
        exchange.closes(now)
        if transport.userspaceBytes():
            exchange.trackProgress(now, transport.unackedBytes)
        if exchange.ended:
            transport.loseConnection()
        elif self._finSent:
            exchange.finSent(now)

    def writeConnectionLost(self) -> None:
        """
        Our FIN is out. The coroutine may still receive.
        """
        self._finSent = True
        if self._exchange.phase is not OPEN:
            super().writeConnectionLost()

    def _abort(self) -> None:
        exception = self._exchange.exception
        if not isinstance(exception, AssertionError):
            super()._abort()
            return
        self._transport.abortConnection()
        # The frames refer to the conversation. Their lines are enough.
        clear_frames(exception.__traceback__)
        self.mismatch = exception
        logMismatch(self._exchange.service, exception, self.serial, self.peer)
        self.factory.onException(exception)
