"""
One conversation over a stream: a TCP or Unix-stream connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.address import UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import implementer

from sockservices.conversation.outcome import Outcome
from sockservices.conversation.phase import ABORTED, CLOSED, CLOSING, OPEN
from sockservices.conversation.stream_exchange import StreamExchange
from sockservices.conversation.transport import Transport
from sockservices.conversation.visit import Visit
from sockservices.faults.ending import outcomeWithFaults
from sockservices.monitoring.exception_log import logException
from sockservices.protocols.awaitable import cancelReply
from sockservices.protocols.conversations import StreamConversation
from sockservices.protocols.flow_control import FlowControl
from sockservices.protocols.responder_end import callEnded
from sockservices.protocols.timer import Timer
from sockservices.transports.interfaces import IStreamTransport
from sockservices.transports.twisted_transport import TwistedTransport

if TYPE_CHECKING:
    from sockservices.protocols.stream_factory import StreamFactory

__all__ = ["StreamProtocol"]

#: In CPython 3.11, C{Transport.TCP} is a function call.
TCP, UNIX = Transport.TCP, Transport.UNIX


@implementer(IHalfCloseableProtocol)
class StreamProtocol(FlowControl, Protocol):
    """
    One conversation over one connection: passes events of the transport to an exchange, and replies of the exchange to
    the transport. One timer serves all timeouts.

    @ivar admitted: the address that the connection was admitted by.
    @ivar lost: whether the connection is gone.
    @ivar peer: the peer's address. It differs from C{admitted} behind a proxy.
    """

    #: Slots keep the attributes that each message uses together: a thousand conversations do not fit into the L2 cache.
    __slots__ = ("_exchange", "_seconds", "_transport")

    factory: StreamFactory
    _transport: Any  # the transport, as an IStreamTransport

    lost = False
    mismatch: AssertionError | None = None  # the failed expectation or assertion of a coroutine
    serial = 0
    _phase = OPEN  # the last phase that was acted upon

    def __init__(self, factory: StreamFactory, peer: IAddress) -> None:
        self.factory = factory
        self.peer = self.admitted = peer
        self.transportName = UNIX if isinstance(peer, UNIXAddress) else TCP
        self._transport = None
        clock = factory.clock
        self._seconds = seconds = clock.seconds
        self._startedAt = now = seconds()
        self._exchange = StreamExchange(factory.makeResponder, factory.policy, now)
        self._timer = Timer(clock, self._check, factory.unstartedTimers)

    # Receiving and sending.

    def connectionMade(self) -> None:
        """
        Begin the conversation, or wait for C{peerIdentified} if the transport does not know the peer's address yet.
        """
        # A wrapper claims to provide the interfaces of the transport below it.
        if isinstance(self.transport, ProtocolWrapper) or not IStreamTransport.providedBy(self.transport):
            self._transport = TwistedTransport(self.transport, self)
        else:
            self._transport = self.transport
        self.factory.protocols.add(self)
        if not self._transport.identifying:
            self._begin()

    def peerIdentified(self) -> None:
        """
        The transport has got the peer's address: begin the conversation, unless it has ended before.
        """
        if self._exchange.phase is not OPEN:
            return
        self.peer = self._transport.getPeer()
        self._startedAt = self._exchange.idleSince = self._seconds()
        self._begin()

    def _begin(self) -> None:
        self.serial = self.factory.census.nextSerial()
        greeting = self._exchange.open(StreamConversation(self))
        if greeting:
            self._transport.write(greeting)
        self._produce()
        if self._exchange.changed:
            self._applyChanges()

    def dataReceived(self, segment: bytes) -> None:
        """
        Answer a segment.
        """
        exchange = self._exchange
        reply = exchange.receive(segment, self._seconds())
        if reply:
            self._transport.write(reply)
        if exchange.changed:
            self._applyChanges()

    def readConnectionLost(self) -> None:
        """
        The peer's FIN: send the pending data, then close.
        """
        reply = self._exchange.end()
        if reply:
            self._transport.write(reply)
        if self._exchange.changed:
            self._applyChanges()

    def _applyChanges(self) -> None:
        exchange = self._exchange
        exchange.changed = False
        if exchange.phase is not self._phase:
            self._phase = exchange.phase
            if self._phase is CLOSING:
                self._close()
            elif self._phase is CLOSED:
                self._transport.loseConnection()
            elif self._phase is ABORTED:
                self._abort()
        elif exchange.awaiting is not None:
            self._wait()
        if exchange.nextCheck < self._timer.at:
            self._timer.fireBy(exchange.nextCheck)

    # The ways out.

    def _close(self) -> None:
        """
        Send pending output and a FIN; or close, if the peer has closed or the transport cannot half-close.
        """
        exchange, transport = self._exchange, self._transport
        halfCloses = transport.halfCloses and not exchange.ended
        now = self._seconds()
        exchange.closes(now)
        if transport.userspaceBytes() or not halfCloses:
            exchange.trackProgress(now, transport.unackedBytes)
        if self._producing:
            # First: a transport with a paused producer sends its buffer, resumes the producer and never closes.
            self._producing = False
            transport.unregisterProducer()
        if self._paused and not exchange.ended:
            # The peer's FIN is still to be read. Over TLS the connection could not close otherwise (Twisted #8901).
            transport.resumeProducing()
        if halfCloses:
            transport.loseWriteConnection()
        else:
            transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        The transport has sent the FIN.
        """
        self._exchange.finSent(self._seconds())
        self._timer.fireBy(self._exchange.nextCheck)

    def abort(self, outcome: Outcome) -> None:
        """
        Reset the connection.
        """
        self._exchange.abort(outcome)
        self._applyChanges()

    def _abort(self) -> None:
        service, exception = self._exchange.service, self._exchange.exception
        self._transport.abortConnection()
        if exception is not None:
            logException(service, exception, self.serial, self.peer)
            self.factory.onException(exception)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone: record the conversation.
        """
        self.lost = True
        self._timer.cancel()
        exchange, service = self._exchange, self._exchange.service
        responder = exchange.responder
        unsent = int if self._transport is None else self._transport.unackedBytes
        # Not by Failure.check(), which compares names.
        outcome = exchange.lost(isinstance(reason.value, ConnectionDone), unsent)
        faults = getattr(self._transport, "faults", ())
        if faults:
            outcome = outcomeWithFaults(outcome, faults)
        if self._waiting is not None:
            cancelReply(self._waiting, service, self.serial, self.peer)
        if self.factory.callsEnded:
            callEnded(responder, outcome, self.serial, self.peer)
        seconds = self._seconds() - self._startedAt
        discarded = getattr(self._transport, "discardedBytes", (0, 0))
        received, sent = exchange.received + discarded[0], exchange.sent - discarded[1]
        transport, peer = self.transportName, self.peer
        visit = Visit(service, transport, peer, self.serial, seconds, received, sent, outcome, faults, self.mismatch)
        self.factory.ended(self, visit)

    # Time.

    def drain(self) -> None:
        """
        The server stops: end as soon as no data is pending and the peer has been silent for half a second.
        """
        self._exchange.drain()
        self._check(self._seconds())

    def _check(self, now: float) -> None:
        self._exchange.check(now, self._transport.unackedBytes(), self._paused)
        self._applyChanges()
