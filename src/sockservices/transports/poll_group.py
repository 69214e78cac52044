"""
An epoll set for many connections, which the reactor watches as one descriptor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from sockservices.transports.poll_set import ERR, IN, OUT, PollSet
from sockservices.transports.reactor import Reactor

__all__ = ["REASONS", "PollGroup"]

log = Logger("sockservices")

#: Number of events after which C{doRead} returns to the reactor. Before that it polls again, because a turn of the
#: reactor costs as much as one event.
EVENTS_PER_TURN = 128

#: The reasons for C{connectionLost}. All connections share them, as in Twisted's reactors.
REASONS: dict[type[BaseException], Failure] = {type(why): Failure(why) for why in (CONNECTION_DONE, CONNECTION_LOST)}


@implementer(IReadDescriptor)
class PollGroup(PollSet):
    """
    An epoll set that the reactor watches as one descriptor. A turn of the reactor dispatches the events of all members
    that are ready, with one system call and without a logging context for each.

    Each ready member is called once before any is called again. C{doRead} returns after about 128 events, so that
    members that are always ready do not delay timers.
    """

    def __init__(self, reactor: Reactor) -> None:
        super().__init__(reactor)
        self._afterDispatch: list[Callable[[], object]] = []
        self._dispatching = False

    # IReadDescriptor

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
            self._dispatchPaused(descriptor, event)
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

    def _dispatchPaused(self, descriptor: int, event: int) -> None:
        member = self._paused.get(descriptor)
        if member is not None:
            if event & ERR:
                self._disconnect(member, CONNECTION_LOST, False)
            else:
                # Both directions have ended, and there may be input to read. The event would repeat on every poll.
                self.removeReader(member)

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
        for member in {**self._paused, **self._writers, **self._readers}.values():
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
