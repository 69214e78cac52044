"""
Faults that end a connection, or let nothing pass any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from sockservices.conversation.outcome import Outcome
from sockservices.faults.applied import Applied
from sockservices.faults.draws import Draws
from sockservices.faults.fault import Fault
from sockservices.faults.keys import IN, choice, seconds, whole
from sockservices.faults.stage import End, Piece, Stage, TimedPiece

__all__ = ["Hang", "Limit", "Refuse", "Reset", "outcomeWithFaults"]

_ENDS = {"fin": End.FIN, "reset": End.RESET, "hang": End.HANG}


def _endAfter(word: str, limit: int, end: End) -> Stage:
    """
    Pass a number of bytes, and then an end.
    """
    left = limit

    def limited(number: int, at: float, piece: Piece, applied: Applied) -> Iterator[TimedPiece]:
        nonlocal left
        if not isinstance(piece, bytes):
            yield at, piece
        elif left:
            passing = piece[:left]
            left -= len(passing)
            yield at, passing
            if not left:
                applied.add(word)
                yield at, end

    return limited


@dataclass(frozen=True)
class Limit(Fault):
    """
    After exactly C{bytes} bytes to the peer: a FIN, a reset when the peer's kernel has acknowledged them, or a hang.
    """

    word: ClassVar[str] = "limit"
    datagrams: ClassVar[bool] = False

    bytes: int = whole("bytes")
    then: str = choice("fin", *_ENDS)

    def stage(self, draws: Draws, ordered: bool) -> Stage:
        """
        Count the bytes to the peer.
        """
        return _endAfter(self.word, self.bytes, _ENDS[self.then])

    def trigger(self) -> tuple[float, End] | None:
        """
        Without a byte to pass, the connection ends at once.
        """
        return None if self.bytes else (0.0, _ENDS[self.then])


@dataclass(frozen=True)
class _AfterInput(Fault):
    """
    A fault that ends a connection C{after} seconds, or after the peer has sent C{afterBytes} bytes, which pass.
    """

    datagrams: ClassVar[bool] = False
    side: ClassVar[str] = IN
    end: ClassVar[End]

    after: float = seconds(0.0)
    afterBytes: int | None = whole("bytes", None, minimum=1)

    def __post_init__(self) -> None:
        """
        Check each value, and that only one of the two is given.
        """
        super().__post_init__()
        if self.after and self.afterBytes is not None:
            raise ValueError(f"{self.word}: after={self.after:g}: expected after or afterBytes, not both")

    def stage(self, draws: Draws, ordered: bool) -> Stage | None:
        """
        Count the bytes from the peer.
        """
        return None if self.afterBytes is None else _endAfter(self.word, self.afterBytes, self.end)

    def trigger(self) -> tuple[float, End] | None:
        """
        End the connection after seconds, unless the peer's bytes are counted.
        """
        return (self.after, self.end) if self.afterBytes is None else None


@dataclass(frozen=True)
class Reset(_AfterInput):
    """
    The connection is reset: after C{after} seconds, or after the peer has sent C{afterBytes} bytes.
    """

    word: ClassVar[str] = "reset"
    end: ClassVar[End] = End.RESET


@dataclass(frozen=True)
class Hang(_AfterInput):
    """
    Nothing passes any more, no end either: after C{after} seconds, or after the peer has sent C{afterBytes} bytes.
    """

    word: ClassVar[str] = "hang"
    end: ClassVar[End] = End.HANG


@dataclass(frozen=True)
class Refuse(Fault):
    """
    The connection is reset as soon as it is accepted.
    """

    word: ClassVar[str] = "refuse"
    datagrams: ClassVar[bool] = False

    def trigger(self) -> tuple[float, End]:
        """
        Reset at once.
        """
        return 0.0, End.RESET


_ENDING = frozenset({Limit.word, Reset.word, Hang.word, Refuse.word})


def outcomeWithFaults(outcome: Outcome, faults: Iterable[tuple[str, int]]) -> Outcome:
    """
    The outcome of a connection: L{Outcome.FAULT} if a fault decided how it ended, and not a deadline or the responder's
    exception.

    @param outcome: the outcome without regard to faults.
    @param faults: those that were applied, as in a visit.
    """
    byPeerOrService = outcome in (Outcome.DONE, Outcome.FINISHED, Outcome.RESET)
    return Outcome.FAULT if byPeerOrService and any(word in _ENDING for word, _ in faults) else outcome
