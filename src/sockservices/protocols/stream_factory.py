"""
Conversations over streams, as many as the policy allows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from sockservices.admission.census import Census
from sockservices.conversation.framed_stream import framedMaker
from sockservices.conversation.outcome import Outcome
from sockservices.conversation.policy import Policy
from sockservices.conversation.responder import MakeResponder, serviceName
from sockservices.conversation.responder_types import checkMaker
from sockservices.conversation.transport import Transport
from sockservices.conversation.visit import Visit
from sockservices.monitoring.exception_log import ignoreException
from sockservices.monitoring.recorders import Record, logVisit, recordVisit
from sockservices.protocols.responder_end import overridesEnded
from sockservices.protocols.stream import StreamProtocol
from sockservices.protocols.timer import UnstartedTimers, globalClock

__all__ = ["Refusal", "StreamFactory"]


class Refusal(Protocol):
    """
    Resets its connection.
    """

    def connectionMade(self) -> None:
        """
        Abort the connection.
        """
        transport: Any = self.transport
        transport.abortConnection()


class StreamFactory(Factory):
    """
    Serves one responder over TCP or Unix-stream connections, on any stream transport.

    @ivar protocols: the conversations in progress.
    @ivar unstartedTimers: the timers of new conversations.
    @ivar onException: called with each exception that resets a conversation, after it is logged.
    @ivar makeResponder: makes the responder of a stream.
    @ivar callsEnded: whether the responders may have an C{ended} of their own.
    @ivar wrapped: whether another factory may wrap this one, as for TLS. Then a refused connection gets a protocol that
        resets it: Twisted's wrappers leave one without a protocol open for ever (Twisted #6640). And a connection whose
        wrapper fails before it connects the protocol is released.
    """

    noisy = False
    wrapped = False

    def __init__(
        self,
        responder: MakeResponder,
        policy: Policy = Policy(),  # noqa: B008 (it is frozen)
        record: Record = logVisit,
        clock: IReactorTime | None = None,
        census: Census | None = None,
    ) -> None:
        """
        @param responder: a L{Responder} class, or anything that makes one for a conversation.
        @param policy: the limits.
        @param record: called with the L{Visit} of each conversation that has ended, and of each refused connection.
        @param clock: the reactor, or a L{twisted.internet.task.Clock}; by default the global reactor, once needed.
        @param census: where connections are counted; give the same one to all listeners whose limits are shared.
        @raise TypeError: for what cannot make a responder.
        """
        checkMaker(responder)
        self.responder = responder
        self.makeResponder = framedMaker(responder)
        self.callsEnded = overridesEnded(responder)
        self.policy = policy
        self.record = record
        self.census = Census() if census is None else census
        self.protocols: set[StreamProtocol] = set()
        self.unstartedTimers = UnstartedTimers()
        self._clock = clock
        self._emptied: Deferred[None] | None = None
        self.onException: Callable[[BaseException], object] = ignoreException

    @property
    def clock(self) -> IReactorTime:
        """
        The clock of all deadlines.
        """
        if self._clock is None:
            self._clock = globalClock()
        return self._clock

    def buildProtocol(self, addr: IAddress) -> StreamProtocol | Refusal | None:  # type: ignore[override]
        """
        Admit a connection.

        @param addr: the transport's address of the peer.
        @return: L{None} over a limit: then the transport closes the connection.
        """
        if self.census.admit(getattr(addr, "host", None), self.policy, self.clock.seconds()):
            protocol = StreamProtocol(self, addr)
            if self.wrapped:
                self.clock.callLater(0, self._releaseUnconnected, protocol)
            return protocol
        transport = Transport.UNIX if isinstance(addr, UNIXAddress) else Transport.TCP
        self._count(Visit(serviceName(self.responder), transport, addr, 0, 0.0, 0, 0, Outcome.REFUSED))
        return Refusal() if self.wrapped else None

    def _releaseUnconnected(self, protocol: StreamProtocol) -> None:
        """
        Twisted's wrappers connect a protocol at once, or raise and forget it.
        """
        if not (protocol.connected or protocol.lost):
            protocol.connectionLost(Failure(ConnectionAborted()))

    def ended(self, protocol: StreamProtocol, visit: Visit) -> None:
        """
        A conversation has ended.
        """
        self.protocols.discard(protocol)
        self.census.release(getattr(protocol.admitted, "host", None))
        self._count(visit)
        if self._emptied is not None and not self.protocols:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    def _count(self, visit: Visit) -> None:
        self.census.outcomes[visit.outcome] += 1
        totals = self.census.totals.conversations[visit.service]
        totals.outcomes[visit.outcome] += 1
        totals.received += visit.received
        totals.sent += visit.sent
        recordVisit(self.record, visit)

    def drain(self, seconds: float) -> Deferred[None]:
        """
        End every conversation when no data is pending and its peer has been silent for half a second.

        @param seconds: after this time the rest is reset.
        @return: fires after the last C{connectionLost}.
        """
        if not self.protocols:
            return succeed(None)
        if self._emptied is None:
            self._emptied = Deferred()
        deadline = self.clock.callLater(seconds, self.abortAll)

        def emptied(_: None) -> None:
            if deadline.active():
                deadline.cancel()

        drained: Deferred[None] = Deferred()
        self._emptied.addCallback(emptied).chainDeferred(drained)
        # Last, because the last conversation may end at once.
        for protocol in list(self.protocols):
            protocol.drain()
        return drained

    def abortAll(self) -> None:
        """
        Reset all connections now.
        """
        for protocol in list(self.protocols):
            protocol.abort(Outcome.DRAINED)
