"""
How a conversation ended.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["Outcome"]


class Outcome(Enum):
    """
    How a conversation ended. Each conversation ends under exactly one of these; the value is the word used in the log.
    """

    DONE = "done"  #: the peer ended it, or its datagram was answered
    FINISHED = "finished"  #: the responder had nothing more to say
    TIMED_OUT = "time out"  #: the first message did not come in time
    IDLE = "idle"  #: the peer sent nothing for too long
    STALLED = "stalled"  #: the peer's kernel took nothing of what it was owed
    GRACE = "grace"  #: the last words could not be delivered in time
    DRAINED = "drained"  #: the server stopped
    RESET = "reset"  #: the peer, or the network, cut it off
    REFUSED = "refused"  #: over a limit on connections; it never began
    ERROR = "error"  #: the responder raised

    NO_PORT = "source port 0"  #: a datagram that asks for no reply (RFC 768)
    PRIVILEGED = "privileged source port"  #: a datagram from a port where services answer: below 1024, or 2049
    OWN_PORT = "own source port"  #: a datagram from a port, or a Unix socket, of this very server
    BAD_SOURCE = "source address"  #: a datagram from an address that no single host has, or loopback from elsewhere
    BROADCAST = "broadcast"  #: a datagram sent to more than this host
    UNNAMED = "unnamed source"  #: a Unix datagram without an address to reply to
    TOO_LONG = "too long"  #: a datagram over the size limit
    OVER_RATE = "over the rate"  #: more datagrams from one source than it is answered
    WITHHELD = "withheld"  #: the reply would be longer than the request allows
    UNSENT = "unsent"  #: the kernel did not take the reply
    OVERLOADED = "overloaded"  #: too many datagrams of one listener wait for replies that come later
