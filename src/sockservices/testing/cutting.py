"""
The ways in which a network may cut a message.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, combinations, pairwise
from random import Random

__all__ = ["segmentations"]

#: The most bytes of a message that is cut in all ways: with each byte more there are twice as many.
SHORT = 10

#: The bytes of one segment on an Ethernet: 1500, less the headers of IP and of TCP with its timestamps.
ETHERNET = 1448

#: The most cuts of a random way.
CUTS = 64


def segmentations(message: bytes, random: Random | None = None, ways: int = 16) -> Iterator[list[bytes]]:
    """
    The ways in which the network may cut a message into segments. The uncut one comes first.

    Of a message of up to 10 bytes these are all. Of a longer one they are those in which programs fail most: each byte
    alone, the first or the last byte alone, segments of the size of an Ethernet's; and some random ones.

    @param random: the source of chance; without one the same ways come every time.
    @param ways: how many random ones.
    """
    for cuts in dict.fromkeys(_cuts(len(message), Random(0) if random is None else random, ways)):
        yield [message[start:end] for start, end in pairwise((0, *cuts, len(message)))] if message else []


def _cuts(length: int, random: Random, ways: int) -> Iterable[tuple[int, ...]]:
    """
    Where to cut: the offsets at which a new segment begins.
    """
    inner = range(1, length)
    if length <= SHORT:
        return chain.from_iterable(combinations(inner, count) for count in range(max(length, 1)))
    chosen = (tuple(sorted(random.sample(inner, random.randint(1, min(CUTS, len(inner)))))) for _ in range(ways))
    return chain([(), tuple(inner), (1,), (length - 1,), tuple(range(ETHERNET, length, ETHERNET))], chosen)
