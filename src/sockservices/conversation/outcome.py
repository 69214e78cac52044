"""
How a conversation ended.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["Outcome"]


class Outcome(Enum):
    """
    How a conversation ended. Each conversation has exactly one outcome; its value is its name in the log.
    """

    #: In CPython 3.11, the hash of an enum's member is a call of a Python function. Members are equal by identity.
    __hash__ = object.__hash__

    DONE = "done"  #: the peer ended it, or its datagram was answered
    FINISHED = "finished"  #: the responder ended it
    TIMED_OUT = "time out"  #: the first message did not come in time
    IDLE = "idle"  #: the peer sent nothing for too long
    STALLED = "stalled"  #: the peer's kernel acknowledged none of the pending data for too long
    GRACE = "grace"  #: the peer had all data, but the connection did not end in time
    DRAINED = "drained"  #: the server stopped
    RESET = "reset"  #: the peer or the network reset it
    REFUSED = "refused"  #: the connection was over a limit
    ERROR = "error"  #: the responder raised
    FAULT = "fault"  #: a fault ended it on purpose, or truncated its output
    MISMATCH = "mismatch"  #: the peer did not send what a coroutine expected, or an assertion of the coroutine failed

    NO_PORT = "source port 0"  #: the sender of the datagram expects no reply (RFC 768)
    PRIVILEGED = "privileged source port"  #: the datagram came from a port of services: below 1024, or 2049
    OWN_PORT = "own source port"  #: the datagram came from a port or Unix socket of this server
    BAD_SOURCE = "source address"  #: no address of a single host, loopback to another address, or no bound socket
    BROADCAST = "broadcast"  #: the datagram was sent to a broadcast or multicast address
    UNNAMED = "unnamed source"  #: the Unix datagram has no address to reply to
    TOO_LONG = "too long"  #: the datagram is over the size limit
    OVER_RATE = "over the rate"  #: the source has had as many replies as its rate allows
    WITHHELD = "withheld"  #: the reply is longer than the request allows
    UNSENT = "unsent"  #: the kernel did not accept the reply
    LOST = "lost"  #: a fault dropped the datagram or its reply on purpose
    OVERLOADED = "overloaded"  #: too many replies of one listener are awaited
