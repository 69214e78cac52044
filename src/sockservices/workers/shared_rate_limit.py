"""
Token buckets that all workers share.
"""

from __future__ import annotations

import os
from functools import lru_cache

from sockservices.admission.rate_limit import MAX_SOURCES, RateLimit, RateLimits
from sockservices.workers.shared_counters import Cells, SharedCounters

__all__ = ["SharedRateLimit", "SharedRateLimits"]

#: Part of a token by which the sum of rounding errors may exceed the burst.
TOLERANCE = 1e-3


class SharedRateLimit(RateLimit):
    """
    A rate that each source is limited to over all workers.

    A bucket is the time at which it is full again (the generic cell rate algorithm of ITU-T I.371): one number, which
    workers read and write without a lock. When two workers take a token of one source at the same moment, the bucket
    may lose one token only. Sources that share their cells share their tokens.
    """

    def __init__(self, counters: SharedCounters, kind: str, rate: float, burst: float | None = None) -> None:
        """
        @param kind: what the rate counts. Limits of the same kind and rate share their tokens.
        @param rate: tokens per second that return to a bucket; above 0.
        @param burst: tokens that a bucket holds; by default twice the rate.
        """
        super().__init__(rate, burst)
        self._times = counters.times
        self._interval = 1.0 / rate
        self._capacity = (self._burst + TOLERANCE) * self._interval
        prefix = f"{kind} {rate:g} ".encode()

        @lru_cache(maxsize=MAX_SOURCES)
        def cells(source: str | bytes) -> Cells:
            return counters.cells(prefix + os.fsencode(source))

        self._cells = cells

    def take(self, source: str | bytes, now: float) -> bool:
        """
        Take one token out of a source's bucket.

        @param now: seconds, by the monotonic clock of the system.
        @return: whether there was a token.
        """
        times = self._times
        first, second = self._cells(source)
        fullAt = min(times[first], times[second])
        fullAt = (fullAt if fullAt > now else now) + self._interval
        if fullAt - now > self._capacity:
            return False
        if times[first] < fullAt:
            times[first] = fullAt
        if times[second] < fullAt:
            times[second] = fullAt
        return True


class SharedRateLimits(RateLimits):
    """
    One L{SharedRateLimit} for each rate.
    """

    def __init__(self, counters: SharedCounters, kind: str) -> None:
        super().__init__()
        self._counters = counters
        self._kind = kind

    def __missing__(self, rate: int) -> RateLimit:
        limit = self[rate] = SharedRateLimit(self._counters, self._kind, rate)
        return limit
