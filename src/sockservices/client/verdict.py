"""
How asking went, in words that mean the same everywhere, each with its exit status.
"""

from __future__ import annotations

import errno
import os
from enum import Enum

from twisted.internet import defer, error
from twisted.python.failure import Failure

__all__ = ["Unanswered", "Verdict", "judged", "unanswered"]


class Verdict(Enum):
    """
    How asking went.

    @ivar word: for people.
    @ivar status: the exit status of a command that ends so.
    """

    OK = ("ok", 0)  #: answered in full
    FAILED = ("check failed", 2)  #: a service does not do as its RFC says
    REFUSED = ("refused", 10)  #: the host is there; nobody listens on that port
    RESET = ("reset", 11)  #: the connection was cut off
    TIMEOUT = ("timeout", 12)  #: no answer, or no end of it, in time
    EOF = ("eof", 13)  #: a clean end before any byte of the answer
    SHORT = ("short", 14)  #: a clean end with a part of the answer
    CORRUPT = ("corrupt", 15)  #: another answer than was expected
    WRONG_SOURCE = ("wrong-source", 16)  #: a reply, but from another address than was asked
    UNREACHABLE = ("unreachable", 17)  #: no way to the host, or no such socket
    DNS = ("dns", 18)  #: the name does not resolve
    USAGE = ("usage", 64)  #: the question makes no sense

    def __init__(self, word: str, status: int) -> None:
        self.word = word
        self.status = status


class Unanswered(Exception):  # noqa: N818 (it is none of ours)
    """
    No good answer has come. As text, it is one line: the verdict's word, and what happened.

    @ivar verdict: which way it went wrong.
    @ivar answer: the bytes of an answer that had come until then.
    """

    def __init__(self, verdict: Verdict, remark: str, answer: bytes = b"") -> None:
        super().__init__(f"{verdict.word}: {remark}")
        self.verdict = verdict
        self.answer = answer


#: What the error number of a socket call means for the asker; all others are ways of not reaching the peer.
_BY_NUMBER = {
    errno.ECONNREFUSED: (Verdict.REFUSED, "nobody listens there"),
    errno.ECONNRESET: (Verdict.RESET, "the peer cut the connection off"),
    errno.EPIPE: (Verdict.RESET, "the peer cut the connection off"),
    errno.ETIMEDOUT: (Verdict.TIMEOUT, "the peer cannot be heard"),
    errno.EMSGSIZE: (Verdict.USAGE, "the message is longer than a datagram can be"),
}


def unanswered(fault: BaseException | None) -> Unanswered:
    """
    What went wrong between us and the peer, as a verdict.

    @param fault: what Twisted or a socket raised.
    """
    if isinstance(fault, Unanswered):
        return fault
    if isinstance(fault, error.DNSLookupError):
        return Unanswered(Verdict.DNS, "the name does not resolve")
    if isinstance(fault, ValueError):
        return Unanswered(Verdict.DNS, "no name can look like that")
    if isinstance(fault, (error.TimeoutError, TimeoutError)):
        return Unanswered(Verdict.TIMEOUT, "no connection in time")
    if isinstance(fault, error.ConnectionAborted):
        return Unanswered(Verdict.RESET, "the connection was cut off from here")
    if isinstance(fault, error.ConnectionClosed):
        return Unanswered(*_BY_NUMBER[errno.ECONNRESET])
    number = getattr(fault, "osError", None) or getattr(fault, "errno", None)
    if isinstance(number, int):
        return Unanswered(*_BY_NUMBER.get(number, (Verdict.UNREACHABLE, os.strerror(number).lower())))
    if isinstance(fault, error.ConnectError) and isinstance(fault.args[0], Failure):
        # Such as a Unix socket whose queue is full.
        return Unanswered(Verdict.UNREACHABLE, "the peer takes no connection")
    return Unanswered(Verdict.UNREACHABLE, str(fault) or type(fault).__name__)


def judged(failure: Failure) -> Failure:
    """
    A failure with its verdict. Who gives up by cancelling is told that, and no verdict.
    """
    given = failure.check(defer.CancelledError, error.ConnectingCancelledError)
    return failure if given else Failure(unanswered(failure.value))
