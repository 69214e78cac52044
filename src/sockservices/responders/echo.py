"""
The echo service (RFC 862).
"""

from __future__ import annotations

from sockservices.conversation.responder import Responder

__all__ = ["Echo"]


class Echo(Responder):
    """
    Sends back every byte that it receives (RFC 862). The peer closes the connection.

    Over UDP, it replies to each datagram with the same data ("UDP Based Echo Service").

    >>> from sockservices import Conversation
    >>> Echo(Conversation()).answer(b"hi~")
    b'hi~'
    """

    name = "echo"
    port = 8007

    def answer(self, message: bytes) -> bytes:
        """
        Return the message unchanged.
        """
        return message
