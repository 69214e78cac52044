"""
The echo service (RFC 862).
"""

from __future__ import annotations

from sockservices.conversation.responder import Responder

__all__ = ["Echo"]


class Echo(Responder):
    """
    Gives back every byte (RFC 862). The peer ends.

    >>> from sockservices import Conversation
    >>> Echo(Conversation()).answer(b"hi~")
    b'hi~'
    """

    name = "echo"
    port = 8007

    def answer(self, message: bytes) -> bytes:
        """
        The message itself.
        """
        return message
