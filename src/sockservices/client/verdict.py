"""
The possible results of a request.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["Verdict"]


class Verdict(Enum):
    """
    The result of a request. The value is its name in messages and documents.
    """

    OK = "ok"  #: the complete answer arrived
    FAILED = "check failed"  #: a service does not conform to its RFC
    REFUSED = "refused"  #: the host is up, but nothing listens on that port
    RESET = "reset"  #: the connection was reset
    TIMEOUT = "timeout"  #: any other timeout: a host name does not resolve, a datagram has no reply
    EOF = "eof"  #: the stream ended cleanly before the first byte of the answer
    SHORT = "short"  #: the stream ended cleanly after part of the answer
    CORRUPT = "corrupt"  #: the answer differs from the expected answer
    WRONG_SOURCE = "wrong-source"  #: a reply came, but from another address than the target
    UNREACHABLE = "unreachable"  #: no route to the host, or no such Unix socket
    DNS = "dns"  #: the host name does not resolve
    NO_CONNECTION = "no-connection"  #: the connection attempt had no answer: filtered, or the listener's queue is full
    NO_ANSWER = "no-answer"  #: connected, but no byte of the answer came in time
    INCOMPLETE = "incomplete"  #: a part of the answer came, but not its end in time
    USAGE = "usage"  #: the request itself is invalid
