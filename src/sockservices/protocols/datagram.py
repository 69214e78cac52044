"""
Conversations of one datagram and its reply: over UDP and Unix datagrams.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime

from sockservices.admission.census import Census
from sockservices.admission.datagram_rules import DatagramSource, datagramSource, inode, unixDropReason
from sockservices.conversation.datagram_exchange import DatagramExchange
from sockservices.conversation.outcome import Outcome
from sockservices.conversation.policy import Policy
from sockservices.conversation.responder import serviceName
from sockservices.conversation.responder_types import checkMaker
from sockservices.conversation.visit import Visit
from sockservices.faults.faulty_reply import DatagramLostError
from sockservices.monitoring.drop_log import DropLog
from sockservices.monitoring.exception_log import ignoreException
from sockservices.monitoring.recorders import Record, recordVisit
from sockservices.protocols.awaitable import cancelReply
from sockservices.protocols.awaited_datagrams import AwaitedDatagrams
from sockservices.protocols.conversations import DatagramConversation, Request
from sockservices.protocols.responder_end import callEnded, overridesEnded
from sockservices.protocols.timer import DefaultClock
from sockservices.scripting.coroutine_service import Service, isCoroutineService
from sockservices.scripting.datagram_coroutine import datagramMaker
from sockservices.transports.reply_route import RequestProtocol, peerAddress, transportOf

__all__ = ["DatagramResponder"]

#: Looked up for every datagram; as a member of its class that would take longer than some of the rules.
DONE = Outcome.DONE

#: Of a reply's token: a L{Request} and the length of the reply. Their sums take no Python call for each datagram.
RECEIVED, SENT = itemgetter(2), itemgetter(3)

#: A reply may have this many bytes even if the request is shorter: too few to be worth an amplification attack, enough
#: for the line of daytime.
MIN_REPLY_LIMIT = 40

#: The maximum size of a read if the policy has no limit; longer than any datagram.
MAX_DATAGRAM = 2**18

#: The maximum size of a reply over IP with C{Policy.udpRfcSize}.
MAX_UDP_REPLY = 65507


class DatagramResponder(AwaitedDatagrams, DefaultClock, RequestProtocol):
    """
    Answers each datagram by itself: at most once, and over IP with at most max(request size, 40) bytes.

    The transport needs C{write(data, address)} only. Through a route, it may send the reply later.
    """

    def __init__(
        self,
        responder: Service,
        policy: Policy = Policy(),  # noqa: B008 (it is frozen)
        record: Record | None = None,
        clock: IReactorTime | None = None,
        census: Census | None = None,
    ) -> None:
        """
        @param responder: a L{Responder} class, another callable that makes a responder, or a coroutine function.
        @param policy: the limits.
        @param record: called with a L{Visit} for each datagram, answered or dropped; by default datagrams are counted.
        @param clock: the reactor, or a L{twisted.internet.task.Clock}; by default the global reactor, once needed.
        @param census: counts the datagrams; listeners with the same census share limits.
        """
        checkMaker(responder)
        self.onException: Callable[[BaseException], object] = ignoreException
        self.responder = responder
        self._service = service = serviceName(responder)
        self._make = datagramMaker(responder)
        self._scripted = isCoroutineService(responder)
        self._callsEnded = not self._scripted and overridesEnded(self._make)
        self._openResponders: dict[int, Any] = {}  # those of datagrams without an outcome, by serial number
        self.policy = policy
        self.record = record
        self.census = Census() if census is None else census
        self._totals = self.census.totals.datagrams[service]
        self._maxRequest = policy.udpMax or math.inf
        self._minReplyLimit = MAX_UDP_REPLY if policy.udpRfcSize else MIN_REPLY_LIMIT
        self._clock = clock
        self._host: IAddress | None = None
        self._exchange: DatagramExchange | None = None  # the exchange for the next datagram
        self._awaited: dict[Deferred[Any], Request] = {}
        self._port: int | None = None
        self._inode: tuple[int, int] | None = None
        self._dropLog = DropLog(service, lambda: self.clock.seconds())

    def startProtocol(self) -> None:
        """
        Count the transport's port among the server's own, and have datagrams read whole.
        """
        # One byte over the limit: a datagram that the kernel truncates to this size is over the limit, too.
        self.transport.maxPacketSize = min(self.policy.udpMax or MAX_DATAGRAM, MAX_DATAGRAM) + 1
        getHost = getattr(self.transport, "getHost", None)
        self._host = host = None if getHost is None else getHost()
        self._exchange = None
        self._port = getattr(host, "port", None)
        if self._port is not None:
            self.census.udpPorts[self._port] += 1
        self._inode = inode(getattr(host, "name", None))
        if self._inode is not None:
            self.census.unixSockets.add(self._inode)

    def stopProtocol(self) -> None:
        """
        The port is closed.
        """
        awaited, self._awaited = self._awaited, {}
        for deferred, (serial, route, _) in awaited.items():
            cancelReply(deferred, self._service, serial, peerAddress(route.peer))
        if self._port is not None:
            self.census.udpPorts -= Counter([self._port])
        if self._inode is not None:
            self.census.unixSockets.discard(self._inode)
            self._inode = None

    def requestReceived(self, datagram: bytes, route: Any) -> None:
        """
        Answer a datagram, or drop it and count why.

        @param route: the way back to its source.
        """
        census, peer, received = self.census, route.peer, len(datagram)
        serial = census.nextSerial()
        request = serial, route, received
        outcome = limit = None
        if type(peer) is tuple:
            outcome = (route.source or self._identify(route)).dropReason(census.udpPorts)
            limit = received if received > self._minReplyLimit else self._minReplyLimit
        elif peer is not None:
            outcome = unixDropReason(peer, census.unixSockets)
        if outcome is None and received > self._maxRequest:
            outcome = Outcome.TOO_LONG
        if outcome is not None:
            self._drop(outcome, request)
            return
        # Not in use twice: a responder may stop the port, which serves queued datagrams before it closes.
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            exchange = DatagramExchange(self._make, DatagramConversation(self, self._host))
        conversation = exchange.conversation
        conversation.source, conversation.serial, conversation.limit = peer, serial, limit
        reply = exchange.respond(datagram)
        if self._callsEnded:
            self._openResponders[serial] = exchange.responder
        if not exchange.changed:
            self._exchange = exchange
            self._reply(reply, request, limit)
        elif exchange.awaiting is not None:
            self._wait(exchange, reply, request, limit)
        else:
            self._drop(Outcome.ERROR, request, exchange.exception)

    def _identify(self, route: Any) -> DatagramSource:
        """
        Find the properties of a datagram's source, once for each route.
        """
        route.source = source = datagramSource(route.peer, route.destination, self.census, self.policy)
        return source

    def _reply(self, reply: bytes | None, request: Request, limit: int | None) -> None:
        _, route, _ = request
        if reply is None:
            self._count(DONE, request)
        elif route.peer is None:
            self._drop(Outcome.UNNAMED, request)
        elif limit is not None and len(reply) > limit:
            self._drop(Outcome.WITHHELD, request)
        else:
            source = route.source or self._identify(route)
            if self.census.allowReply(source.rate, source.key, self.clock.seconds()):
                route.send(reply, (*request, len(reply)))
            else:
                self._drop(Outcome.OVER_RATE, request)

    def repliesSent(self, tokens: list[Any], failures: list[tuple[Any, Exception]]) -> None:
        """
        The kernel has accepted the replies of C{tokens}, and refused those of C{failures}.
        """
        if self.record is None and not self._callsEnded:
            totals = self._totals
            self.census.outcomes[DONE] += len(tokens)
            totals.outcomes[DONE] += len(tokens)
            totals.received += sum(map(RECEIVED, tokens))
            totals.sent += sum(map(SENT, tokens))
        else:
            for token in tokens:
                self._count(DONE, token[:3], token[3])
        for token, error in failures:
            lost = isinstance(error, DatagramLostError)
            self._drop(Outcome.LOST if lost else Outcome.UNSENT, token[:3], None if lost else error)

    def requestLost(self, size: int, route: Any) -> None:
        """
        Count a datagram that a fault has dropped.
        """
        self._drop(Outcome.LOST, (self.census.nextSerial(), route, size))

    def changedReplySent(self, token: Any, size: int) -> None:
        """
        Count a reply with the bytes that were sent.
        """
        self._count(DONE, token[:3], size)

    def _count(self, outcome: Outcome, request: Request, sent: int = 0, mismatch: Any = None) -> None:
        serial, route, received = request
        totals = self._totals
        self.census.outcomes[outcome] += 1
        totals.outcomes[outcome] += 1
        totals.received += received
        totals.sent += sent
        if self._openResponders:
            callEnded(self._openResponders.pop(serial, None), outcome, serial, peerAddress(route.peer))
        if self.record is not None:
            transport, peer, faults = transportOf(route.peer), peerAddress(route.peer), getattr(route, "faults", ())
            visit = Visit(self._service, transport, peer, serial, 0.0, received, sent, outcome, faults, mismatch)
            recordVisit(self.record, visit)

    def _drop(self, outcome: Outcome, request: Request, cause: BaseException | None = None) -> None:
        _, route, _ = request
        if outcome is not Outcome.OVER_RATE or self.census.onExceeded is None:
            # Otherwise the census has reported it.
            self._dropLog(outcome, transportOf(route.peer), peerAddress(route.peer), cause)
        if cause is not None and outcome in (Outcome.ERROR, Outcome.MISMATCH):
            self.onException(cause)
        self._count(outcome, request, mismatch=cause if outcome is Outcome.MISMATCH else None)
