"""
Replies that come later.
"""

from __future__ import annotations

from collections.abc import Awaitable
from inspect import iscoroutine
from typing import Any

from twisted.internet.defer import Deferred

__all__ = ["deferredOf"]


def deferredOf(reply: Awaitable[Any]) -> Deferred[Any]:
    """
    A reply that a responder has returned as a Deferred, a coroutine, or any other awaitable, as a Deferred.
    """
    if isinstance(reply, Deferred):
        return reply
    return Deferred.fromCoroutine(reply if iscoroutine(reply) else _awaited(reply))


async def _awaited(reply: Awaitable[Any]) -> Any:
    return await reply
