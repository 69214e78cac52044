"""
The active users service (RFC 866).
"""

from __future__ import annotations

from sockservices.conversation.responder import Responder

__all__ = ["Users"]


class Users(Responder):
    r"""
    Sends the names of the logged-in users, one a line, and closes the connection (RFC 866).

    If no user is logged in, it closes without data, or replies with an empty datagram. A list that is too long for a
    datagram ends after a complete line.

    >>> from sockservices import Conversation, Environment
    >>> Users(Conversation(environment=Environment(users=lambda: ["ada", "grace"]))).greeting()
    b'ada\r\ngrace\r\n'
    """

    name = "users"
    port = 8011

    def greeting(self) -> bytes:
        """
        Return as many lines as the limit allows, each ended by CR LF, and finish.
        """
        self.finished = True
        limit = self.conversation.limit
        lines = b""
        for user in self.conversation.users():
            line = user.encode("ascii", "replace") + b"\r\n"
            if limit is not None and len(lines) + len(line) > limit:
                break
            lines += line
        return lines
