"""
The failure of an expectation.
"""

from __future__ import annotations

__all__ = ["Mismatch"]

#: The most bytes of each side that a message shows, and how many of them come before the first difference.
MAX_SHOWN, SHOWN_BEFORE = 72, 24


class Mismatch(AssertionError):  # noqa: N818 (a result of a test, as AssertionError is)
    """
    The peer did not send what was expected. C{str()} shows both, one below the other.

    @ivar expected: bytes; the pattern, as bytes; or L{None} for the end of the stream.
    @ivar received: the bytes that came in place of it, as far as they had come.
    @ivar offset: the first byte of C{received} that differs. It is the length of C{received} if too few bytes came.
    """

    def __init__(self, expected: bytes | None, received: bytes, offset: int, reason: str = "", pattern: bool = False):
        """
        @param reason: why no more bytes came, such as C{"the peer ended"}.
        @param pattern: whether C{expected} is a pattern.
        """
        super().__init__(expected, received, offset, reason)
        self.expected = expected
        self.received = received
        self.offset = offset
        start = max(0, offset - SHOWN_BEFORE)
        if expected is None:
            self._expected = "the end of the stream"
        elif pattern:
            self._expected = f"a match of {expected!r}"
        else:
            self._expected = _excerpt(expected, start)
        self._received = _excerpt(received, start)
        self._difference = f"different from byte {offset} on{reason and f'; {reason}'}"

    def __str__(self) -> str:
        return f"{self._difference}\n    expected: {self._expected}\n    received: {self._received}"

    @property
    def line(self) -> str:
        """
        The same in one line of printable ASCII, for the log.
        """
        return f"expected {self._expected}, received {self._received}: {self._difference}"


def _excerpt(data: bytes, start: int) -> str:
    text = repr(data[start : start + MAX_SHOWN])
    return f"{'...' if start else ''}{text}{'...' if len(data) > start + MAX_SHOWN else ''}"
