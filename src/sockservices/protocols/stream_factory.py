"""
Conversations over streams, as many as the policy allows.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory, Protocol

from sockservices.admission.census import Census
from sockservices.conversation.outcome import Outcome
from sockservices.conversation.policy import Policy
from sockservices.conversation.responder import MakeResponder, Responder, serviceName
from sockservices.conversation.timeouts import glance
from sockservices.conversation.visit import Visit
from sockservices.monitoring.recorders import Record, logVisit, recordVisit
from sockservices.protocols.stream import StreamProtocol
from sockservices.protocols.timer import globalClock

__all__ = ["Refusal", "StreamFactory"]


class Refusal(Protocol):
    """
    Resets the connection that it is given.
    """

    def connectionMade(self) -> None:
        """
        Have none of it.
        """
        transport: Any = self.transport
        transport.abortConnection()


class StreamFactory(Factory):
    """
    Serves one responder over TCP or Unix-stream connections, on any stream transport.

    @ivar protocols: the conversations under way.
    @ivar refusal: set it to L{Refusal} where the factory is wrapped, as for TLS: a wrapper that is given no protocol
        leaves the connection open, and nobody in charge of it (https://github.com/twisted/twisted/issues/6640).
    """

    noisy = False
    refusal: type[Refusal] | None = None

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
        """
        self.responder = responder
        self.policy = policy
        self.record = record
        self.census = Census() if census is None else census
        self.protocols: set[StreamProtocol] = set()
        #: Seconds after which a peer that was told something is looked at: whether it has taken it.
        self.glance = glance(policy.stallTimeout)
        self._clock = clock
        self._emptied: Deferred[None] | None = None

    @property
    def clock(self) -> IReactorTime:
        """
        The clock of all deadlines.
        """
        if self._clock is None:
            self._clock = globalClock()
        return self._clock

    @staticmethod
    def transportOf(peer: IAddress) -> str:
        """
        The word for the transport that a peer comes by.
        """
        return "unix" if isinstance(peer, UNIXAddress) else "tcp"

    def nameOf(self, responder: Responder | None) -> str:
        """
        The name of the service, of which a responder may not have been made.
        """
        return serviceName(self.responder if responder is None else responder)

    def buildProtocol(self, addr: IAddress) -> StreamProtocol | Refusal | None:  # type: ignore[override]
        """
        Admit a connection.

        @return: over a limit, what L{refusal} makes. If that is L{None}, the transport closes the connection.
        """
        if self.census.admit(getattr(addr, "host", None), self.policy, self.clock.seconds()):
            return StreamProtocol(self, addr)
        self._count(Visit(self.nameOf(None), self.transportOf(addr), addr, 0, 0.0, 0, 0, Outcome.REFUSED))
        return None if self.refusal is None else self.refusal()

    def ended(self, protocol: StreamProtocol, visit: Visit) -> None:
        """
        A conversation has ended.
        """
        self.protocols.discard(protocol)
        self.census.release(getattr(visit.peer, "host", None))
        self._count(visit)
        if self._emptied is not None and not self.protocols:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    def _count(self, visit: Visit) -> None:
        self.census.outcomes[visit.outcome] += 1
        recordVisit(self.record, visit)

    def drain(self, seconds: float) -> Deferred[None]:
        """
        End all conversations: the quiet ones at once, the others when they are quiet, the rest by a reset in the end.

        @param seconds: when the end has come.
        @return: fires after the last C{connectionLost}.
        """
        if not self.protocols:
            return succeed(None)
        if self._emptied is None:
            self._emptied = Deferred()
        deadline = self.clock.callLater(seconds, self.cut)

        def emptied(_: None) -> None:
            if deadline.active():
                deadline.cancel()

        drained: Deferred[None] = Deferred()
        self._emptied.addCallback(emptied).chainDeferred(drained)
        # Only now, as the last one may end at once.
        for protocol in list(self.protocols):
            protocol.drain()
        return drained

    def cut(self) -> None:
        """
        End all conversations now, by a reset.
        """
        for protocol in list(self.protocols):
            protocol.abort(Outcome.DRAINED)
