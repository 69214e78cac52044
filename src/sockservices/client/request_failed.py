"""
The verdict on a request, the exception that every failed request raises, and the conversion of other exceptions to it.
"""

from __future__ import annotations

import errno
import os
import socket
from enum import Enum
from typing import Any

from twisted.internet import defer, error
from twisted.python.failure import Failure

__all__ = ["RequestFailed", "Verdict", "convertFailure", "fromException", "pendingFailure"]


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


class RequestFailed(Exception):  # noqa: N818 (a result, as Twisted's ConnectionLost is)
    """
    A request without a good answer. C{str()} gives one line: the verdict and a description.

    @ivar verdict: the kind of failure.
    @ivar answer: the bytes of the answer that arrived before the failure.
    """

    def __init__(self, verdict: Verdict, description: str, answer: bytes = b"") -> None:
        super().__init__(f"{verdict.value}: {description}")
        self.verdict = verdict
        self.answer = answer


#: Error numbers with a verdict of their own. All others mean that the peer is unreachable.
_BY_ERRNO = {
    errno.ECONNREFUSED: (Verdict.REFUSED, "nothing listens at this address"),
    errno.ECONNRESET: (Verdict.RESET, "the peer reset the connection"),
    errno.EPIPE: (Verdict.RESET, "the peer reset the connection"),
    errno.ETIMEDOUT: (Verdict.TIMEOUT, "the peer acknowledges nothing"),
    errno.EMSGSIZE: (Verdict.USAGE, "the message is too long for a datagram"),
}


def fromException(exception: BaseException | None) -> RequestFailed:
    """
    Convert an exception of Twisted or of a socket call.
    """
    if isinstance(exception, RequestFailed):
        return exception
    if isinstance(exception, error.DNSLookupError):
        return RequestFailed(Verdict.DNS, "the host name does not resolve")
    if isinstance(exception, ValueError):
        # The IDNA codec rejects empty labels, and labels of more than 63 bytes (RFC 1035 section 2.3.4).
        return RequestFailed(Verdict.DNS, "the host name is not valid")
    if isinstance(exception, (error.TimeoutError, error.TCPTimedOutError)):
        return RequestFailed(Verdict.NO_CONNECTION, "the connection attempt timed out")
    if isinstance(exception, error.ConnectionAborted):
        return RequestFailed(Verdict.RESET, "this side aborted the connection")
    if isinstance(exception, error.ConnectionClosed):
        return RequestFailed(*_BY_ERRNO[errno.ECONNRESET])
    number = getattr(exception, "osError", None) or getattr(exception, "errno", None)
    if isinstance(number, int):
        return RequestFailed(*_BY_ERRNO.get(number, (Verdict.UNREACHABLE, os.strerror(number).lower())))
    if isinstance(exception, error.ConnectError) and isinstance(exception.args[0], Failure):
        # Twisted raises this, without an error number, for a Unix socket whose accept queue is full.
        return RequestFailed(Verdict.NO_CONNECTION, "the queue of the listener is full")
    return RequestFailed(Verdict.UNREACHABLE, str(exception) or type(exception).__name__)


def convertFailure(failure: Failure) -> Failure:
    """
    Convert a failure to one with L{RequestFailed}. A cancellation stays as it is.
    """
    cancelled = failure.check(defer.CancelledError, error.ConnectingCancelledError)
    return failure if cancelled else Failure(fromException(failure.value))


def pendingFailure(transport: Any) -> RequestFailed | None:
    """
    Detect a reset that a transport has reported as a FIN: after a FIN, a read gives no data and no error.
    """
    getHandle = getattr(transport, "getHandle", None)
    if getHandle is None:
        return None
    try:
        unread = getHandle().recv(1, socket.MSG_PEEK)
    except OSError as exception:
        return fromException(exception)
    return RequestFailed(*_BY_ERRNO[errno.ECONNRESET]) if unread else None
