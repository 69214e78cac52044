"""
The greeting service: a tutorial's first server of Python's C{socketserver}.
"""

from __future__ import annotations

from sockservices.conversation.responder import Responder

__all__ = ["Greet"]


class Greet(Responder):
    """
    Sends C{connected} when a connection is made, and closes it, as in a tutorial that introduces C{socketserver}.

    Over UDP, it replies C{connected} to every datagram.

    >>> from sockservices import Conversation
    >>> Greet(Conversation()).greeting()
    b'connected'
    """

    name = "greet"
    port = 10000

    def greeting(self) -> bytes:
        """
        Return C{connected}, without a line end, and finish.
        """
        self.finished = True
        return b"connected"
