"""
Base classes of responders whose messages have frames on a stream.
"""

from __future__ import annotations

from typing import ClassVar

from sockservices.conversation.framing import (
    Framing,
    Int8Framing,
    Int16Framing,
    Int32Framing,
    LineFraming,
    NetstringFraming,
)
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


class LineResponder(MessageResponder):
    """
    Answers lines, which end with CR LF or LF.
    """

    framing = LineFraming


class NetstringResponder(MessageResponder):
    """
    Answers netstrings, such as C{5:hello,}.
    """

    framing = NetstringFraming


class Int8Responder(MessageResponder):
    """
    Answers strings after their length in one byte.
    """

    framing = Int8Framing
    MAX_LENGTH = 255


class Int16Responder(MessageResponder):
    """
    Answers strings after their length in two bytes, as DNS over TCP has them (RFC 1035, section 4.2.2).
    """

    framing = Int16Framing
    MAX_LENGTH = 65535


class Int32Responder(MessageResponder):
    """
    Answers strings after their length in four bytes.
    """

    framing = Int32Framing
