"""
The upper-case service (seed 002).
"""

from __future__ import annotations

from sockservices.conversation.responder import Responder

__all__ = ["Upper"]


class Upper(Responder):
    """
    Gives back every byte, C{a} to C{z} in upper case (seed 002). The peer ends.

    ASCII on purpose: a letter of several bytes may be cut in two by the network, and can grow.

    >>> from sockservices import Conversation
    >>> Upper(Conversation()).answer(b"Hello")
    b'HELLO'
    """

    name = "upper"
    port = 8080

    def answer(self, message: bytes) -> bytes:
        """
        The message in upper case, as long as it was.
        """
        return message.upper()
