"""
The welcome-or-time-out service (seed 004).
"""

from __future__ import annotations

from sockservices.conversation.responder import Responder

__all__ = ["Welcome"]


class Welcome(Responder):
    """
    Welcomes who says C{1} within five seconds, sends away who says anything else, and hangs up (seed 004).

    A line end after the C{1} is allowed. Who ends without a byte is sent away too; who stays silent is told nothing.

    >>> from sockservices import Conversation
    >>> Welcome(Conversation()).answer(b"1")
    b'welcome to server!'
    """

    name = "welcome"
    port = 8001
    message = "segment"
    deadline = 5.0

    def answer(self, message: bytes) -> bytes:
        """
        C{welcome to server!} or C{please go out!}; either ends the conversation.
        """
        self.finished = True
        if message in (b"1", b"1\n", b"1\r\n"):
            return b"welcome to server!"
        return b"please go out!"
