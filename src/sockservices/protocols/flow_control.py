"""
When a stream protocol reads: not while its peer does not read, and not while a reply is awaited.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from sockservices.conversation.phase import ABORTED, OPEN
from sockservices.conversation.stream_exchange import StreamExchange
from sockservices.protocols.awaitable import deferredOf
from sockservices.protocols.timer import Timer

__all__ = ["FlowControl"]


@implementer(IPushProducer, IPullProducer)
class FlowControl:
    """
    A mixin of L{StreamProtocol<sockservices.protocols.stream.StreamProtocol>}, which is the producer of its own
    transport: if the peer does not read, the transport pauses it, and it pauses the transport's reading.
    """

    _exchange: StreamExchange
    _transport: Any
    _seconds: Any
    _timer: Timer
    _applyChanges: Any

    _paused = False  # the transport has enough to write
    _producing = False  # registered as the transport's producer
    _waiting: Deferred[Any] | None = None  # the awaited reply
    _inWait = False  # _wait is running, and takes the next awaited reply itself

    # Back-pressure: the peer does not read.

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
            exchange.idleSince = self._seconds()
            self._transport.resumeProducing()
        if exchange.changed:
            self._applyChanges()

    def _trackProgress(self) -> None:
        exchange = self._exchange
        exchange.trackProgress(self._seconds(), self._transport.unackedBytes)
        self._timer.fireBy(exchange.nextCheck)

    def stopProducing(self) -> None:
        """
        The connection is gone: C{connectionLost} follows.
        """

    # Awaited replies.

    def _wait(self) -> None:
        if self._inWait:
            return
        exchange = self._exchange
        self._inWait = True
        # A loop, because a fired Deferred resumes at once, and the reply to a queued message may be awaited too.
        while exchange.awaiting is not None and self._waiting is None:
            self._transport.pauseProducing()
            self._waiting = deferred = deferredOf(exchange.awaiting)
            deferred.addCallbacks(self._resume, self._fail)
        self._inWait = False

    def _resume(self, reply: Any) -> None:
        self._waiting = None
        exchange = self._exchange
        replies = exchange.resume(reply, self._seconds())
        if replies:
            self._transport.write(replies)
        self._produce()
        if exchange.awaiting is None and exchange.phase is not ABORTED and not (self._paused or exchange.ended):
            # Also while the connection closes: the peer's FIN must be read.
            self._transport.resumeProducing()
        if exchange.changed:
            self._applyChanges()

    def _fail(self, failure: Failure) -> None:
        self._waiting = None
        exception: Any = failure.value
        if self._exchange.awaiting is not None:
            self._exchange.fail(exception)
            self._applyChanges()
