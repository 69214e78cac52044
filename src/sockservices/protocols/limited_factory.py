"""
Connections as many as the policy allows.
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
from sockservices.conversation.outcome import Outcome
from sockservices.conversation.policy import Policy
from sockservices.conversation.responder import serviceName
from sockservices.conversation.transport import Transport
from sockservices.conversation.visit import Visit
from sockservices.monitoring.recorders import Record, recordVisit
from sockservices.protocols.timer import DefaultClock

__all__ = ["LimitedFactory", "Refusal"]


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


class LimitedFactory(DefaultClock, Factory):
    """
    The base class of factories whose connections have limits, visits and a drain. L{StreamFactory
    <sockservices.StreamFactory>} describes the parameters.

    @ivar responder: the object that gives visits their service name.
    @ivar protocols: the conversations in progress. Each has C{admitted}, C{connected}, C{lost}, C{connectionLost},
        C{drain} and C{abort}.
    @ivar wrapped: whether another factory may wrap this one, as for TLS. Then a refused connection gets a protocol that
        resets it: Twisted's wrappers never close a connection without a protocol (Twisted #6640). And a connection
        whose wrapper fails before it connects the protocol is released.
    """

    noisy = False
    wrapped = False
    responder: Any

    #: Makes the protocol of an admitted connection from its address.
    _makeProtocol: Callable[[IAddress], Any]

    def __init__(self, policy: Policy, record: Record, clock: IReactorTime | None, census: Census | None) -> None:
        self.policy = policy
        self.record = record
        self.census = Census() if census is None else census
        self.protocols: set[Any] = set()
        self._clock = clock
        self._emptied: Deferred[None] | None = None

    def buildProtocol(self, addr: IAddress) -> Any:  # type: ignore[override]
        """
        Admit a connection.

        @param addr: the transport's address of the peer.
        @return: L{None} over a limit: then the transport closes the connection.
        """
        if not self.census.admit(getattr(addr, "host", None), self.policy, self.clock.seconds()):
            return self._refuse(addr)
        protocol = self._makeProtocol(addr)
        if self.wrapped and protocol is not None:
            self.clock.callLater(0, self._releaseUnconnected, protocol)
        return protocol

    def _refuse(self, addr: IAddress) -> Refusal | None:
        transport = Transport.UNIX if isinstance(addr, UNIXAddress) else Transport.TCP
        self._count(Visit(serviceName(self.responder), transport, addr, 0, 0.0, 0, 0, Outcome.REFUSED))
        return Refusal() if self.wrapped else None

    def _releaseUnconnected(self, protocol: Any) -> None:
        """
        Twisted's wrappers connect a protocol at once, or raise and forget it.
        """
        if not (protocol.connected or protocol.lost):
            protocol.connectionLost(Failure(ConnectionAborted()))

    def ended(self, protocol: Any, visit: Visit) -> None:
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

        @param seconds: the time after which the remaining connections are reset.
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
