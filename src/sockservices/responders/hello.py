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

    A message is what one read returns, or a datagram: messages that arrive together get one reply.

    >>> from sockservices import Conversation
    >>> Hello(Conversation()).answer(b"hi~")
    b'hello'
    """

    name = "hello"
    port = 2333
    message = "segment"

    def answer(self, message: bytes) -> bytes:
        """
        Return C{hello}, whatever the message is.
        """
        return b"hello"
