"""
What came from a peer, on a terminal.
"""

from __future__ import annotations

import sys

__all__ = ["printable", "say"]


def printable(said: bytes) -> str:
    r"""
    Bytes as text that can do nothing to a terminal: lines stay lines, and what is no text shows as C{\x..}.
    """
    text = said.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else letter.encode("unicode_escape").decode()
        for letter in text
    )


def say(said: bytes) -> None:
    """
    Write bytes to the standard output at once: as they are, or if that is a terminal, as far as they are text.
    """
    if sys.stdout.isatty():
        sys.stdout.write(printable(said))
        sys.stdout.flush()
    else:
        sys.stdout.buffer.write(said)
        sys.stdout.buffer.flush()
