"""
The upper-case service: a tutorial's server with a loop over clients and a loop over messages.
"""

from __future__ import annotations

from sockservices.conversation.responder import Responder

__all__ = ["Upper"]


class Upper(Responder):
    """
    Sends back every byte, with C{a} to C{z} in upper case, as in a tutorial that introduces the server's loops over
    clients and messages. The peer closes the connection.

    It changes ASCII letters only: a read may split the bytes of any other letter, and its upper case may be longer.

    >>> from sockservices import Conversation
    >>> Upper(Conversation()).answer(b"Hello")
    b'HELLO'
    """

    name = "upper"
    port = 8080

    def answer(self, message: bytes) -> bytes:
        """
        Return the message in upper case. Its length does not change.
        """
        return message.upper()
