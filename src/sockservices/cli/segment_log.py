"""
The segments of a conversation, one row each.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["SegmentLog"]


class SegmentLog:
    """
    Prints a row for each segment or datagram, and for each end of a connection.
    """

    def __init__(self, now: Callable[[], float], printRow: Callable[[str], object]) -> None:
        """
        @param now: the time in seconds, by any clock. The rows have the time since this call.
        @param printRow: prints one line.
        """
        self._now = now
        self._printRow = printRow
        self._startedAt = now()

    def sent(self, data: bytes) -> None:
        """
        Print a row for data that was sent.
        """
        self._print("->", *_cells(data))

    def received(self, data: bytes) -> None:
        """
        Print a row for data that was received.
        """
        self._print("<-", *_cells(data))

    def ended(self, direction: str, end: str) -> None:
        """
        Print a row for the end of a connection.

        @param direction: C{"->"} if this side ended it, C{"<-"} if the peer did.
        @param end: such as C{"FIN"}.
        """
        self._print(direction, end)

    def _print(self, *cells: str) -> None:
        self._printRow("\t".join((f"{self._now() - self._startedAt:.6f} s", *cells)))


def _cells(data: bytes) -> tuple[str, str]:
    return f"{len(data)} byte{'s' * (len(data) != 1)}", repr(data)
