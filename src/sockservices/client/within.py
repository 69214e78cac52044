"""
A limit on how long is waited.
"""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from sockservices.client.verdict import Unanswered, Verdict

__all__ = ["within"]

T = TypeVar("T")


def within(deferred: Deferred[T], seconds: float | None, clock: Any, remark: str) -> Deferred[T]:
    """
    Cancel what has not fired in time.

    @param seconds: L{None} is no limit.
    @param remark: what has not come, for the L{Unanswered} that it then fails with.
    """
    if seconds is not None:
        late = Unanswered(Verdict.TIMEOUT, f"{remark} within {seconds:g} s")
        deferred.addTimeout(max(0.0, seconds), clock, lambda *_: Failure(late))
    return deferred
