"""
An epoll set for many connections, which the reactor watches as one descriptor.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from sockservices.transports.reactor import Reactor

__all__ = ["REASONS", "PollGroup"]

log = Logger("sockservices")

#: EPOLLIN and EPOLLOUT. The kernel reports EPOLLERR and EPOLLHUP always (epoll_ctl(2)).
IN, OUT = 1, 4

#: Number of events after which C{doRead} returns to the reactor. Before that it polls again, because a turn of the
#: reactor costs as much as one event.
EVENTS_PER_TURN = 128

#: The reasons for C{connectionLost}. All connections share them, as in Twisted's reactors.
REASONS: dict[type[BaseException], Failure] = {type(why): Failure(why) for why in (CONNECTION_DONE, CONNECTION_LOST)}


@implementer(IReadDescriptor)
class PollGroup:
    """
    An epoll set that the reactor watches as one descriptor. A turn of the reactor dispatches the events of all members
    that are ready, with one system call and without a logging context for each.

    Each ready member is called once before any is called again. C{doRead} returns after about 128 events, so that
    members that are always ready do not delay timers.
    """

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._epoll: select.epoll | None = None
        self._readers: dict[int, Any] = {}
        self._writers: dict[int, Any] = {}
        self._registeredThisTurn: set[int] = set()
        self._afterDispatch: list[Callable[[], object]] = []
        self._dispatching = self._retired = False

    # IReadDescriptor

    def fileno(self) -> int:
        """
        The descriptor of the epoll set, -1 while there is none.
        """
        return -1 if self._epoll is None else self._epoll.fileno()

    def logPrefix(self) -> str:
        """
        The prefix of log lines.
        """
        return type(self).__name__

    def doRead(self) -> None:
        """
        Dispatch the events of the members that are ready.
        """
        self._dispatching = True
        readers, registered = self._readers, self._registeredThisTurn
        dispatched = 0
        try:
            while dispatched < EVENTS_PER_TURN and self._epoll is not None:
                registered.clear()
                events = self._epoll.poll(0)
                for descriptor, event in events:
                    if event == IN:
                        # A member called before may have paused or closed this one.
                        member = readers.get(descriptor)
                        if member is not None:
                            try:
                                why = member.doRead()
                            except BaseException as error:
                                why = self._logException(member, error)
                            if why is not None:
                                self._disconnect(member, why, True)
                    elif descriptor not in registered:
                        self._dispatch(descriptor, event)
                if self._afterDispatch:
                    self._runAfterDispatch()
                dispatched += len(events)
                if len(events) < 2:
                    # After a single event, a return to the reactor costs less than another poll.
                    return
        finally:
            self._dispatching = False

    def _dispatch(self, descriptor: int, event: int) -> None:
        """
        Dispatch an event other than plain input: EPOLLOUT, EPOLLHUP, EPOLLERR.
        """
        reading = descriptor in self._readers
        member: Any = (self._readers if reading else self._writers).get(descriptor)
        if member is None:
            return
        why = None
        try:
            if event & IN:
                if reading:
                    why = member.doRead()
            elif event & ~OUT:
                why = CONNECTION_DONE if reading else CONNECTION_LOST
            writer: Any = self._writers.get(descriptor)
            if event & OUT and why is None and writer is member:
                reading = False
                why = writer.doWrite()
        except BaseException as error:
            why = self._logException(member, error)
        if why is not None:
            self._disconnect(member, why, reading)

    def _logException(self, member: Any, error: BaseException) -> BaseException:
        # This includes SystemExit, as in Twisted's reactors: an exception in one connection does not close others.
        log.failure("{member!r} raised an exception", member=member)
        return error

    def _disconnect(self, member: Any, why: BaseException, reading: bool) -> None:
        self.removeReader(member)
        reason = REASONS.get(type(why)) or Failure(why)
        try:
            if reading and isinstance(why, ConnectionDone) and hasattr(member, "readConnectionLost"):
                member.readConnectionLost(reason)
            else:
                self.removeWriter(member)
                member.connectionLost(reason)
        except BaseException as error:
            self._logException(member, error)

    def connectionLost(self, reason: Failure) -> None:
        """
        Disconnect all members. The reactor calls this when it stops.
        """
        self._retired = True
        for member in {**self._writers, **self._readers}.values():
            try:
                member.connectionLost(reason)
            except BaseException as error:
                self._logException(member, error)

    # Called by the members

    def callAfterDispatch(self, call: Callable[[], object]) -> None:
        """
        Call a function after the current batch of events, or in the next turn of the reactor if there is no batch. A
        transport that closes this way never calls C{connectionLost} re-entrantly.
        """
        if not self._afterDispatch and not self._dispatching:
            self._reactor.callLater(0, self._runAfterDispatch)
        self._afterDispatch.append(call)

    def _runAfterDispatch(self) -> None:
        for call in self._afterDispatch:
            # A call may append others; this loop reaches them as well.
            try:
                call()
            except BaseException:
                log.failure("closing a connection raised an exception")
        self._afterDispatch.clear()

    def addReader(self, member: Any) -> None:
        """
        Start watching a member for input.
        """
        descriptor = member.fileno()
        if descriptor not in self._readers:
            self._watch(descriptor, IN, self._writers)
            self._readers[descriptor] = member

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
        Stop watching a member for input.
        """
        if self._readers.pop(descriptor := member.fileno(), None) is not None:
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
        if self._retired and self._epoll is not None and not self._readers and not self._writers:
            self._reactor.removeReader(self)
            self._epoll.close()
            self._epoll = None
