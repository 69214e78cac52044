"""
The comparison of received with expected data.
"""

from __future__ import annotations

__all__ = ["firstDifference"]


def firstDifference(one: bytes, other: bytes) -> int:
    """
    Return the index of the first different byte. If one is the beginning of the other, it is the length of the shorter.
    """
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (ours, theirs) in pairs if ours != theirs), min(len(one), len(other)))
