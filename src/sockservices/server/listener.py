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

from sockservices.conversation.responder import serviceName
from sockservices.monitoring.recorders import VisitLog
from sockservices.protocols.stream_factory import StreamFactory
from sockservices.text.addresses import addressText
from sockservices.transports.endpoints import DatagramEndpoint, StreamEndpoint

__all__ = ["DatagramService", "ListenerService", "StreamService"]

log = Logger("sockservices")


class ListenerService(Service):
    """
    One listener.

    @cvar words: the words for its transport, over IP and over a Unix socket.
    @ivar port: the L{IListeningPort} while it listens; its C{getHost()} tells the real port number.
    """

    words: ClassVar[tuple[str, str]]
    port: IListeningPort | None = None
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

        @raise Exception: when it cannot be opened, whatever the endpoint fails with.
        """
        if isinstance(self._endpoint, (StreamEndpoint, DatagramEndpoint)):
            self._endpoint.open()
        else:
            self._listen()

    def close(self) -> None:
        """
        Close the socket of a service that is never to start.
        """
        if isinstance(self._endpoint, (StreamEndpoint, DatagramEndpoint)):
            self._endpoint.close()
        if self.port is not None:
            self.port.stopListening()

    def _listen(self) -> None:
        """
        Listen, and raise here and now when that fails: a service that only logs it would run on, deaf. Only an endpoint
        that takes its time can fail later, and then there is only the log.
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
        Listen, with the privileges that are still there.
        """
        super().privilegedStartService()
        self._listen()

    def startService(self) -> None:
        """
        Listen, if that has not been done.
        """
        super().startService()
        self._listen()
        if self.port is not None:
            host = self.port.getHost()
            log.info(
                "{service} listening on {listener}",
                service=serviceName(self._served.responder),
                listener=self._listener(host),
            )

    def _listener(self, host: Any) -> str:
        return f"{self.words[isinstance(host, UNIXAddress)]}:{addressText(host)}"

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
        How many connections are open: none, where there are none.
        """
        return 0

    def cut(self) -> None:
        """
        End all conversations now, if any last.
        """


class DatagramService(ListenerService):
    """
    One listener for datagrams.
    """

    words = ("udp", "unixgram")


class StreamService(ListenerService):
    """
    One listener for connections.
    """

    words = ("tcp", "unix")

    def __init__(
        self, endpoint: IStreamServerEndpoint, factory: StreamFactory, layered: Any, visitLog: VisitLog | None = None
    ) -> None:
        """
        @param visitLog: leaves nothing untold when the service has stopped.
        """
        super().__init__(endpoint, factory, layered)
        self._visitLog = visitLog

    @property
    def connections(self) -> int:
        """
        How many connections are open.
        """
        return len(self._served.protocols)

    def cut(self) -> None:
        """
        End all conversations now, by a reset.
        """
        self._served.cut()

    def _drain(self) -> Deferred[None]:
        factory: StreamFactory = self._served
        return factory.drain(factory.policy.drain).addCallback(self._drained)

    def _drained(self, _: None) -> None:
        if self._visitLog is not None:
            self._visitLog.flush()
