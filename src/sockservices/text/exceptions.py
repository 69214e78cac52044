"""
An exception as one line of printable text.
"""

from __future__ import annotations

from traceback import extract_tb

__all__ = ["exceptionText"]

#: The maximum length of an exception's C{repr}, in characters.
MAX_REPR = 200


def exceptionText(exception: BaseException) -> str:
    """
    Format an exception, and the file and line that raised it, as one line of printable ASCII.

    The C{repr} may hold bytes that a peer chose: it is escaped and cut, so that no peer can forge a log line.
    """
    text = repr(exception).encode("unicode_escape").decode("ascii")[:MAX_REPR]
    frames = extract_tb(exception.__traceback__)
    return f"{text} at {frames[-1].filename}:{frames[-1].lineno}" if frames else text
