"""
Base classes of responders whose messages have frames on a stream: lines, netstrings, and strings after their length.
The formats are those of Twisted's C{LineReceiver}, C{NetstringReceiver} and C{IntNStringReceiver}.
"""

from __future__ import annotations

import struct
from typing import ClassVar

from sockservices.conversation.framing import Framing, FramingError
from sockservices.conversation.responder import Responder

__all__ = [
    "Int8Responder",
    "Int16Responder",
    "Int32Responder",
    "LineResponder",
    "MessageResponder",
    "NetstringResponder",
]


class MessageResponder(Responder):
    """
    The base class of the responders for one framing. On a stream, C{answer} gets each whole message without its frame,
    and each return value of C{answer} and C{greeting} gets a frame. A datagram is one message, without a frame.

    @cvar framing: parses a stream into messages.
    @cvar MAX_LENGTH: the maximum length of a message on a stream, in bytes.
    """

    framing: ClassVar[type[Framing]]
    MAX_LENGTH: ClassVar[int] = 16384

    def malformed(self, reason: str) -> bytes | None:
        """
        The peer has sent too long a message, or no message. The conversation ends after the reply.

        @param reason: for people.
        @return: a last reply; L{None} sends nothing.
        """
        return None


class _LineFraming(Framing):
    _searched = 0  # no LF is before this offset in the buffer

    def next(self) -> bytes | None:
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
        return message + b"\r\n"


class LineResponder(MessageResponder):
    """
    Answers lines, which end with CR LF or LF. The replies end with CR LF.
    """

    framing = _LineFraming


class _NetstringFraming(Framing):
    def next(self) -> bytes | None:
        digits = len(str(self._maxLength))
        prefix, colon, _ = bytes(self._buffer[: digits + 1]).partition(b":")
        # Not int() alone, which takes signs, blanks and underscores.
        if (prefix or colon) and not prefix.isdigit():
            raise FramingError("no netstring")
        length = int(prefix or b"0")
        if len(prefix) > digits or length > self._maxLength:
            raise FramingError(f"a netstring of more than {self._maxLength} bytes")
        if len(prefix) > 1 and prefix.startswith(b"0"):
            raise FramingError("no netstring")
        start = len(prefix) + 1
        end = start + length
        if not colon or len(self._buffer) <= end:
            return None
        if self._buffer[end] != ord(","):
            raise FramingError("no netstring")
        return self._take(start, end, end + 1)

    def encode(self, message: bytes) -> bytes:
        return b"%d:%b," % (len(message), message)


class NetstringResponder(MessageResponder):
    """
    Answers netstrings (U{https://cr.yp.to/proto/netstrings.txt}): the length in decimal digits, a colon, the string, a
    comma. An example is C{5:hello,}.
    """

    framing = _NetstringFraming


class _IntFraming(Framing):
    _length: ClassVar[struct.Struct]

    def next(self) -> bytes | None:
        start = self._length.size
        if len(self._buffer) < start:
            return None
        (length,) = self._length.unpack_from(self._buffer)
        if length > self._maxLength:
            raise FramingError(f"a string of more than {self._maxLength} bytes")
        end = start + length
        return None if len(self._buffer) < end else self._take(start, end, end)

    def encode(self, message: bytes) -> bytes:
        limit = 256**self._length.size - 1
        if len(message) > limit:
            raise ValueError(f"a message of {len(message)} bytes: expected at most {limit}")
        return self._length.pack(len(message)) + message


class _Int8Framing(_IntFraming):
    _length = struct.Struct("!B")


class _Int16Framing(_IntFraming):
    _length = struct.Struct("!H")


class _Int32Framing(_IntFraming):
    _length = struct.Struct("!I")


class Int8Responder(MessageResponder):
    """
    Answers strings after their length, an integer of one byte.
    """

    framing = _Int8Framing
    MAX_LENGTH = 255


class Int16Responder(MessageResponder):
    """
    Answers strings after their length, an integer of two bytes in network byte order, as DNS over TCP has them
    (RFC 1035, section 4.2.2).
    """

    framing = _Int16Framing
    MAX_LENGTH = 65535


class Int32Responder(MessageResponder):
    """
    Answers strings after their length, an integer of four bytes in network byte order.
    """

    framing = _Int32Framing
