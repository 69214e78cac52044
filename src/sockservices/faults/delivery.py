"""
Faults in the delivery of datagrams: loss, duplicates, and replies out of order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from sockservices.faults.applied import Applied
from sockservices.faults.draws import Draws
from sockservices.faults.fault import Fault
from sockservices.faults.keys import bothWays, number, seconds, share
from sockservices.faults.stage import Piece, Stage, TimedPiece

__all__ = ["Duplicate", "Loss", "Reorder"]


class _Gilbert:
    """
    Gilbert's model: a chain of two states, good and bad; in the bad state each datagram is lost.

    The state is a function of the number of the datagram. One random number drives each step: below C{_toBad} the next
    state is bad, from C{_toGood} on it is good, and between the two it stays as it was. So the last decisive number
    gives the state.
    """

    def __init__(self, rate: float, burst: float, draws: Draws) -> None:
        self._draws = draws
        # A run of independent losses has a mean length of 1 / (1 - rate) already.
        burst = max(burst, 1 / (1 - rate)) if rate < 1 else 1.0
        self._toBad = rate / (1 - rate) / burst if rate < 1 else 1.0
        self._toGood = max(self._toBad, 1 - 1 / burst)
        self._start = draws.uniform("start") < rate  # the stationary distribution of the chain
        self._known = 0, self._start  # the latest number and its state, so that no state is worked out twice

    def isBad(self, number: int) -> bool:
        """
        The state for a datagram.
        """
        known, state = self._known
        for each in range(number, 0, -1):
            if each == known:
                break
            drawn = self._draws.uniform(each)
            if not self._toBad <= drawn < self._toGood:
                state = drawn < self._toBad
                break
        else:
            state = self._start
        self._known = number, state
        return state


@dataclass(frozen=True)
class Loss(Fault):
    """
    A datagram is not delivered, with the probability C{rate}. C{burst} is the mean length of a run of lost datagrams;
    without it they are lost independently of each other.
    """

    word: ClassVar[str] = "loss"
    streams: ClassVar[bool] = False

    rate: float = share()
    burst: float = number("datagrams", 1.0, minimum=1)
    direction: str = bothWays()

    def stage(self, draws: Draws, ordered: bool) -> Stage:
        """
        Lose datagrams.
        """
        chain = _Gilbert(self.rate, self.burst, draws)

        def delivered(number: int, at: float, piece: Piece, applied: Applied) -> Iterator[TimedPiece]:
            if chain.isBad(number):
                applied.add(self.word)
            else:
                yield at, piece

        return delivered


@dataclass(frozen=True)
class Duplicate(Fault):
    """
    A reply is sent twice, with the probability C{rate}.
    """

    word: ClassVar[str] = "duplicate"
    streams: ClassVar[bool] = False

    rate: float = share()

    def stage(self, draws: Draws, ordered: bool) -> Stage:
        """
        Duplicate replies.
        """

        def duplicated(number: int, at: float, piece: Piece, applied: Applied) -> Iterator[TimedPiece]:
            yield at, piece
            if draws.uniform(number) < self.rate:
                applied.add(self.word)
                yield at, piece

        return duplicated


@dataclass(frozen=True)
class Reorder(Fault):
    """
    A reply is held back for C{delay} seconds, with the probability C{rate}, so that later replies overtake it.
    """

    word: ClassVar[str] = "reorder"
    streams: ClassVar[bool] = False

    rate: float = share()
    delay: float = seconds(0.05)

    def stage(self, draws: Draws, ordered: bool) -> Stage:
        """
        Hold replies back.
        """

        def reordered(number: int, at: float, piece: Piece, applied: Applied) -> Iterator[TimedPiece]:
            if draws.uniform(number) < self.rate:
                applied.add(self.word)
                at += self.delay
            yield at, piece

        return reordered
