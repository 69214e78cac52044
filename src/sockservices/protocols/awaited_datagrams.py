"""
What a datagram protocol does while a reply is awaited.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from sockservices.conversation.exchange import Exchange
from sockservices.conversation.outcome import Outcome
from sockservices.conversation.phase import Phase
from sockservices.protocols.awaitable import cancelReply, deferredOf
from sockservices.protocols.conversations import Request
from sockservices.transports.reply_route import peerAddress

__all__ = ["AwaitedDatagrams"]

#: The maximum number of awaited replies of one listener. A further datagram whose reply is awaited is dropped.
MAX_AWAITED = 1024


class AwaitedDatagrams:
    """
    A mixin of L{DatagramResponder<sockservices.protocols.datagram.DatagramResponder>} for replies that come later.
    """

    _service: str
    _scripted: bool  # whether the service is a coroutine function
    _awaited: dict[Deferred[Any], Request]
    _drop: Any
    _reply: Any

    @property
    def pendingReplies(self) -> int:
        """
        The number of replies that are awaited.
        """
        return len(self._awaited)

    def _wait(self, exchange: Exchange, before: bytes | None, request: Request, limit: int | None) -> None:
        """
        Send the awaited reply when it comes.

        @param before: the part of the reply that was not awaited.
        """
        if len(self._awaited) >= MAX_AWAITED:
            serial, route, _ = request
            cancelReply(exchange.awaiting, self._service, serial, peerAddress(route.peer))
            self._drop(Outcome.OVERLOADED, request)
            return
        deferred = deferredOf(exchange.awaiting)
        self._awaited[deferred] = request

        def resume(reply: Any) -> None:
            self._awaited.pop(deferred, None)
            rest = exchange.resume(reply)
            whole = before if rest is None else (before or b"") + rest
            if exchange.awaiting is not None:
                self._wait(exchange, whole, request, limit)
            elif exchange.phase is Phase.ABORTED:
                self._drop(Outcome.ERROR, request, exchange.exception)
            else:
                self._reply(whole, request, limit)

        def fail(failure: Failure) -> None:
            if self._awaited.pop(deferred, None) is None:
                outcome = Outcome.UNSENT  # stopProtocol() has cancelled it: no error of the responder.
            elif self._scripted and failure.check(AssertionError):
                outcome = Outcome.MISMATCH
            else:
                outcome = Outcome.ERROR
            self._drop(outcome, request, failure.value)

        deferred.addCallbacks(resume, fail)
