"""
A listener as a Twisted service.
"""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.application.service import Service
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from sockservices.conversation.policy import Policy
from sockservices.conversation.responder import serviceName
from sockservices.conversation.transport import Transport
from sockservices.monitoring.recorders import VisitLog
from sockservices.protocols.limited_factory import LimitedFactory
from sockservices.text.addresses import addressText
from sockservices.transports.endpoints import Endpoint
from sockservices.transports.sockets import BoundSocket

__all__ = ["DatagramService", "ListenerService", "StreamService"]

log = Logger("sockservices")


class ListenerService(Service):
    """
    One listener.

    @cvar transports: its transport over IP, and over a Unix socket.
    @ivar port: the L{IListeningPort} while it listens; its C{getHost()} has the real port number.
    @ivar number: the position of its listener in the configuration.
    """

    transports: ClassVar[tuple[Transport, Transport]]
    port: IListeningPort | None = None
    number = 0
    _listening: Deferred[None] | None = None

    def __init__(self, endpoint: Any, served: Any, layered: Any) -> None:
        """
        @param served: the factory of connections, or the protocol of datagrams.
        @param layered: the same, with the layers around it.
        """
        self._endpoint = endpoint
        self._served = served
        self._layered = layered

    def open(self) -> None:
        """
        Open the socket before the service starts: while privileged, and before a fork.

        @raise Exception: the exception of the endpoint.
        """
        if isinstance(self._endpoint, Endpoint):
            self._endpoint.open()
        else:
            self._listen()

    def close(self) -> None:
        """
        Close the socket of a service that is never to start.
        """
        if isinstance(self._endpoint, Endpoint):
            self._endpoint.close()
        if self.port is not None:
            self.port.stopListening()

    def _listen(self) -> None:
        """
        Listen, or raise: Twisted's own service would log the failure and run without a listener. An endpoint that fails
        later has its failure logged.
        """
        if self._listening is not None:
            return
        failures: list[Failure] = []
        self._listening = self._endpoint.listen(self._layered).addCallback(self._listens).addErrback(failures.append)
        if failures:
            self._listening = None
            failures[0].raiseException()
        self._listening.addCallback(lambda _: self._late(failures))

    def _late(self, failures: list[Failure]) -> None:
        if failures and self.running:
            log.failure("{service} cannot listen", failures[0], service=serviceName(self._served.responder))

    def _listens(self, port: IListeningPort) -> None:
        if not IListeningPort.providedBy(port):
            raise ValueError(f"{type(port).__name__}: expected an endpoint that listens")
        self.port = port

    def privilegedStartService(self) -> None:
        """
        Listen, before privileges are dropped.
        """
        super().privilegedStartService()
        self._listen()

    def startService(self) -> None:
        """
        Listen, unless it listens already.
        """
        super().startService()
        self._listen()
        self.logAddress()

    def logAddress(self) -> None:
        """
        Log where it listens, unless it does not listen yet.
        """
        if self.port is not None:
            text = addressText(self.port.getHost())
            log.info("{service} listening on {transport}:{address}", address=text, **self.address)

    @property
    def bound(self) -> BoundSocket | None:
        """
        The socket, if it is open and the service does not listen yet.
        """
        return getattr(self._endpoint, "bound", None)

    @property
    def policy(self) -> Policy:
        """
        Its limits.
        """
        policy: Policy = self._served.policy
        return policy

    @property
    def address(self) -> dict[str, Any]:
        """
        Where it listens, as fields: C{service}, C{transport}, and C{host} and C{port} or C{path}; empty while it does
        not listen.
        """
        if self.port is None:
            return {}
        host: Any = self.port.getHost()
        unix = isinstance(host, UNIXAddress)
        fields = {"service": serviceName(self._served.responder), "transport": self.transports[unix].value}
        return fields | ({"path": addressText(host)} if unix else {"host": host.host, "port": host.port})

    def stopService(self) -> Deferred[None]:
        """
        Stop listening, and end the conversations.

        @return: fires after the last of them has ended.
        """
        super().stopService()
        if self._listening is not None:
            self._listening.cancel()
            self._listening = None
        port, self.port = self.port, None
        stopped: Deferred[Any] = succeed(None) if port is None else maybeDeferred(port.stopListening)
        return stopped.addBoth(self._stopped)

    def _stopped(self, result: Failure | None) -> Deferred[Any]:
        return self._drain().addCallback(lambda _: result)

    def _drain(self) -> Deferred[None]:
        return succeed(None)

    @property
    def connections(self) -> int:
        """
        The number of open connections.
        """
        return 0

    @property
    def pendingReplies(self) -> int:
        """
        The number of replies to datagrams that come later.
        """
        return 0

    def abortAll(self) -> None:
        """
        Reset all connections now.
        """


class DatagramService(ListenerService):
    """
    One listener for datagrams.
    """

    transports = (Transport.UDP, Transport.UNIXGRAM)

    @property
    def pendingReplies(self) -> int:
        """
        The number of replies to datagrams that come later.
        """
        return int(self._layered.pendingReplies)


class StreamService(ListenerService):
    """
    One listener for connections.
    """

    transports = (Transport.TCP, Transport.UNIX)

    def __init__(
        self, endpoint: IStreamServerEndpoint, factory: LimitedFactory, layered: Any, visitLog: VisitLog | None = None
    ) -> None:
        """
        @param visitLog: logs its last summary when the service has stopped.
        """
        super().__init__(endpoint, factory, layered)
        self._visitLog = visitLog

    @property
    def connections(self) -> int:
        """
        The number of open connections.
        """
        return len(self._served.protocols)

    def abortAll(self) -> None:
        """
        Reset all connections now.
        """
        self._served.abortAll()

    def _drain(self) -> Deferred[None]:
        factory: LimitedFactory = self._served
        return factory.drain(factory.policy.drain).addCallback(self._drained)

    def _drained(self, _: None) -> None:
        if self._visitLog is not None:
            self._visitLog.flush()
