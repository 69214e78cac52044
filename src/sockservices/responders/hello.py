"""
The hello service: a tutorial's first server over TCP and over UDP.
"""

from __future__ import annotations

from sockservices.conversation.responder import Responder

__all__ = ["Hello"]


class Hello(Responder):
    """
    Replies C{hello} to every message, as in a tutorial that introduces TCP and UDP sockets. The peer closes the
    connection.

    The result of one read is a message, and so is a datagram: data that arrives together gets one reply.

    >>> from sockservices import Conversation
    >>> Hello(Conversation()).answer(b"hi~")
    b'hello'
    """

    name = "hello"
    port = 2333
    message = "segment"

    def answer(self, message: bytes) -> bytes:
        """
        Return C{hello} for any message.
        """
        return b"hello"
