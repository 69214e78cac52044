"""
The members of a poll group: what the kernel watches each one for.
"""

from __future__ import annotations

import select
from typing import Any

from sockservices.transports.reactor import Reactor

__all__ = ["ERR", "IN", "OUT", "PollSet"]

#: EPOLLIN, EPOLLOUT and EPOLLERR. The kernel reports EPOLLERR and EPOLLHUP always (epoll_ctl(2)).
IN, OUT, ERR = 1, 4, 8


class PollSet:
    """
    An epoll set, which exists while a member or an open port needs it.
    """

    def __init__(self, reactor: Reactor) -> None:
        self._reactor: Any = reactor
        self._epoll: select.epoll | None = None
        self._readers: dict[int, Any] = {}
        self._writers: dict[int, Any] = {}
        self._paused: dict[int, Any] = {}  # members that may read again, and are watched for a reset until then
        self._registeredThisTurn: set[int] = set()
        self._retired = False

    def fileno(self) -> int:
        """
        The descriptor of the epoll set, -1 while there is none.
        """
        return -1 if self._epoll is None else self._epoll.fileno()

    def addReader(self, member: Any) -> None:
        """
        Start watching a member for input.
        """
        descriptor = member.fileno()
        if descriptor not in self._readers:
            self._watch(descriptor, IN, self._writers)
            self._readers[descriptor] = member
            self._paused.pop(descriptor, None)

    def addWriter(self, member: Any) -> None:
        """
        Start watching a member for space in its send buffer.
        """
        descriptor = member.fileno()
        if descriptor not in self._writers:
            self._watch(descriptor, OUT, self._readers)
            self._writers[descriptor] = member

    def removeReader(self, member: Any) -> None:
        """
        Stop watching a member for input, and for a reset.
        """
        descriptor = member.fileno()
        watched = self._readers.pop(descriptor, None), self._paused.pop(descriptor, None)
        if watched != (None, None):
            self._ignore(descriptor, OUT, self._writers)

    def pauseReader(self, member: Any) -> None:
        """
        Stop watching a member for input. A reset is still reported, with C{connectionLost}.
        """
        descriptor = member.fileno()
        if self._readers.pop(descriptor, None) is not None:
            self._paused[descriptor] = member
            self._ignore(descriptor, OUT, self._writers)

    def removeWriter(self, member: Any) -> None:
        """
        Stop watching a member for space in its send buffer.
        """
        if self._writers.pop(descriptor := member.fileno(), None) is not None:
            self._ignore(descriptor, IN, self._readers)

    def open(self) -> None:
        """
        Create the epoll set, if there is none. A port calls this when it starts, because later the process may have no
        descriptor left.
        """
        if self._epoll is None:
            self._epoll = select.epoll()
            self._reactor.addReader(self)

    def _watch(self, descriptor: int, event: int, others: dict[int, Any]) -> None:
        self.open()
        assert self._epoll is not None
        try:
            if descriptor in others:
                self._epoll.modify(descriptor, IN | OUT)
                return
            if descriptor in self._paused:
                self._epoll.modify(descriptor, event)
                return
            self._epoll.register(descriptor, event)
        except BaseException:
            self._closeIfIdle()
            raise
        # Events of this descriptor in the current batch belong to a closed connection that had the same number.
        self._registeredThisTurn.add(descriptor)

    def _ignore(self, descriptor: int, other: int, others: dict[int, Any]) -> None:
        assert self._epoll is not None
        if descriptor in others:
            self._epoll.modify(descriptor, other)
        elif descriptor in self._paused:
            self._epoll.modify(descriptor, 0)
        else:
            # A descriptor left in the set without events reports EPOLLHUP on every poll.
            self._epoll.unregister(descriptor)
            self._closeIfIdle()

    def retire(self) -> None:
        """
        Close the set as soon as it has no members.
        """
        self._retired = True
        self._closeIfIdle()

    def _closeIfIdle(self) -> None:
        if self._retired and self._epoll is not None and not (self._readers or self._writers or self._paused):
            self._reactor.removeReader(self)
            self._epoll.close()
            self._epoll = None
