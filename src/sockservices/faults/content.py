"""
Faults of content: flipped bits, and truncated datagrams.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from sockservices.faults.applied import Applied
from sockservices.faults.draws import Draws
from sockservices.faults.fault import Fault
from sockservices.faults.keys import bothWays, share, whole
from sockservices.faults.stage import End, Piece, Stage, TimedPiece

__all__ = ["Corrupt", "Truncate"]

#: More bytes than any connection has. The quotient of a gap with a very small rate is infinite.
MAX_GAP = 2.0**63


class _Flips:
    """
    The flipped bits of a row of bytes. The gaps between them are geometric.
    """

    def __init__(self, rate: float, random: Random) -> None:
        self._rate, self._random = rate, random
        self._gap = self._nextGap()

    def _nextGap(self) -> float:
        if not 0 < self._rate < 1:
            return 0 if self._rate else math.inf
        gap = math.log(1 - self._random.random()) / math.log1p(-self._rate)
        return math.floor(min(gap, MAX_GAP))

    def apply(self, data: bytes) -> tuple[bytes, int]:
        """
        Flip bits in the next bytes.

        @return: the bytes, and how many of them changed.
        """
        changed, count = bytearray(data), 0
        while self._gap < len(changed):
            changed[int(self._gap)] ^= 1 << self._random.randrange(8)
            count += 1
            self._gap += 1 + self._nextGap()
        self._gap -= len(changed)
        return bytes(changed), count


@dataclass(frozen=True)
class Corrupt(Fault):
    """
    One bit of a byte flips, with the probability C{rate} for each byte. The length stays.
    """

    word: ClassVar[str] = "corrupt"

    rate: float = share()
    direction: str = bothWays()

    def stage(self, draws: Draws, ordered: bool) -> Stage:
        """
        Flip bits. On a connection their positions are offsets in the stream, and do not depend on its segmentation.
        """
        stream = _Flips(self.rate, draws.random("stream")) if ordered else None

        def corrupted(number: int, at: float, piece: Piece, applied: Applied) -> Iterator[TimedPiece]:
            if not isinstance(piece, End):
                piece, count = (stream or _Flips(self.rate, draws.random(number))).apply(piece)
                if count:
                    applied.add(self.word, count if ordered else 1)
            yield at, piece

        return corrupted


@dataclass(frozen=True)
class Truncate(Fault):
    """
    Truncates a reply of more than C{bytes} bytes to that length.
    """

    word: ClassVar[str] = "truncate"
    streams: ClassVar[bool] = False

    bytes: int = whole("bytes")

    def stage(self, draws: Draws, ordered: bool) -> Stage:
        """
        Cut the replies.
        """

        def truncated(number: int, at: float, piece: Piece, applied: Applied) -> Iterator[TimedPiece]:
            if not isinstance(piece, End) and len(piece) > self.bytes:
                applied.add(self.word)
                piece = piece[: self.bytes]
            yield at, piece

        return truncated
