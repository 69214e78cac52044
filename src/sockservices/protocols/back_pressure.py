"""
What a stream protocol does when its peer does not read.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPullProducer, IPushProducer
from zope.interface import implementer

from sockservices.conversation.phase import OPEN
from sockservices.conversation.stream_exchange import StreamExchange
from sockservices.protocols.timer import Timer

__all__ = ["BackPressure"]


@implementer(IPushProducer, IPullProducer)
class BackPressure:
    """
    A mixin of L{StreamProtocol<sockservices.protocols.stream.StreamProtocol>}: the protocol is the producer of its own
    transport.
    """

    _exchange: StreamExchange
    _transport: Any
    _seconds: Any
    _timer: Timer
    _follow: Any
    _waiting: Deferred[Any] | None

    _paused = False  # the transport has enough to write
    _producing = False  # registered as the transport's producer

    def _produce(self) -> None:
        exchange = self._exchange
        if exchange.awaiting is None and exchange.phase is OPEN and not self._producing:
            self._producing = True
            self._transport.registerProducer(self, exchange.generator is None)

    def pauseProducing(self) -> None:
        """
        The peer does not read: stop reading from it.
        """
        self._paused = True
        self._transport.pauseProducing()
        self._trackProgress()

    def resumeProducing(self) -> None:
        """
        The transport's buffer is empty: resume reading, or generate more output.
        """
        exchange = self._exchange
        self._paused = False
        if exchange.generator is not None:
            output = exchange.generate(self._seconds())
            if output:
                self._transport.write(output)
            if exchange.phase is OPEN:
                self._trackProgress()
        elif exchange.phase is OPEN and self._waiting is None:
            exchange.active(self._seconds())
            self._transport.resumeProducing()
        if exchange.changed:
            self._follow()

    def _trackProgress(self) -> None:
        exchange = self._exchange
        exchange.trackProgress(self._seconds(), self._transport.unackedBytes)
        self._timer.fireBy(exchange.nextCheck)

    def stopProducing(self) -> None:
        """
        The connection is gone: C{connectionLost} follows.
        """
