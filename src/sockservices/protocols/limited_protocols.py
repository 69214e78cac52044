"""
Ordinary Twisted protocols under the limits of a server.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IProtocolFactory, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from sockservices.admission.census import Census
from sockservices.conversation.outcome import Outcome
from sockservices.conversation.policy import Policy
from sockservices.conversation.responder import serviceName
from sockservices.conversation.timeouts import QUIET
from sockservices.conversation.transport import Transport
from sockservices.conversation.visit import Visit
from sockservices.faults.ending import outcomeWithFaults
from sockservices.monitoring.recorders import Record
from sockservices.protocols.limited_factory import LimitedFactory
from sockservices.protocols.timer import Timer
from sockservices.text.addresses import addressText
from sockservices.transports.stream_layer import StreamLayer

__all__ = ["LimitedProtocols"]

log = Logger("sockservices")


class LimitedProtocols(LimitedFactory):
    """
    Wraps the protocols of a factory: they have the limits on connections, the idle timeout and the drain of a policy.
    """

    def __init__(
        self,
        factory: IProtocolFactory,
        policy: Policy,
        record: Record,
        clock: IReactorTime | None = None,
        census: Census | None = None,
    ) -> None:
        super().__init__(policy, record, clock, census)
        self._factory = IProtocolFactory(factory)
        self.responder = getattr(factory, "protocol", None) or type(factory)
        self.doStart, self.doStop = factory.doStart, factory.doStop  # type: ignore[method-assign]
        self._makeProtocol = self._limited

    def _limited(self, addr: IAddress) -> Any:
        protocol = None
        try:
            protocol = self._factory.buildProtocol(addr)
        finally:
            if protocol is None:
                self.census.release(getattr(addr, "host", None))
        return self._refuse(addr) if protocol is None else _LimitedProtocol(protocol, self, addr)


class _LimitedProtocol(StreamLayer):
    """
    Counts the bytes of a connection, closes it when it is silent, and records it.

    @ivar admitted: the address that the connection was admitted by.
    """

    connected = lost = False
    serial = 0

    def __init__(self, protocol: Any, factory: LimitedProtocols, peer: IAddress) -> None:
        super().__init__(protocol)
        self._limits = factory
        self.admitted = peer
        self._received = self._sent = 0
        self._outcome: Outcome | None = None
        self._draining = False
        self._startedAt = self._activeAt = factory.clock.seconds()
        self._timer = Timer(factory.clock, self._check)

    def makeConnection(self, transport: Any) -> None:
        self.connected = True
        self._limits.protocols.add(self)
        self.serial = self._limits.census.nextSerial()
        if self._limits.policy.idleTimeout:
            self._timer.fireBy(self._activeAt + self._limits.policy.idleTimeout)
        try:
            super().makeConnection(transport)
        except Exception:
            # The transport logs it, and resets the connection.
            self._outcome = Outcome.ERROR
            raise

    def dataReceived(self, data: bytes) -> None:
        self._received += len(data)
        self._activeAt = self._limits.clock.seconds()
        try:
            super().dataReceived(data)
        except Exception:
            self._resetAfterException()

    def readConnectionLost(self) -> None:
        try:
            super().readConnectionLost()
        except Exception:
            self._resetAfterException()

    def _resetAfterException(self) -> None:
        """
        Log the exception that the protocol has raised, and reset the connection. Twisted's transports would close it:
        to the peer, that is the end of a complete reply.
        """
        log.failure(
            "{service} raised an exception; conversation {serial} with {peer} is reset",
            service=serviceName(self._limits.responder),
            serial=self.serial,
            peer=addressText(self.getPeer()) or "-",
        )
        self.abort(Outcome.ERROR)

    def write(self, data: bytes) -> None:
        self._sent += len(data)
        self._activeAt = self._limits.clock.seconds()
        super().write(data)

    def _check(self, now: float) -> None:
        if self._outcome is not None:
            # The peer has not closed within the close grace.
            self.abort(self._outcome)
            return
        endsAt = self._activeAt + (QUIET if self._draining else self._limits.policy.idleTimeout)
        if now >= endsAt and not self.unackedBytes():
            self._close(Outcome.DRAINED if self._draining else Outcome.IDLE, now)
        else:
            self._timer.fireBy(max(endsAt, now + QUIET))

    def _close(self, outcome: Outcome, now: float) -> None:
        self._outcome = outcome
        if self._limits.policy.closeGrace:
            self._timer.fireBy(now + self._limits.policy.closeGrace)
        self.transport.loseConnection()

    def drain(self) -> None:
        self._draining = True
        self._check(self._limits.clock.seconds())

    def abort(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = True
        self._timer.cancel()
        try:
            if self.connected:
                super().connectionLost(reason)
        finally:
            clean = isinstance(reason.value, ConnectionDone)
            faults = self.faults if self.connected else ()
            outcome = self._outcome or outcomeWithFaults(Outcome.DONE if clean else Outcome.RESET, faults)
            service = serviceName(self._limits.responder)
            transport = Transport.UNIX if isinstance(self.admitted, UNIXAddress) else Transport.TCP
            peer = self.getPeer() if self.connected else self.admitted
            seconds = self._limits.clock.seconds() - self._startedAt
            discarded = self.discardedBytes if self.connected else (0, 0)
            received, sent = self._received + discarded[0], self._sent - discarded[1]
            visit = Visit(service, transport, peer, self.serial, seconds, received, sent, outcome, faults)
            self._limits.ended(self, visit)
