"""
The comparison of received with expected data.
"""

from __future__ import annotations

__all__ = ["firstDifference"]


def firstDifference(expected: bytes, received: bytes) -> int:
    """
    The offset of the first byte that differs: the length of the shorter one, if the longer one begins with it.
    """
    length = min(len(expected), len(received))
    if expected[:length] == received[:length]:
        return length
    low = 0
    # By halves: a comparison of slices takes no Python call for each byte.
    while length - low > 1:
        middle = (low + length) // 2
        if expected[low:middle] == received[low:middle]:
            low = middle
        else:
            length = middle
    return low
