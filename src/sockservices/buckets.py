"""
Token buckets, one for each source, bounded in number.
"""

from __future__ import annotations

from collections import OrderedDict

__all__ = ["Buckets"]

#: The most sources that are remembered; beyond it the one not seen for longest is forgotten.
MOST = 4096


class Buckets:
    """
    How often each source may do a thing: a steady rate, after a burst of twice as many.
    """

    def __init__(self) -> None:
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, source: str, rate: float, now: float) -> bool:
        """
        Take one token out of a source's bucket.

        @param rate: tokens that come back in a second; the bucket holds twice as many.
        @param now: seconds. A clock that is set back costs the source nothing but the time until it is where it was.
        @return: whether there was one to take.
        """
        burst = 2.0 * rate
        level, then = self._levels.pop(source, (burst, now))
        level = min(burst, level + max(0.0, now - then) * rate)
        taken = level >= 1.0
        self._levels[source] = (level - 1.0 if taken else level, now)
        if len(self._levels) > MOST:
            self._levels.popitem(last=False)
        return taken
