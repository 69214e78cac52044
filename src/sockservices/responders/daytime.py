"""
The daytime service (RFC 867).
"""

from __future__ import annotations

import time

from sockservices.conversation.responder import Responder

__all__ = ["Daytime"]


class Daytime(Responder):
    r"""
    Sends the date and time in UTC as one line of text, and closes the connection (RFC 867).

    The RFC prescribes no format ("Daytime Syntax"); this is the one of the BSD inetd: 24 characters, CR and LF.

    >>> from sockservices import Conversation, Environment
    >>> Daytime(Conversation(environment=Environment(now=lambda: 1795220800.0))).greeting()
    b'Sat Nov 21 00:26:40 2026\r\n'
    """

    name = "daytime"
    port = 8013

    def greeting(self) -> bytes:
        """
        Return a line of 26 bytes, and finish.
        """
        self.finished = True
        return time.asctime(time.gmtime(self.conversation.now())).encode("ascii") + b"\r\n"
