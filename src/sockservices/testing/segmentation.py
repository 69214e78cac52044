"""
The segmentations of a message: TCP may split it at any byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, combinations, pairwise
from random import Random

__all__ = ["segmentations"]

#: Messages of up to this many bytes are split in all ways. Each further byte doubles the number of ways.
MAX_EXHAUSTIVE_LENGTH = 10

#: The payload of a TCP segment on Ethernet: 1500 bytes, less 20 (IPv4), 20 (TCP) and 12 (timestamps, RFC 7323).
ETHERNET_SEGMENT = 1448

#: The maximum number of places at which a random segmentation splits.
MAX_RANDOM_SPLITS = 64


def segmentations(message: bytes, random: Random | None = None, ways: int = 16) -> Iterator[list[bytes]]:
    """
    Yield segmentations of a message, each as a list of segments. The first one is the whole message.

    For a message of up to 10 bytes these are all segmentations. For a longer one they are those that reveal most
    errors (single bytes; the first or the last byte apart; segments of 1448 bytes, as on Ethernet), and random ones.

    @param random: the source of random numbers; by default the same in every run.
    @param ways: the number of random segmentations.
    """
    for splits in dict.fromkeys(_splits(len(message), Random(0) if random is None else random, ways)):
        yield [message[start:end] for start, end in pairwise((0, *splits, len(message)))] if message else []


def _splits(length: int, random: Random, ways: int) -> Iterable[tuple[int, ...]]:
    """
    The offsets at which new segments begin, for each segmentation.
    """
    inner = range(1, length)
    if length <= MAX_EXHAUSTIVE_LENGTH:
        return chain.from_iterable(combinations(inner, count) for count in range(max(length, 1)))
    most = min(MAX_RANDOM_SPLITS, len(inner))
    chosen = (tuple(sorted(random.sample(inner, random.randint(1, most)))) for _ in range(ways))
    typical = [(), tuple(inner), (1,), (length - 1,), tuple(range(ETHERNET_SEGMENT, length, ETHERNET_SEGMENT))]
    return chain(typical, chosen)
