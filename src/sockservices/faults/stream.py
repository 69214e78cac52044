"""
Faults on connections: a layer between the transport and the protocol of one connection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from sockservices.faults.applied import Applied
from sockservices.faults.draws import Draws
from sockservices.faults.fault import Fault
from sockservices.faults.flow import Flow
from sockservices.faults.inbound import Inbound
from sockservices.faults.keys import IN, OUT
from sockservices.faults.outbound import Outbound
from sockservices.faults.stage import End, Piece, Stage
from sockservices.faults.timing import Slice

__all__ = ["FaultyStream"]

log = Logger("sockservices")

#: The maximum number of bytes of one read, and of the transport's buffer before the transport pauses its producer.
TRANSPORT_BUFFER = 8192

#: Seconds for which a hung connection is kept after the peer's FIN. To a server that sends nothing, a peer that has
#: closed its socket and one that still reads look the same.
HANG_AFTER_FIN = 2.0


@implementer(IPushProducer)
class FaultyStream(Inbound, Outbound):
    """
    One connection with faults. Each direction is a L{Flow}, which holds delayed bytes, up to a limit.
    """

    def __init__(
        self, protocol: Any, faults: Sequence[tuple[Fault, Draws]], clock: IReactorTime, applied: Applied
    ) -> None:
        """
        @param faults: the faults of this connection, in the order in which they act, with their random numbers.
        @param applied: counts the applied faults.
        """
        super().__init__(protocol)
        self._faults, self._clock, self._applied = faults, clock, applied
        self._inbound = Flow(self._stages(IN), clock, applied, self._orAbort(self._deliverIn), self._delayIn)
        self._outbound = Flow(self._stages(OUT), clock, applied, self._orAbort(self._deliverOut), self._delayOut)
        self._sliced = any(isinstance(fault, Slice) for fault, _ in faults)
        self._hung = False
        self._calls: list[IDelayedCall] = []

    def _orAbort(self, deliver: Callable[[Piece], object]) -> Callable[[Piece], None]:
        """
        Reset the connection when the protocol raises. A delayed call would leave it open, unlike a transport.
        """

        def deliverOrAbort(piece: Piece) -> None:
            try:
                deliver(piece)
            except BaseException:
                log.failure("{protocol!r} raised an exception", protocol=self.protocol)
                self.abortConnection()

        return deliverOrAbort

    def _stages(self, direction: str) -> list[Stage]:
        stages = (fault.stageOf(direction, draws, True) for fault, draws in self._faults)
        return [stage for stage in stages if stage is not None]

    @property
    def faults(self) -> tuple[tuple[str, int], ...]:
        """
        The word of each fault that was applied to this connection so far, and how often.
        """
        return self._applied.faults

    @property
    def discardedBytes(self) -> tuple[int, int]:
        """
        The bytes that this layer, and those below, have not passed on.
        """
        received, sent = self.transport.discardedBytes
        return received + self._undelivered, sent + self._unwritten

    def makeConnection(self, transport: Any) -> None:
        """
        Connect the protocol. A fault that ends the connection at once lets no greeting pass.
        """
        triggers = [(fault.word, *trigger) for fault, _ in self._faults if (trigger := fault.trigger()) is not None]
        atOnce = next(((word, end) for word, seconds, end in triggers if not seconds), None)
        if atOnce is None or atOnce[1] is End.FIN:
            self._calls = [
                self._clock.callLater(seconds, self._endByTime, word, end) for word, seconds, end in triggers if seconds
            ]
            self._outboundEnded = atOnce is not None
        else:
            self._discard()
        try:
            super().makeConnection(transport)
        finally:
            if atOnce is not None:
                self._endByTime(*atOnce)

    def attach(self, transport: Any) -> None:
        """
        Set the transport below, and let it read and buffer little at a time.
        """
        super().attach(transport)
        self.transport.limitBuffers(TRANSPORT_BUFFER)
        if self._sliced and hasattr(transport, "setTcpNoDelay"):
            with suppress(OSError):  # Twisted's Unix transports have the method, but no such option.
                transport.setTcpNoDelay(True)

    def _endByTime(self, word: str, end: End) -> None:
        self._applied.add(word)
        self._end(end)

    def _end(self, end: End) -> None:
        """
        Act on an end that a fault puts on the connection.
        """
        if end is End.FIN:
            self._deliverOut(end)
            return
        self._discard()
        if end is End.RESET:
            self.transport.abortConnection()
        else:
            self._hung = True
            if self._finReceived:
                self._abortAfterFin()

    def _discard(self) -> None:
        """
        Let nothing pass any more, in either direction.
        """
        self._inboundEnded = self._outboundEnded = True
        self._inbound.close()
        self._outbound.close()
        for call in self._calls:
            if call.active():
                call.cancel()
        self._updateReading()

    def _abortAfterFin(self) -> None:
        self._calls.append(self._clock.callLater(HANG_AFTER_FIN, self.transport.abortConnection))

    def _resetWhenAcked(self) -> None:
        """
        Reset the connection when the peer's kernel has acknowledged all bytes: a reset discards the others.
        """
        self._discard()
        unacked = self.transport.unackedBytes()
        if unacked:
            self._calls = [self._clock.callLater(self._kernelDelay(unacked), self._resetWhenAcked)]
        else:
            self.transport.abortConnection()

    def readConnectionLost(self) -> None:
        """
        Take the peer's FIN. It does not end a hung connection at once.
        """
        if self._hung and not self._finReceived:
            self._abortAfterFin()
        super().readConnectionLost()

    def abortConnection(self) -> None:
        """
        Reset the connection, and discard the delayed bytes.
        """
        self._discard()
        super().abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Pass on the end of the connection. If the peer has closed it, deliver its delayed bytes first.
        """
        if isinstance(reason.value, ConnectionDone) and not (self._inboundEnded or self._closing):
            self._outboundEnded = True
            self._inbound.flush()
        self._finReceived = True  # nothing is to be read any more
        self._discard()
        super().connectionLost(reason)
