"""
Timeouts that fail with a verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from sockservices.client.request_failed import RequestFailed, Verdict

__all__ = ["failAfter", "withTimeout"]

T = TypeVar("T")


def withTimeout(deferred: Deferred[T], seconds: float | None, clock: IReactorTime, description: str) -> Deferred[T]:
    """
    Cancel a Deferred that does not fire in time. It then fails with L{RequestFailed} and L{Verdict.TIMEOUT}.

    @param seconds: the timeout; L{None} for no timeout.
    @param description: the missing event, such as C{"no reply"}.
    """
    return failAfter(
        deferred, seconds, clock, lambda: RequestFailed(Verdict.TIMEOUT, f"{description} within {seconds:g} s")
    )


def failAfter(
    deferred: Deferred[T], seconds: float | None, clock: IReactorTime, makeFailure: Callable[[], RequestFailed]
) -> Deferred[T]:
    """
    Cancel a Deferred that does not fire in time. It then fails with an exception that is made at that time.

    @param seconds: the timeout; L{None} for no timeout.
    @param makeFailure: makes the exception.
    """
    if seconds is not None:
        deferred.addTimeout(max(0.0, seconds), clock, lambda *_: Failure(makeFailure()))
    return deferred
