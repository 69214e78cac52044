"""
What a far end has said.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from sockservices.conformance.deviation import Deviation, compared, shown

__all__ = ["End", "Heard"]


class End(Enum):
    """
    What came after the words.
    """

    CLEAN = "an end"
    RESET = "a reset"
    SILENCE = "silence"
    MORE = "more"


class Heard(NamedTuple):
    """
    All that was heard of a conversation, or a datagram.

    @ivar end: what came after the words; L{None} for a datagram, which has no end.
    @ivar ours: our own address in it, as text.
    @ivar at: when it was over, in seconds since 1970-01-01 00:00 UTC.
    """

    words: bytes
    end: End | None = None
    ours: str = ""
    at: float = 0.0

    def __str__(self) -> str:
        return shown(self.words) + self._then

    @property
    def _then(self) -> str:
        return f", then {self.end.value}" if self.end else ""

    def only(self, expected: bytes) -> None:
        """
        These words, and then a clean end.

        @raise Deviation: when that is not so.
        """
        self.says(expected)
        self.ended()

    def says(self, expected: bytes) -> None:
        """
        These words and no others, however they end.

        @raise Deviation: when that is not so.
        """
        if self.words != expected:
            seen, wanted = compared(self.words, expected)
            told = self.end in (End.RESET, End.SILENCE) or (self.end is End.CLEAN and expected.startswith(self.words))
            raise Deviation(seen + self._then if told else seen, wanted)

    def ended(self) -> None:
        """
        A clean end, whatever the words.

        @raise Deviation: when that is not so.
        """
        if self.end not in (End.CLEAN, None):
            raise Deviation(str(self), "its words, then an end")

    def silent(self) -> None:
        """
        No words, and no end either.

        @raise Deviation: when that is not so.
        """
        if self.words or self.end is not End.SILENCE:
            raise Deviation(shown(self.words) if self.words else str(self), "silence")
