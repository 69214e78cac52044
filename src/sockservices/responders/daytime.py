"""
The daytime service (RFC 867).
"""

from __future__ import annotations

import time

from sockservices.conversation.responder import Responder

__all__ = ["Daytime"]


class Daytime(Responder):
    r"""
    Says the date and time in words, in UTC, and hangs up (RFC 867).

    The RFC leaves the form open; this is the one that the BSD inetds send: 24 characters, CR and LF.

    >>> from sockservices import Conversation, Environment
    >>> Daytime(Conversation(environment=Environment(now=lambda: 1795220800.0))).greeting()
    b'Sat Nov 21 00:26:40 2026\r\n'
    """

    name = "daytime"
    port = 8013

    def greeting(self) -> bytes:
        """
        One line of 26 bytes.
        """
        self.finished = True
        return time.asctime(time.gmtime(self.conversation.now())).encode("ascii") + b"\r\n"
