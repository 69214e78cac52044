"""
What is said to people: the words of peers, and where it was that something went wrong.
"""

from __future__ import annotations

import sys
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sockservices.client import Unanswered

__all__ = ["Output", "about", "printable"]


def printable(text: str) -> str:
    r"""
    Text that can do nothing to a terminal but begin a line: all else shows as C{\x..}.
    """
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else letter.encode("unicode_escape").decode()
        for letter in text
    )


class Output:
    r"""
    The standard output, for what one peer says: bytes as they are; or on a terminal as text that can do nothing to it.
    There, lines stay lines, and what is no text shows as C{\x..}.
    """

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        """
        @param write: takes the text for a terminal, if it is not to be written at once.
        """
        self._terminal = sys.stdout.isatty()
        self._write = write or _write
        self._decoder = getincrementaldecoder("utf-8")("backslashreplace")
        self._held = ""
        self._ended = True

    def say(self, said: bytes, whole: bool = False) -> None:
        """
        Write bytes at once, but for what may be the half of a letter or of a line end.

        @param whole: whether nothing follows that belongs to them.
        """
        if self._terminal:
            text = (self._held + self._decoder.decode(said, whole)).replace("\r\n", "\n")
            self._held = "\r" if text.endswith("\r") and not whole else ""
            text = text.removesuffix(self._held)
            self._write(printable(text))
            self._ended = text.endswith("\n") if text else self._ended
        else:
            sys.stdout.buffer.write(said)
            sys.stdout.buffer.flush()
            self._ended = said.endswith(b"\n") if said else self._ended

    def endLine(self) -> None:
        """
        End the line, if there is one that has begun.
        """
        if self._terminal:
            self.say(b"", whole=True)
        if not self._ended:
            self._ended = True
            self._write("\n")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


@contextmanager
def about(where: object) -> Iterator[None]:
    """
    Say of what goes unanswered where that was.
    """
    try:
        yield
    except Unanswered as fault:
        fault.args = (f"{where}: {fault}",)
        raise
