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
from sockservices.conversation.responder import serviceName
from sockservices.protocols.awaitable import cancelReply, deferredOf
from sockservices.protocols.datagram_conversation import Request
from sockservices.scripting.coroutine_service import Service
from sockservices.transports.reply_route import peerAddress

__all__ = ["AwaitedDatagrams"]

#: The maximum number of awaited replies of one listener. A further datagram whose reply is awaited is dropped.
MAX_AWAITED = 1024


class AwaitedDatagrams:
    """
    A mixin of L{DatagramResponder<sockservices.protocols.datagram.DatagramResponder>} for replies that come later.
    """

    responder: Service
    _scripted: bool  # whether the service is a coroutine function
    _awaited: dict[Deferred[Any], Request]
    _drop: Any
    _reply: Any

    def _wait(self, exchange: Exchange, before: bytes | None, request: Request, route: Any, limit: int | None) -> None:
        if len(self._awaited) >= MAX_AWAITED:
            cancelReply(exchange.awaiting, serviceName(self.responder), request.serial, peerAddress(request.peer))
            self._drop(Outcome.OVERLOADED, request)
            return
        deferred = deferredOf(exchange.awaiting)
        self._awaited[deferred] = request

        def resume(reply: Any) -> None:
            self._awaited.pop(deferred, None)
            rest = exchange.resume(reply)
            whole = before if rest is None else (before or b"") + rest
            if exchange.awaiting is not None:
                self._wait(exchange, whole, request, route, limit)
            elif exchange.phase is Phase.ABORTED:
                self._drop(Outcome.ERROR, request, exchange.exception)
            else:
                self._reply(whole, request.serial, request.received, route, limit)

        def fail(failure: Failure) -> None:
            # One that stopProtocol() has cancelled is no error of the responder.
            outcome = Outcome.ERROR if deferred in self._awaited else Outcome.UNSENT
            if outcome is Outcome.ERROR and self._scripted and failure.check(AssertionError):
                outcome = Outcome.MISMATCH
            self._drop(outcome, request, failure.value)
            self._awaited.pop(deferred, None)

        deferred.addCallbacks(resume, fail)
