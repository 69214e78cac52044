"""
The time service (RFC 868).
"""

from __future__ import annotations

import struct

from sockservices.conversation.responder import Responder

__all__ = ["Time"]

#: Seconds from 1900-01-01 to 1970-01-01, both 00:00 UTC (RFC 868, "The Time").
UNIX_EPOCH = 2208988800


class Time(Responder):
    """
    Sends the seconds since 1900-01-01 00:00 UTC as four bytes, unsigned, in network byte order, and closes the
    connection (RFC 868).

    The number overflows to 0 on 2036-02-07 06:28:16 UTC.

    >>> from sockservices import Conversation, Environment
    >>> Time(Conversation(environment=Environment(now=lambda: 0.0))).greeting().hex()
    '83aa7e80'
    """

    name = "time"
    port = 8037

    def greeting(self) -> bytes:
        """
        Return four bytes, and finish.
        """
        self.finished = True
        return struct.pack("!I", (int(self.conversation.now()) + UNIX_EPOCH) % 2**32)
