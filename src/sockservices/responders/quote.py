"""
The quote of the day service (RFC 865).
"""

from __future__ import annotations

from sockservices.conversation.responder import Responder

__all__ = ["Quote"]

#: Printable ASCII and CR LF, at most 511 bytes each (RFC 865, "Quote Syntax"). Some have at most 40 bytes, which is the
#: limit of a reply to an empty datagram.
QUOTES = [
    quote.encode("ascii") + b"\r\n"
    for quote in (
        "A read is not a message.",
        "Half-closed is half open.",
        "The other end may be gone.",
        "What is not read is still owed.",
        "No deadline, no end.",
        "Silence is also an answer.",
        "Send once, expect two, plan for none.",
        "A stream has no seams: where one send ended is known to the sender alone.",
        "A full buffer is a message from the peer: it says wait, and it should be believed.",
        "Closing a socket with bytes still unread throws away the last words you said.",
        "A datagram arrives whole, twice, late or not at all, and each of these is correct.",
        "The port that answers everybody will one day be asked by somebody who is not there.",
        "The program that serves one client well has not yet met the second; the one that serves two has met them all.",
        "A timer that nobody sets is a connection that nobody ends.",
    )
]


class Quote(Responder):
    """
    Sends a random quote and closes the connection (RFC 865).

    Over UDP, it chooses among the quotes that fit the limit; if none fits, it sends no reply.

    >>> from sockservices import Conversation
    >>> len(Quote(Conversation(limit=40)).greeting()) <= 40
    True
    """

    name = "qotd"
    port = 8017

    def greeting(self) -> bytes | None:
        """
        Return a quote and CR LF, or L{None} if none fits the limit, and finish.
        """
        self.finished = True
        limit = self.conversation.limit
        fitting = QUOTES if limit is None else [quote for quote in QUOTES if len(quote) <= limit]
        return self.conversation.random.choice(fitting) if fitting else None
