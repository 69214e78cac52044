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
        self._levels: OrderedDict[str, list[float]] = OrderedDict()

    def take(self, source: str, rate: float, now: float) -> bool:
        """
        Take one token out of a source's bucket.

        @param rate: tokens that come back in a second; the bucket holds twice as many.
        @param now: seconds. A clock that is set back costs the source nothing but the time until it is where it was.
        @return: whether there was one to take.
        """
        levels = self._levels
        bucket = levels.get(source)
        if bucket is None:
            levels[source] = [2.0 * rate - 1.0, now]
            if len(levels) > MOST:
                levels.popitem(last=False)
            return True
        levels.move_to_end(source)
        level, then = bucket
        if now > then:
            level = min(2.0 * rate, level + (now - then) * rate)
        taken = level >= 1.0
        bucket[0] = level - 1.0 if taken else level
        bucket[1] = now
        return taken
