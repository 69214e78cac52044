"""
The record of the faults that were applied.
"""

from __future__ import annotations

from collections import Counter

__all__ = ["Applied"]


class Applied:
    """
    Counts the faults that were applied to one conversation.
    """

    __slots__ = ("_counts", "_total")

    def __init__(self, total: Counter[str]) -> None:
        """
        @param total: counts the same over all conversations.
        """
        self._counts: Counter[str] = Counter()
        self._total = total

    def add(self, word: str, times: int = 1) -> None:
        """
        Count a fault.
        """
        self._counts[word] += times
        self._total[word] += times

    @property
    def faults(self) -> tuple[tuple[str, int], ...]:
        """
        The word of each fault that was applied, and how often, in the order of their first application.
        """
        return tuple(self._counts.items())
