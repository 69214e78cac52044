"""
Waiting for several Deferreds, of which none goes on after one has failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from twisted.internet.defer import Deferred, FirstError, gatherResults

__all__ = ["gather"]

T = TypeVar("T")


async def gather(deferreds: Sequence[Deferred[T]]) -> list[T]:
    """
    Wait for all Deferreds. If one fails, or this is cancelled, cancel the others.

    @return: the results, in the order of the Deferreds.
    @raise Exception: the first failure.
    """
    try:
        return await gatherResults(deferreds, consumeErrors=True)
    except FirstError as error:
        for each in deferreds:
            each.cancel()
        raise error.subFailure.value from None  # type: ignore[misc]
