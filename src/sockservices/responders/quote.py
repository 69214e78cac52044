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
        "The peer may be gone.",
        "Every wait needs a deadline.",
        "A connection has two directions.",
        "A timeout is a result, too.",
        "A datagram may arrive twice, or never.",
        "A stream has no message boundaries: one send may arrive as two reads.",
        "A full send buffer means that the peer reads too slowly: stop reading its requests.",
        "Closing a socket with unread input may discard the last data that was sent.",
        "A datagram arrives whole, twice, late or not at all, and each of these is correct.",
        "A UDP port that replies to every source will one day reply to a forged one.",
        "A server that works with one client is not tested until a second one connects.",
        "A connection without a timeout may never end.",
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
