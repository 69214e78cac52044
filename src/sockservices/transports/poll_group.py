"""
Many descriptors behind one of the reactor.
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

__all__ = ["REASONS", "PollGroup"]

log = Logger("sockservices")

#: EPOLLIN and EPOLLOUT. EPOLLERR and EPOLLHUP are told unasked.
IN, OUT = 1, 4

#: Events after which the reactor has its turn. One call into the kernel tells of a thousand at most; when it told of a
#: few only, the next few are asked for at once: a turn of the reactor costs as much as serving one.
MOST = 128

#: Twisted's reactors, too, give the same failure to every connection that ends in this way.
REASONS: dict[type[BaseException], Failure] = {type(why): Failure(why) for why in (CONNECTION_DONE, CONNECTION_LOST)}


@implementer(IReadDescriptor)
class PollGroup:
    """
    An epoll set, for which a reactor waits as if it were one connection. Each turn of the reactor then serves all
    members that are ready, by one call into the kernel and without a logging context for each.

    Members are served once each before any is served again, and then the reactor and its timers have their turn.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._epoll: select.epoll | None = None
        self._readers: dict[int, Any] = {}
        self._writers: dict[int, Any] = {}
        self._registeredThisTurn: set[int] = set()
        self._afterDispatch: list[Callable[[], object]] = []
        self._serving = self._retired = False

    # What the reactor asks of it.

    def fileno(self) -> int:
        """
        The descriptor of the set.
        """
        return -1 if self._epoll is None else self._epoll.fileno()

    def logPrefix(self) -> str:
        """
        What a line in the log begins with.
        """
        return type(self).__name__

    def doRead(self) -> None:
        """
        Serve the members that are ready.
        """
        self._serving = True
        readers, registered = self._readers, self._registeredThisTurn
        served = 0
        try:
            while served < MOST and self._epoll is not None:
                registered.clear()
                events = self._epoll.poll(0)
                for descriptor, event in events:
                    if event == IN:
                        # One that was served before may have paused or ended this one.
                        member = readers.get(descriptor)
                        if member is not None:
                            try:
                                why = member.doRead()
                            except BaseException as fault:
                                why = self._raised(member, fault)
                            if why is not None:
                                self._disconnect(member, why, True)
                    elif descriptor not in registered:
                        self._serve(descriptor, event)
                if self._afterDispatch:
                    self._runAfterDispatch()
                served += len(events)
                if len(events) < 2:
                    # After a single one, the next is better waited for.
                    return
        finally:
            self._serving = False

    def _serve(self, descriptor: int, event: int) -> None:
        """
        What is to be done but seldom: with room for output, with hang-ups and errors.
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
        except BaseException as fault:
            why = self._raised(member, fault)
        if why is not None:
            self._disconnect(member, why, reading)

    def _raised(self, member: Any, fault: BaseException) -> BaseException:
        # As Twisted's reactors do, down to SystemExit: the fault of one connection is to end no other.
        log.failure("{member!r} raised", member=member)
        return fault

    def _disconnect(self, member: Any, why: BaseException, reading: bool) -> None:
        self.removeReader(member)
        reason = REASONS.get(type(why)) or Failure(why)
        try:
            if reading and isinstance(why, ConnectionDone) and hasattr(member, "readConnectionLost"):
                member.readConnectionLost(reason)
            else:
                self.removeWriter(member)
                member.connectionLost(reason)
        except BaseException as fault:
            self._raised(member, fault)

    def connectionLost(self, reason: Failure) -> None:
        """
        The reactor lets go of all that it watches.
        """
        self._retired = True
        for member in {**self._writers, **self._readers}.values():
            try:
                member.connectionLost(reason)
            except BaseException as fault:
                self._raised(member, fault)

    # What members ask of it.

    def callAfterDispatch(self, call: Callable[[], object]) -> None:
        """
        Call this when the member that is being served is done with what it does now.
        """
        if not self._afterDispatch and not self._serving:
            self._reactor.callLater(0, self._runAfterDispatch)
        self._afterDispatch.append(call)

    def _runAfterDispatch(self) -> None:
        for call in self._afterDispatch:
            # It may add others; they have their turn in this very loop.
            try:
                call()
            except BaseException:
                log.failure("a connection raised while it ended")
        self._afterDispatch.clear()

    def addReader(self, member: Any) -> None:
        """
        Watch for input.
        """
        descriptor = member.fileno()
        if descriptor not in self._readers:
            self._watch(descriptor, IN, self._writers)
            self._readers[descriptor] = member

    def addWriter(self, member: Any) -> None:
        """
        Watch for room for output.
        """
        descriptor = member.fileno()
        if descriptor not in self._writers:
            self._watch(descriptor, OUT, self._readers)
            self._writers[descriptor] = member

    def removeReader(self, member: Any) -> None:
        """
        Watch for input no more.
        """
        if self._readers.pop(descriptor := member.fileno(), None) is not None:
            self._ignore(descriptor, OUT, self._writers)

    def removeWriter(self, member: Any) -> None:
        """
        Watch for room for output no more.
        """
        if self._writers.pop(descriptor := member.fileno(), None) is not None:
            self._ignore(descriptor, IN, self._readers)

    def open(self) -> None:
        """
        Make the set, if there is none: later, when descriptors are scarce, it could not be had.
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
        # What was told of this number in the same breath was meant for one that is gone.
        self._registeredThisTurn.add(descriptor)

    def _ignore(self, descriptor: int, other: int, others: dict[int, Any]) -> None:
        assert self._epoll is not None
        if descriptor in others:
            self._epoll.modify(descriptor, other)
        else:
            # Left in the set, it would still be told to have hung up, turn after turn.
            self._epoll.unregister(descriptor)
            self._closeIfIdle()

    def retire(self) -> None:
        """
        Close the set as soon as nothing is left in it.
        """
        self._retired = True
        self._closeIfIdle()

    def _closeIfIdle(self) -> None:
        if self._retired and self._epoll is not None and not self._readers and not self._writers:
            self._reactor.removeReader(self)
            self._epoll.close()
            self._epoll = None
