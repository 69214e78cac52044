"""
Faults of time: latency, bandwidth, and small pieces.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from sockservices.faults.applied import Applied
from sockservices.faults.draws import Draws
from sockservices.faults.fault import Fault
from sockservices.faults.keys import bothWays, number, seconds, whole
from sockservices.faults.stage import MAX_HELD, OVERHEAD, Piece, Stage, TimedPiece

__all__ = ["Bandwidth", "Latency", "Slice"]

#: Seconds of a connection's bandwidth that pass as one piece.
BANDWIDTH_INTERVAL = 0.02


def _cut(piece: bytes, size: int) -> Iterator[bytes]:
    return (piece[start : start + size] for start in range(0, len(piece), size))


class _Queue:
    """
    The datagrams that wait for a line: as many as a listener holds.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, int]] = deque()
        self._bytes = 0

    def add(self, at: float, until: float, size: int) -> bool:
        """
        Add a datagram, unless the queue is full.

        @param at: the present time, in seconds.
        @param until: the time at which the datagram leaves the queue.
        """
        while self._waiting and self._waiting[0][0] <= at:
            self._bytes -= self._waiting.popleft()[1]
        if self._bytes + size + OVERHEAD > MAX_HELD:
            return False
        self._waiting.append((until, size + OVERHEAD))
        self._bytes += size + OVERHEAD
        return True


@dataclass(frozen=True)
class Latency(Fault):
    """
    Every segment, datagram and end passes C{delay} seconds later, more or less by up to C{jitter}. On connections the
    order is kept.
    """

    word: ClassVar[str] = "latency"

    delay: float = seconds()
    jitter: float = seconds(0.0)
    direction: str = bothWays()

    def stage(self, draws: Draws, ordered: bool) -> Stage:
        """
        Delay each piece.
        """
        last = 0.0

        def delayed(number: int, at: float, piece: Piece, applied: Applied) -> Iterator[TimedPiece]:
            nonlocal last
            at += max(0.0, self.delay + self.jitter * (2 * draws.uniform(number) - 1))
            if ordered:
                at = last = max(at, last)
            applied.add(self.word)
            yield at, piece

        return delayed


@dataclass(frozen=True)
class Bandwidth(Fault):
    """
    The bytes pass no faster than C{rate}: those of each connection, or those of all datagrams of a listener.
    """

    word: ClassVar[str] = "bandwidth"

    rate: float = number("bytes per second", minimum=1)
    direction: str = bothWays()

    def stage(self, draws: Draws, ordered: bool) -> Stage:
        """
        Delay the bytes. Divide those of a connection, so that they pass at a steady rate.
        """
        size = max(1, int(self.rate * BANDWIDTH_INTERVAL))
        free = 0.0  # when the line is free again
        queue = _Queue()

        def throttled(number: int, at: float, piece: Piece, applied: Applied) -> Iterator[TimedPiece]:
            nonlocal free
            free = max(at, free)
            if not piece or not isinstance(piece, bytes):
                yield free, piece
                return
            if not ordered and not queue.add(at, free + len(piece) / self.rate, len(piece)):
                # The listener cannot hold it. It must not delay later datagrams.
                applied.add("overflow")
                return
            applied.add(self.word)
            for part in _cut(piece, size) if ordered else (piece,):
                free += len(part) / self.rate
                yield free, part

        return throttled


@dataclass(frozen=True)
class Slice(Fault):
    """
    The peer gets pieces of C{size} bytes, each sent by itself, C{delay} seconds apart.
    """

    word: ClassVar[str] = "slice"
    datagrams: ClassVar[bool] = False

    size: int = whole("bytes", minimum=1)
    delay: float = seconds(0.0)

    def stage(self, draws: Draws, ordered: bool) -> Stage:
        """
        Cut the segments. An end follows the last piece without a delay.
        """
        last = -self.delay

        def sliced(number: int, at: float, piece: Piece, applied: Applied) -> Iterator[TimedPiece]:
            nonlocal last
            if not isinstance(piece, bytes):
                yield max(at, last), piece
                return
            for part in _cut(piece, self.size):
                last = max(at, last + self.delay)
                applied.add(self.word)
                yield last, part

        return sliced
