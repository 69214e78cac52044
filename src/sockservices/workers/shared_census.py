"""
The census of one worker, whose limits hold for all workers together.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import count

from sockservices.admission.addresses import sourceOf
from sockservices.admission.census import Census
from sockservices.admission.rate_limit import MAX_SOURCES
from sockservices.conversation.policy import DEFAULT_UDP_RATE, DEFAULT_UNIX_BURST, Policy
from sockservices.workers.shared_counters import Cells, SharedCounters
from sockservices.workers.shared_rate_limit import SharedRateLimit, SharedRateLimits

__all__ = ["SharedCensus"]

#: Serial numbers that each worker has for itself: as many bits as leave 2^13 workers in the integers of a JSON reader
#: that has doubles (RFC 8259 section 6).
SERIAL_BITS = 40


class SharedCensus(Census):
    """
    Counts what one worker does. The limits on connections and rates count over all workers.

    A worker counts a connection first, then compares the sum over all workers with the limit, and takes its count back
    if the sum is too high. So two connections that arrive at two workers at the same moment may both be refused for the
    last free place, and never both be admitted.
    """

    def __init__(self, counters: SharedCounters, slot: int, number: int, trusted: Iterable[str] = ()) -> None:
        """
        @param slot: the slot of this worker.
        @param number: the number of this worker, from 1; no two workers of a server have the same.
        """
        super().__init__(trusted=trusted)
        self.nextSerial = count((number - 1 << SERIAL_BITS) + 1).__next__
        self._counters = counters
        self._slot = slot
        self._connectionRates = SharedRateLimits(counters, "connections")
        self._replyRates = SharedRateLimits(counters, "replies")
        self._defaultUnixRate = SharedRateLimit(counters, "unix", DEFAULT_UDP_RATE, burst=DEFAULT_UNIX_BURST)

        @lru_cache(maxsize=MAX_SOURCES)
        def cells(key: str) -> Cells:
            return counters.cells(key.encode(errors="surrogateescape"))

        self._cells = cells

    def _count(self, host: str | None, change: int) -> None:
        self._counters.add(self._slot, () if host is None else self._cells(sourceOf(host).key), change)

    def admit(self, host: str | None, policy: Policy, now: float) -> bool:
        """
        Admit a connection and count it, unless a limit is reached over all workers.
        """
        self._count(host, 1)
        if super().admit(host, policy, now):
            return True
        self._count(host, -1)
        return False

    def release(self, host: str | None) -> None:
        """
        Count an admitted connection as ended.
        """
        super().release(host)
        self._count(host, -1)

    def setAccepting(self, accepting: bool) -> None:
        """
        Set whether this worker accepts connections.
        """
        self._counters.setAccepting(self._slot, accepting)

    def excess(self) -> float:
        """
        By how many connections this worker exceeds its share.
        """
        return self._counters.excess(self._slot)

    def openConnections(self) -> int:
        """
        The number of open connections of all workers, without the one that is to be admitted.
        """
        return self._counters.total() - 1

    def openConnectionsOf(self, key: str) -> int:
        """
        The number of open connections of one source, with all workers, without the one that is to be admitted.
        """
        return self._counters.totalOf(self._cells(key)) - 1
