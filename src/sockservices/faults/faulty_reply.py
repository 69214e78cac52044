"""
A reply that faults may truncate, duplicate or lose, until the result of each copy is known.
"""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["DatagramLostError", "FaultyReply", "ReplyCopy"]


class DatagramLostError(Exception):
    """
    A fault has dropped a reply.
    """


class FaultyReply:
    """
    Collects the results of the copies of one reply, and reports the reply once.
    """

    __slots__ = ("_copies", "_failures", "_protocol", "_sent", "_size", "_token")

    def __init__(self, protocol: Any, token: object, size: int) -> None:
        """
        @param protocol: the protocol that has sent the reply, an L{IRequestProtocol}.
        @param token: the token of the reply.
        @param size: its length before the faults, in bytes.
        """
        self._protocol, self._token, self._size = protocol, token, size
        self._copies: int | None = None  # not known while faults still make copies
        self._sent: list[int] = []  # the length of each copy that the kernel has accepted
        self._failures: list[Exception] = []

    def passed(self, copies: int) -> None:
        """
        The faults let so many copies pass, now or later.
        """
        self._copies = copies
        if not copies:
            self._failures.append(DatagramLostError())
        self._reportWhenComplete()

    def copySent(self, size: int) -> None:
        """
        The kernel has accepted a copy of so many bytes.
        """
        self._sent.append(size)
        self._reportWhenComplete()

    def copyFailed(self, error: Exception) -> None:
        """
        A copy cannot be sent.
        """
        self._failures.append(error)
        self._reportWhenComplete()

    def _reportWhenComplete(self) -> None:
        if self._copies is None or len(self._sent) + len(self._failures) < self._copies:
            return
        sent = sum(self._sent)
        if not self._sent:
            self._protocol.repliesSent([], [(self._token, self._failures[-1])])
        elif sent == self._size:
            self._protocol.repliesSent([self._token], [])
        else:
            self._protocol.changedReplySent(self._token, sent)


class ReplyCopy(NamedTuple):
    """
    One copy of a reply: the token with which it is sent.
    """

    reply: FaultyReply
    size: int
