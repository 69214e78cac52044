"""
Text that a user gave, as one printable line.
"""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str) -> str:
    """
    Escape control characters, ends of lines, and bytes that are no text: a terminal may act on them.
    """
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
