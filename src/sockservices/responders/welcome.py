"""
The welcome service: a tutorial's server with a timeout.
"""

from __future__ import annotations

from sockservices.conversation.responder import Responder

__all__ = ["Welcome"]


class Welcome(Responder):
    """
    Replies C{welcome to server!} to C{1}, C{please go out!} to anything else, and closes the connection, as in a
    tutorial that introduces timeouts.

    The first message decides; it may end with LF or CR LF. A FIN without data gets C{please go out!}. After five
    seconds without data the server closes the connection and sends nothing.

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
        Return the welcome or the refusal, and finish.
        """
        self.finished = True
        if message in (b"1", b"1\n", b"1\r\n"):
            return b"welcome to server!"
        return b"please go out!"
