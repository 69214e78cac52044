"""
The pieces of one direction of a connection on their way through faults.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from sockservices.faults.applied import Applied
from sockservices.faults.stage import Piece, Stage, TimedPiece, chained

__all__ = ["Flow"]

#: The maximum number of pieces that pass in one turn of the reactor.
PIECES_PER_TURN = 64

#: The memory in bytes of a waiting piece beside its content: a tuple, a float, and the header of a bytes object.
PIECE_OVERHEAD = 160


class Flow:
    """
    Holds the pieces of one direction, in order, and delivers each at its time.

    @ivar held: the number of bytes held.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        clock: IReactorTime,
        applied: Applied,
        deliver: Callable[[Piece], object],
        delay: Callable[[], float | None],
    ) -> None:
        """
        @param stages: the stages of the faults, in the order in which they act.
        @param deliver: called with each piece.
        @param delay: the seconds until the receiver accepts another piece: 0 for now; L{None} if the receiver calls
            L{pump} at that time.
        """
        self._chain, self._clock = chained(stages, applied), clock
        self._deliver, self._delay = deliver, delay
        self._waiting: deque[tuple[float, Piece]] = deque()
        self._passing: Iterator[TimedPiece] = iter(())
        self._next: TimedPiece | None = None
        self._waitingBytes = self._passingBytes = 0
        self._timer: IDelayedCall | None = None
        self._pumping = self._closed = False

    @property
    def held(self) -> int:
        """
        The number of bytes held.
        """
        return self._waitingBytes + self._passingBytes

    @property
    def memory(self) -> int:
        """
        The number of bytes of memory that the pieces take: more than L{held}, of small pieces a multiple.
        """
        return self.held + PIECE_OVERHEAD * len(self._waiting)

    @property
    def empty(self) -> bool:
        """
        Whether no piece is held.
        """
        return self._next is None and not self._waiting and not self._passingBytes

    def add(self, piece: Piece) -> None:
        """
        Add a piece, which has come now.
        """
        if self._closed:
            return
        self._waiting.append((self._clock.seconds(), piece))
        self._waitingBytes += len(piece) if isinstance(piece, bytes) else 0
        self.pump()

    def pump(self) -> None:
        """
        Deliver the pieces whose time has come.
        """
        if self._pumping:
            return
        self._pumping = True
        try:
            for _ in range(PIECES_PER_TURN):
                delay = self._delay()
                if delay == 0 and self._take():
                    assert self._next is not None
                    delay = self._next[0] - self._clock.seconds()
                elif delay == 0:
                    return
                # The clock may be a rounding error before the time of the piece.
                if delay is None or delay > 1e-9:
                    break
                self._deliverNext()
            else:
                delay = 0.0
        finally:
            self._pumping = False
        self._cancelTimer()
        if delay is not None:
            self._timer = self._clock.callLater(max(0.0, delay), self._wake)

    def _wake(self) -> None:
        self._timer = None
        self.pump()

    def _take(self) -> bool:
        """
        Take the next piece from the stages.

        @return: whether there is one.
        """
        while self._next is None:
            self._next = next(self._passing, None)
            if self._next is None:
                self._passingBytes = 0
                if not self._waiting:
                    return False
                at, piece = self._waiting.popleft()
                self._passingBytes = len(piece) if isinstance(piece, bytes) else 0
                self._waitingBytes -= self._passingBytes
                self._passing = self._chain(at, piece)
        return True

    def _deliverNext(self) -> None:
        assert self._next is not None
        (_, piece), self._next = self._next, None
        if isinstance(piece, bytes):
            self._passingBytes -= len(piece)
        self._deliver(piece)

    def flush(self) -> None:
        """
        Deliver all pieces now, whatever their times.
        """
        while self._take():
            self._deliverNext()

    def close(self) -> None:
        """
        Drop all pieces, and those that are still to come.
        """
        self._closed = True
        self._cancelTimer()
        self._waiting.clear()
        self._passing, self._next = iter(()), None
        self._waitingBytes = self._passingBytes = 0

    def _cancelTimer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
