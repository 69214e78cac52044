"""
The phases of a conversation.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["ABORTED", "CLOSED", "CLOSING", "LINGERING", "OPEN", "Phase"]


class Phase(Enum):
    """
    The phase of a conversation. A conversation never returns to an earlier phase.
    """

    OPEN = 1  #: messages are answered
    CLOSING = 2  #: pending output is sent, then our FIN
    LINGERING = 3  #: our FIN is out; input is read and dropped until the peer's FIN
    CLOSED = 4  #: both sides have sent a FIN, or the time to linger is over: the connection is closed
    ABORTED = 5  #: the connection is reset


#: The members, for code that runs for each message: in CPython 3.11, C{Phase.OPEN} is a function call.
OPEN, CLOSING, LINGERING, CLOSED, ABORTED = Phase
