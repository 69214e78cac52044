"""
What a stream protocol does while a reply is awaited.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from sockservices.conversation.phase import ABORTED
from sockservices.conversation.stream_exchange import StreamExchange
from sockservices.protocols.awaitable import cancelReply, deferredOf

__all__ = ["AwaitedReplies"]


class AwaitedReplies:
    """
    A mixin of L{StreamProtocol<sockservices.protocols.stream.StreamProtocol>} for replies that come later. It
    pauses the transport until the reply has come.
    """

    _exchange: StreamExchange
    _transport: Any
    _seconds: Any
    _paused: bool
    _produce: Any
    _follow: Any

    serial: int
    peer: Any

    _waiting: Deferred[Any] | None = None
    _following = False  # whether _wait takes the next awaited reply when the present one has come

    def _wait(self) -> None:
        if self._following:
            return
        exchange = self._exchange
        self._following = True
        # A loop, because a fired Deferred resumes at once, and the reply to a queued message may be awaited too.
        while exchange.awaiting is not None and self._waiting is None:
            self._transport.pauseProducing()
            self._waiting = deferred = deferredOf(exchange.awaiting)
            deferred.addCallbacks(self._resume, self._fail)
        self._following = False

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
            self._follow()

    def _fail(self, failure: Failure) -> None:
        self._waiting = None
        exception = failure.value
        if self._exchange.awaiting is not None and exception is not None:
            self._exchange.fail(exception)
            self._follow()

    def _cancelReply(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            cancelReply(waiting, self._exchange.service, self.serial, self.peer)
