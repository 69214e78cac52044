"""
Token buckets: one per source, bounded in number.
"""

from __future__ import annotations

import math
from array import array
from collections import OrderedDict

__all__ = ["MAX_SOURCES", "RateLimit", "RateLimits"]

#: The maximum number of buckets of one limit, and its number of groups of sources whose buckets it has discarded.
MAX_SOURCES = 4096


class RateLimit:
    """
    A rate that each source is limited to, after a burst.

    Each source has a token bucket. At L{MAX_SOURCES} buckets, a new source takes the place of the least recently seen
    one. The discarded source does not regain its tokens: its group remembers when its bucket would have been full, and
    any source of the group that gets a bucket starts with no more tokens than that. So a source may get fewer tokens
    than its rate allows, but never more. The group is the hash of the source, which Python keys with a secret
    (PEP 456): no peer can choose the sources that share its group.

    @ivar rate: tokens per second that return to a bucket.
    """

    def __init__(self, rate: float, burst: float | None = None) -> None:
        """
        @param rate: tokens per second that return to a bucket; above 0.
        @param burst: tokens that a bucket holds; by default twice the rate.
        """
        self.rate = rate
        self._burst = 2.0 * rate if burst is None else float(burst)
        #: For each source the tokens in its bucket and the time of that count; the least recently seen source first.
        self._buckets: OrderedDict[str | bytes, list[float]] = OrderedDict()
        #: For each group the time, in seconds, when the last of its discarded buckets is full.
        self._fullAt = array("d", [-math.inf]) * MAX_SOURCES

    def take(self, source: str | bytes, now: float) -> bool:
        """
        Take one token out of a source's bucket.

        @param now: seconds. When the clock is set back, tokens return at the rate from then on.
        @return: whether there was a token.
        """
        bucket = self._buckets.get(source)
        if bucket is None:
            bucket = self._addBucket(source, now)
        else:
            self._buckets.move_to_end(source)
        tokens, then = bucket
        if now > then:
            tokens = min(self._burst, tokens + (now - then) * self.rate)
        taken = tokens >= 1.0
        bucket[0] = tokens - 1.0 if taken else tokens
        bucket[1] = now
        return taken

    def _addBucket(self, source: str | bytes, now: float) -> list[float]:
        """
        Make a bucket for a new source, and discard the least recently used one over L{MAX_SOURCES}.
        """
        missing = (self._fullAt[hash(source) % MAX_SOURCES] - now) * self.rate
        bucket = self._buckets[source] = [self._burst - min(max(missing, 0.0), self._burst), now]
        if len(self._buckets) > MAX_SOURCES:
            discarded, (tokens, then) = self._buckets.popitem(last=False)
            group = hash(discarded) % MAX_SOURCES
            self._fullAt[group] = max(self._fullAt[group], then + (self._burst - tokens) / self.rate)
        return bucket


class RateLimits(dict[int, RateLimit]):
    """
    One L{RateLimit} for each rate, made at its first use: listeners with different limits need different buckets, and
    listeners with the same limit share them.
    """

    def __missing__(self, rate: int) -> RateLimit:
        limit = self[rate] = RateLimit(rate)
        return limit
