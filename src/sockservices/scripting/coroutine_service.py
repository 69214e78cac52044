"""
What is taken where a responder is taken: a function that makes a coroutine for each peer.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from inspect import iscoroutinefunction
from typing import Any, TypeAlias, TypeGuard

from sockservices.conversation.responder import MakeResponder
from sockservices.scripting.remote_peer import RemotePeer

__all__ = ["CoroutineService", "Service", "isCoroutineService"]

#: An C{async def} function of one argument. Its attributes C{name}, C{port}, C{message} and C{deadline}, if it has any
#: of them, mean what they mean in a L{Responder<sockservices.Responder>} class. By default, the function's name is the
#: service's.
CoroutineService: TypeAlias = Callable[[RemotePeer], Coroutine[Any, Any, None]]

#: What a server serves.
Service: TypeAlias = MakeResponder | CoroutineService


def isCoroutineService(service: object) -> TypeGuard[CoroutineService]:
    """
    Whether a service is a coroutine function, or an object whose C{__call__} is one.
    """
    if isinstance(service, type):
        return False
    return iscoroutinefunction(service) or iscoroutinefunction(getattr(service, "__call__", None))  # noqa: B004
