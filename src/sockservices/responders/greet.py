"""
The greeting service (seed 003).
"""

from __future__ import annotations

from sockservices.conversation.responder import Responder

__all__ = ["Greet"]


class Greet(Responder):
    """
    Says C{connected} and hangs up (seed 003). On datagrams, any of them is answered so.

    >>> from sockservices import Conversation
    >>> Greet(Conversation()).greeting()
    b'connected'
    """

    name = "greet"
    port = 10000

    def greeting(self) -> bytes:
        """
        C{connected}, and no more.
        """
        self.finished = True
        return b"connected"
