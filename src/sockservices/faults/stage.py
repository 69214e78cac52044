"""
What a fault does to the pieces of a conversation. Pure: pieces and times go in, pieces and times come out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from itertools import count
from typing import TypeAlias

from sockservices.faults.applied import Applied

__all__ = ["MAX_HELD", "OVERHEAD", "End", "Piece", "Stage", "TimedPiece", "chained"]

#: The maximum number of bytes of delayed datagrams at one listener; each datagram counts L{OVERHEAD} bytes more. A
#: datagram over the maximum is lost, and counts as C{overflow}.
MAX_HELD, OVERHEAD = 1 << 20, 256


class End(Enum):
    """
    An end in the order of the pieces: of a direction, or of a connection.
    """

    FIN = 1  #: the sender has ended its direction
    CLOSE = 2  #: the protocol closes the connection
    RESET = 3  #: a fault resets the connection
    HANG = 4  #: a fault lets nothing pass from here on


#: The bytes of a segment or a datagram, or an end.
Piece: TypeAlias = bytes | End

#: A piece, and the time at which it passes, in seconds.
TimedPiece: TypeAlias = tuple[float, Piece]

#: The function of one fault in one direction of a connection, or of all datagrams of a listener. It is called with the
#: number of the piece (of the datagram at its listener), the time at which the piece arrives, the piece, and the record
#: of applied faults. It returns the pieces that replace the piece, in order.
Stage: TypeAlias = Callable[[int, float, Piece, Applied], Iterable[TimedPiece]]


def chained(stages: Sequence[Stage], applied: Applied) -> Callable[[float, Piece], Iterator[TimedPiece]]:
    """
    Chain the stages of one direction of a connection, and number the pieces that come to each.

    What a stage makes of a piece is computed only when it is taken, so that the slices of a segment take no memory.
    """
    numbers = [count() for _ in stages]

    def passed(at: float, piece: Piece, index: int = 0) -> Iterator[TimedPiece]:
        if index == len(stages):
            yield at, piece
            return
        for nextAt, nextPiece in stages[index](next(numbers[index]), at, piece, applied):
            yield from passed(nextAt, nextPiece, index + 1)

    return passed
