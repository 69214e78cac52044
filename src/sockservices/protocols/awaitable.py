"""
Replies that come later.
"""

from __future__ import annotations

from collections.abc import Awaitable
from inspect import iscoroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress

from sockservices.monitoring.exception_log import logException

__all__ = ["cancelReply", "deferredOf"]


def deferredOf(reply: Awaitable[Any]) -> Deferred[Any]:
    """
    A reply that a responder has returned as a Deferred, a coroutine, or any other awaitable, as a Deferred.
    """
    if isinstance(reply, Deferred):
        return reply
    return Deferred.fromCoroutine(reply if iscoroutine(reply) else _awaited(reply))


async def _awaited(reply: Awaitable[Any]) -> Any:
    return await reply


def cancelReply(reply: Awaitable[Any], service: str, serial: int, peer: IAddress | None) -> None:
    """
    Nobody awaits a reply any longer: cancel it. An exception that this raises is logged, and goes no further.

    @param reply: a Deferred that is cancelled, a coroutine that is closed, or any other awaitable.
    """
    cancel = getattr(reply, "cancel", None) or getattr(reply, "close", None)
    if isinstance(reply, Deferred):
        reply.addErrback(lambda _: None)  # Otherwise the cancellation would be logged as an unhandled error.
    if cancel is not None:
        try:
            cancel()
        except BaseException as exception:
            logException(service, exception, serial, peer)
