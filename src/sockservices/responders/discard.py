"""
The discard service (RFC 863).
"""

from __future__ import annotations

from sockservices.conversation.responder import Responder

__all__ = ["Discard"]


class Discard(Responder):
    """
    Reads and drops every byte, and sends nothing (RFC 863). The peer closes the connection.

    Over UDP, it replies to no datagram ("UDP Based Discard Service").

    >>> from sockservices import Conversation
    >>> Discard(Conversation()).answer(b"hello from client") is None
    True
    """

    name = "discard"
    port = 8009
