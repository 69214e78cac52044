"""
A fault as one line of text.
"""

from __future__ import annotations

from traceback import extract_tb

__all__ = ["faultText"]

#: The most characters of what an exception says of itself.
MOST = 200


def faultText(fault: BaseException) -> str:
    """
    An exception and where it was raised, in one printable line: what it says may hold bytes that a peer chose.
    """
    text = repr(fault).encode("unicode_escape").decode("ascii")[:MOST]
    frames = extract_tb(fault.__traceback__)
    return f"{text} at {frames[-1].filename}:{frames[-1].lineno}" if frames else text
