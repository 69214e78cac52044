"""
Standard output for the data of a peer.
"""

from __future__ import annotations

import sys
from codecs import getincrementaldecoder
from collections.abc import Callable

__all__ = ["Output", "escapeControls"]


def escapeControls(text: str) -> str:
    r"""
    Escape all characters but printable ones, newlines and tabs, as C{\x..} or C{\u....}: a terminal obeys others.
    """
    return "".join(
        character if character.isprintable() or character in "\n\t" else character.encode("unicode_escape").decode()
        for character in text
    )


class Output:
    r"""
    Writes the data of one peer to standard output: unchanged to a file or pipe; as text with all control characters
    escaped to a terminal. There, CR LF becomes a newline, and bytes that are not UTF-8 appear as C{\x..}.
    """

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        """
        @param write: takes the text for a terminal; by default, standard output.
        """
        self._terminal = sys.stdout.isatty()
        self._write = write or _writeAndFlush
        self._decoder = getincrementaldecoder("utf-8")("backslashreplace")
        self._pendingCR = ""
        self._atLineStart = True

    def writeData(self, data: bytes, complete: bool = False) -> None:
        """
        Write data at once. On a terminal, keep an incomplete UTF-8 sequence or a CR at the end for the next call.

        @param complete: whether this is the end of the message, so that nothing is kept.
        """
        if self._terminal:
            text = (self._pendingCR + self._decoder.decode(data, complete)).replace("\r\n", "\n")
            self._pendingCR = "\r" if text.endswith("\r") and not complete else ""
            text = text.removesuffix(self._pendingCR)
            self._write(escapeControls(text))
            self._atLineStart = text.endswith("\n") if text else self._atLineStart
        else:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            self._atLineStart = data.endswith(b"\n") if data else self._atLineStart

    def endLine(self) -> None:
        """
        Write a newline, unless the last data ended with one.
        """
        if self._terminal:
            self.writeData(b"", complete=True)
        if not self._atLineStart:
            self._atLineStart = True
            self._write("\n")


def _writeAndFlush(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
