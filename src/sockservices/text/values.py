"""
Text that a user gave, as one printable line.
"""

from __future__ import annotations

import re

__all__ = ["printable", "quoted"]


def printable(text: str) -> str:
    """
    Escape control characters, ends of lines, and bytes that are no text: a terminal may act on them.
    """
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def quoted(value: str) -> str:
    """
    Give a value for a message: unchanged if it is printable ASCII without blanks, or else quoted and escaped.
    """
    return value if re.fullmatch("[!-~]+", value) else ascii(value)
