"""
The discard service (RFC 863).
"""

from __future__ import annotations

from sockservices.conversation.responder import Responder

__all__ = ["Discard"]


class Discard(Responder):
    """
    Reads everything and says nothing (RFC 863). The peer ends.

    >>> from sockservices import Conversation
    >>> Discard(Conversation()).answer(b"hello from client") is None
    True
    """

    name = "discard"
    port = 8009
