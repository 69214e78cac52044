"""
The hello service (seed 001).
"""

from __future__ import annotations

from sockservices.conversation.responder import Responder

__all__ = ["Hello"]


class Hello(Responder):
    """
    Says C{hello} to every message: a segment or a datagram (seed 001). The peer ends.

    >>> from sockservices import Conversation
    >>> Hello(Conversation()).answer(b"hi~")
    b'hello'
    """

    name = "hello"
    port = 2333
    message = "segment"

    def answer(self, message: bytes) -> bytes:
        """
        C{hello}, whatever was said.
        """
        return b"hello"
