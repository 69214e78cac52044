"""
The active users (RFC 866).
"""

from __future__ import annotations

from sockservices.conversation.responder import Responder

__all__ = ["Users"]


class Users(Responder):
    r"""
    Says who is logged in, one user a line, and hangs up (RFC 866). Nobody there: nothing said, or an empty datagram.

    A list that is too long for a datagram ends after a whole line.

    >>> from sockservices import Conversation, Environment
    >>> Users(Conversation(environment=Environment(users=lambda: ["ada", "grace"]))).greeting()
    b'ada\r\ngrace\r\n'
    """

    name = "users"
    port = 8011

    def greeting(self) -> bytes:
        """
        The list, as far as it fits.
        """
        self.finished = True
        limit = self.conversation.limit
        words = b""
        for user in self.conversation.users():
            line = user.encode("ascii", "replace") + b"\r\n"
            if limit is not None and len(words) + len(line) > limit:
                break
            words += line
        return words
