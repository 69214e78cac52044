"""
The random numbers of faults. Each is a function of its names only: it depends neither on time nor on earlier numbers.
"""

from __future__ import annotations

from hashlib import blake2b
from random import Random, SystemRandom

__all__ = ["Draws", "randomSeed"]


class Draws:
    """
    Random numbers by name. The name consists of the seed, the listener, the fault and the purpose; the number comes
    from its hash.
    """

    __slots__ = ("_names",)

    def __init__(self, *names: object) -> None:
        """
        @param names: the seed, the listener, and so on; their C{str()} is hashed.
        """
        self._names = "/".join(map(str, names))

    def of(self, *names: object) -> Draws:
        """
        The random numbers of a part, such as one conversation.
        """
        return Draws(self._names, *names)

    def _bits(self, *names: object) -> int:
        text = "/".join((self._names, *map(str, names)))
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())

    def uniform(self, *names: object) -> float:
        """
        A number from 0 up to, but not including, 1.
        """
        # A float has 53 bits of precision: the quotient of 64 bits could be rounded to 1.
        return (self._bits(*names) >> 11) / (1 << 53)

    def random(self, *names: object) -> Random:
        """
        A source of random numbers, for a decision that takes many.
        """
        return Random(self._bits(*names))


def randomSeed() -> int:
    """
    A seed for a run whose user gave none.
    """
    return SystemRandom().randrange(2**32)
