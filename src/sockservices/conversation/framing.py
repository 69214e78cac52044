"""
Divides a stream into messages.
"""

from __future__ import annotations

__all__ = ["Framing", "FramingError"]


class FramingError(ValueError):
    """
    The next bytes of the stream are not a message. The text is the reason.
    """


class Framing:
    """
    The base class of the formats of a stream. Each stream has its own instance.
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
        Remove a message and its frame from the buffer, up to the next message.
        """
        message = bytes(self._buffer[start:end])
        del self._buffer[:after]
        return message
