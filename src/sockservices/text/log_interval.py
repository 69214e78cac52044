"""
Limits how often a line is logged.
"""

from __future__ import annotations

from collections.abc import Hashable

__all__ = ["LogInterval"]


class LogInterval:
    """
    Allows one line for each kind in 10 seconds, so that peers cannot flood the log.
    """

    seconds = 10.0

    def __init__(self) -> None:
        self._silentUntil: dict[Hashable, float] = {}

    def allows(self, kind: Hashable, now: float) -> bool:
        """
        Whether a line may be logged now. If so, the caller logs it.

        @param now: seconds, by a clock that never goes back.
        """
        if now < self._silentUntil.get(kind, now):
            return False
        self._silentUntil[kind] = now + self.seconds
        return True
