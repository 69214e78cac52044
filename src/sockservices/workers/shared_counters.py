"""
Counters in memory that all workers share. No operation takes a lock or calls the kernel.
"""

from __future__ import annotations

import mmap
import os
import secrets
from hashlib import blake2b
from operator import mul

__all__ = ["Cells", "SharedCounters"]

#: Cells in each of the two rows of a table. A key has one cell in each row. Two keys share both cells with a
#: probability of one in 2^32.
CELLS = 1 << 16

#: Bytes of the secret at the start of the memory.
SECRET_SIZE = 16

#: Bytes of the table of times.
TIMES_SIZE = 2 * CELLS * 8

#: Counters of a slot: whether its worker accepts connections, all its connections, and those of each cell. Each counter
#: is a row with one number for each slot.
SLOT_COUNTERS = 2 + 2 * CELLS

#: The cells of a key: one of each row.
Cells = tuple[int, int]


class SharedCounters:
    """
    Connections by worker and source, and the times of rate limits by source.

    A source is found by a hash with a secret key, so that no peer can choose the sources that share its cells. As in a
    count-min sketch, the lower of a source's two cells is its count: it is exact, or too high if other sources use both
    cells.

    Each worker writes the connections of its own slot only. The times have several writers: if two workers write one at
    the same moment, one of the two writes is lost.

    @ivar times: seconds by the monotonic clock, which all processes share; index it by a cell.
    @ivar slots: the number of slots.
    """

    def __init__(self, descriptor: int) -> None:
        """
        @param descriptor: the memory that L{create} made; it may be closed afterwards.
        """
        size = os.fstat(descriptor).st_size
        memory = memoryview(mmap.mmap(descriptor, size))
        self._secret = bytes(memory[:SECRET_SIZE])
        self.times = memory[SECRET_SIZE : SECRET_SIZE + TIMES_SIZE].cast("d")
        self._connections = memory[SECRET_SIZE + TIMES_SIZE :].cast("I")
        self.slots = len(self._connections) // SLOT_COUNTERS

    @staticmethod
    def create(slots: int) -> int:
        """
        Make the memory.

        @param slots: the maximum number of workers that use it at a time.
        @return: its descriptor.
        """
        descriptor = os.memfd_create("sockservices")
        os.ftruncate(descriptor, SECRET_SIZE + TIMES_SIZE + slots * SLOT_COUNTERS * 4)
        os.pwrite(descriptor, secrets.token_bytes(SECRET_SIZE), 0)
        return descriptor

    def cells(self, key: bytes) -> Cells:
        """
        Find the cells of a key.
        """
        digest = blake2b(key, digest_size=8, key=self._secret).digest()
        first, second = int.from_bytes(digest[:4], "big"), int.from_bytes(digest[4:], "big")
        return first % CELLS, CELLS + second % CELLS

    def add(self, slot: int, cells: tuple[int, ...], change: int) -> None:
        """
        Change the number of connections of a worker and of a source.

        @param cells: the cells of the source; empty for a connection that has none.
        """
        connections, slots = self._connections, self.slots
        # All connections are counted first and discounted last: a worker may be killed in between, see clear().
        rows = [1, *[2 + cell for cell in cells]]
        for row in rows if change > 0 else reversed(rows):
            connections[row * slots + slot] += change

    def setAccepting(self, slot: int, accepting: bool) -> None:
        """
        Set whether a worker accepts connections.
        """
        self._connections[slot] = accepting

    def excess(self, slot: int) -> float:
        """
        By how many connections a worker exceeds its share: the mean of the workers that accept, and 3 % more.
        """
        accepting, counts = self._row(0), self._row(1)
        mean: float = sum(map(mul, accepting, counts)) / max(1, sum(accepting))
        return counts[slot] - mean - mean / 32

    def total(self) -> int:
        """
        The number of connections of all workers.
        """
        return sum(self._row(1))

    def totalOf(self, cells: Cells) -> int:
        """
        The number of connections of a source, with all workers.
        """
        return min(sum(self._row(2 + cell)) for cell in cells)

    def _row(self, number: int) -> list[int]:
        """
        One counter of all workers.
        """
        start = number * self.slots
        row: list[int] = self._connections[start : start + self.slots].tolist()
        return row

    def clear(self, slot: int) -> None:
        """
        Set the counters of a worker that has ended to 0.
        """
        self.setAccepting(slot, False)
        if self._connections[self.slots + slot]:
            # This allocates all pages of the memory.
            self._connections[slot :: self.slots] = memoryview(bytes(4 * SLOT_COUNTERS)).cast("I")
