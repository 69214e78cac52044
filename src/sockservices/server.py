"""
Listeners as Twisted services: what an application embeds.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from sockservices.address import addressText
from sockservices.binding import InetBinding, SystemdBinding, UnixBinding, parse
from sockservices.census import Census
from sockservices.datagram import DatagramResponder
from sockservices.factory import Refusal, StreamFactory
from sockservices.policy import Policy
from sockservices.recorders import Record, VisitLog, logVisit
from sockservices.responder import MakeResponder
from sockservices.transports.endpoints import DatagramEndpoint, StreamEndpoint

__all__ = ["ListenerService", "StreamService", "datagramService", "streamService"]

log = Logger("sockservices")


class ListenerService(Service):
    """
    One listener: of datagrams, or see L{StreamService}.

    @ivar port: the L{IListeningPort} while it listens; its C{getHost()} tells the real port number.
    """

    port: IListeningPort | None = None
    _listening: Deferred[None] | None = None

    def __init__(self, endpoint: Any, served: Any) -> None:
        self._endpoint = endpoint
        self._served = served

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
        self._listening = self._endpoint.listen(self._served).addCallback(self._listens).addErrback(failures.append)
        if failures:
            self._listening = None
            failures[0].raiseException()
        self._listening.addCallback(lambda _: self._late(failures))

    def _late(self, failures: list[Failure]) -> None:
        if failures and self.running:
            log.failure("{service} cannot listen", failures[0], service=self._name())

    def _listens(self, port: IListeningPort) -> None:
        if not IListeningPort.providedBy(port):
            raise ValueError(f"{type(port).__name__}: that is nothing to listen on")
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
            log.info("{service} listening on {listener}", service=self._name(), listener=self._listener(host))

    def _name(self) -> str:
        name: str = getattr(self._served.responder, "name", "-")
        return name

    def _listener(self, host: Any) -> str:
        inet, unix = ("udp", "unixgram") if isinstance(self._served, DatagramResponder) else ("tcp", "unix")
        return f"{unix if isinstance(host, UNIXAddress) else inet}:{addressText(host)}"

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

    def _stopped(self, result: Failure | None) -> Any:
        drained = self._drain()
        return result if drained is None else drained.addCallback(lambda _: result)

    def _drain(self) -> Deferred[None] | None:
        return None

    @property
    def connections(self) -> int:
        """
        How many connections are open.
        """
        return 0

    def cut(self) -> None:
        """
        End all conversations now.
        """


class StreamService(ListenerService):
    """
    One listener for connections.
    """

    def __init__(
        self, endpoint: IStreamServerEndpoint, factory: StreamFactory, visitLog: VisitLog | None = None
    ) -> None:
        """
        @param visitLog: leaves nothing untold when the service has stopped.
        """
        super().__init__(endpoint, factory)
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

    def _drain(self) -> Deferred[None] | None:
        factory: StreamFactory = self._served
        return factory.drain(factory.policy.drain).addCallback(self._drained)

    def _drained(self, _: None) -> None:
        if self._visitLog is not None:
            self._visitLog.flush()


def streamService(
    endpoint: str | IStreamServerEndpoint,
    responder: MakeResponder,
    *,
    reactor: Any,
    policy: Policy = Policy(),  # noqa: B008 (it is frozen)
    record: Record | None = None,
    census: Census | None = None,
) -> StreamService:
    """
    Serve a responder to connections.

    @param endpoint: C{"tcp:8007"}, C{"tcp:8007:interface=0.0.0.0"}, C{"unix:/run/echo.sock:mode=660"},
        C{"systemd:NAME"}, any string that Twisted knows, or an endpoint.
    @param responder: a L{Responder<sockservices.responder.Responder>} class, or anything that makes one.
    @param reactor: listens, and is the clock.
    @param policy: the limits.
    @param record: called with the visit of each conversation that has ended; by default they are logged.
    @param census: where connections are counted; give the same one to all listeners whose limits are shared.
    @return: a service that raises when it starts and cannot listen.
    @raise ValueError: when the string makes no sense.
    """
    if isinstance(endpoint, str):
        binding = parse(endpoint)
        if binding is None:
            endpoint = _foreign(reactor, endpoint)
        elif not isinstance(binding, SystemdBinding) and not binding.stream:
            raise ValueError(f"{endpoint!r}: datagrams, where connections are to be served")
        else:
            endpoint = StreamEndpoint(reactor, binding)
    visitLog = VisitLog(reactor) if record is None else None
    factory = StreamFactory(responder, policy, record or visitLog or logVisit, reactor, census)
    if not isinstance(endpoint, StreamEndpoint):
        # It may be wrapped there.
        factory.refusal = Refusal
    return StreamService(endpoint, factory, visitLog)


def _foreign(reactor: Any, words: str) -> IStreamServerEndpoint:
    """
    An endpoint of a kind that is not ours.

    @raise ValueError: when Twisted does not know what is meant either. It has many ways of saying so.
    """
    try:
        endpoint: IStreamServerEndpoint = serverFromString(reactor, words)
    except Exception as fault:
        wanted = "tcp:PORT, unix:PATH, systemd:NAME or a server string of Twisted is wanted"
        raise ValueError(f"{words!r}: {fault or type(fault).__name__}; {wanted}") from fault
    return endpoint


def datagramService(
    endpoint: str | DatagramEndpoint,
    responder: MakeResponder,
    *,
    reactor: Any,
    policy: Policy = Policy(),  # noqa: B008 (it is frozen)
    record: Record | None = None,
    census: Census | None = None,
) -> ListenerService:
    """
    Serve a responder to datagrams.

    @param endpoint: C{"udp:8007"}, C{"udp:8007:interface=0.0.0.0"}, C{"unixgram:/run/echo.sock"}, C{"systemd:NAME"}, or
        an endpoint.
    @param record: called with a visit for each datagram; by default they are counted only.
    @see: L{streamService} for the others, what is returned and what is raised.
    """
    if isinstance(endpoint, str):
        binding = parse(endpoint)
        if binding is None or (isinstance(binding, (InetBinding, UnixBinding)) and binding.stream):
            raise ValueError(f"{endpoint!r}: udp:PORT, unixgram:PATH or systemd:NAME is wanted")
        endpoint = DatagramEndpoint(reactor, binding)
    return ListenerService(endpoint, DatagramResponder(responder, policy, record, reactor, census))
