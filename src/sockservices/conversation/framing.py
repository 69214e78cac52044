"""
Cuts a stream into messages: lines, netstrings, and strings after their length. The formats are those of Twisted's
C{LineReceiver}, C{NetstringReceiver} and C{IntNStringReceiver}.
"""

from __future__ import annotations

import struct
from typing import ClassVar

__all__ = ["Framing", "FramingError", "Int8Framing", "Int16Framing", "Int32Framing", "LineFraming", "NetstringFraming"]


class FramingError(ValueError):
    """
    The next bytes of the stream are not a message. The text is the reason.
    """


class Framing:
    """
    The messages of one stream.
    """

    def __init__(self, maxLength: int) -> None:
        """
        @param maxLength: the maximum length of a message in bytes, without its frame.
        """
        self._maxLength = maxLength
        self._buffer = bytearray()

    def feed(self, segment: bytes) -> None:
        """
        Add a segment of the stream.
        """
        self._buffer += segment

    def next(self) -> bytes | None:
        """
        Take the next message.

        @return: L{None} if it is not complete.
        @raise FramingError: for a message that is too long, or no message.
        """
        raise NotImplementedError

    def encode(self, message: bytes) -> bytes:
        """
        Return a message in its frame.

        @raise ValueError: if it is longer than any frame can hold.
        """
        raise NotImplementedError

    def _take(self, start: int, end: int, after: int) -> bytes:
        """
        Remove a message and its frame from the buffer.

        @param after: the first byte of the next message.
        """
        message = bytes(self._buffer[start:end])
        del self._buffer[:after]
        return message


class LineFraming(Framing):
    """
    Lines that end with CR LF or LF. Those that are sent end with CR LF.
    """

    _searched = 0  # no LF is before this offset in the buffer

    def next(self) -> bytes | None:
        """
        Take the next line.
        """
        end = self._buffer.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._buffer)
            self._check(self._searched - 1)  # The last byte may be the CR of its end.
            return None
        self._searched = 0
        line = self._take(0, end, end + 1).removesuffix(b"\r")
        self._check(len(line))
        return line

    def _check(self, length: int) -> None:
        if length > self._maxLength:
            raise FramingError(f"a line of more than {self._maxLength} bytes")

    def encode(self, message: bytes) -> bytes:
        """
        Return a line with its end.
        """
        return message + b"\r\n"


class NetstringFraming(Framing):
    """
    Netstrings (U{https://cr.yp.to/proto/netstrings.txt}): the length in decimal digits, a colon, the string, a comma.
    """

    def next(self) -> bytes | None:
        """
        Take the next string.
        """
        digits = len(str(self._maxLength))
        prefix, colon, _ = bytes(self._buffer[: digits + 1]).partition(b":")
        # Not int() alone, which takes signs, blanks and underscores.
        if (prefix or colon) and not prefix.isdigit():
            raise FramingError("no netstring")
        if len(prefix) > digits or int(prefix or b"0") > self._maxLength:
            raise FramingError(f"a netstring of more than {self._maxLength} bytes")
        if len(prefix) > 1 and prefix.startswith(b"0"):
            raise FramingError("no netstring")
        start = len(prefix) + 1
        end = start + int(prefix or b"0")
        if not colon or len(self._buffer) <= end:
            return None
        if self._buffer[end] != ord(","):
            raise FramingError("no netstring")
        return self._take(start, end, end + 1)

    def encode(self, message: bytes) -> bytes:
        """
        Return a netstring.
        """
        return b"%d:%b," % (len(message), message)


class _IntFraming(Framing):
    """
    The length as an integer in network byte order, and then the string.
    """

    _length: ClassVar[struct.Struct]

    def next(self) -> bytes | None:
        """
        Take the next string.
        """
        start = self._length.size
        if len(self._buffer) < start:
            return None
        (length,) = self._length.unpack_from(self._buffer)
        if length > self._maxLength:
            raise FramingError(f"a string of more than {self._maxLength} bytes")
        end = start + length
        return None if len(self._buffer) < end else self._take(start, end, end)

    def encode(self, message: bytes) -> bytes:
        """
        Return a string after its length.
        """
        limit = 256**self._length.size - 1
        if len(message) > limit:
            raise ValueError(f"a message of {len(message)} bytes: expected at most {limit}")
        return self._length.pack(len(message)) + message


class Int8Framing(_IntFraming):
    """
    Strings after their length in one byte.
    """

    _length = struct.Struct("!B")


class Int16Framing(_IntFraming):
    """
    Strings after their length in two bytes.
    """

    _length = struct.Struct("!H")


class Int32Framing(_IntFraming):
    """
    Strings after their length in four bytes.
    """

    _length = struct.Struct("!I")
