"""
The possible results of a request.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["Verdict"]


class Verdict(Enum):
    """
    The result of a request. The value is the word that messages and documents use.
    """

    OK = "ok"  #: the complete answer arrived
    FAILED = "check failed"  #: a service does not conform to its RFC
    REFUSED = "refused"  #: the host is up, but nothing listens on that port
    RESET = "reset"  #: the connection was reset
    TIMEOUT = "timeout"  #: no answer, or no end of the answer, in time
    EOF = "eof"  #: the stream ended cleanly before the first byte of the answer
    SHORT = "short"  #: the stream ended cleanly after part of the answer
    CORRUPT = "corrupt"  #: the answer differs from the expected answer
    WRONG_SOURCE = "wrong-source"  #: a reply came, but from another address than the target
    UNREACHABLE = "unreachable"  #: no route to the host, or no such Unix socket
    DNS = "dns"  #: the host name does not resolve
    USAGE = "usage"  #: the request itself is invalid
