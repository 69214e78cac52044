"""
A real server in a background thread, for tests of programs that do not use Twisted.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from twisted.internet.error import CannotListenError

from sockservices.admission.census import Census
from sockservices.conversation.policy import Policy
from sockservices.conversation.responder import serviceName
from sockservices.conversation.transport import Transport
from sockservices.conversation.visit import Visit
from sockservices.faults.datagrams import FaultyDatagrams
from sockservices.faults.draws import randomSeed
from sockservices.faults.factory import StreamFaults
from sockservices.faults.fault import Fault
from sockservices.faults.plan import FaultPlan, faultsFrom
from sockservices.monitoring.journal import Journal
from sockservices.monitoring.recorders import VisitLog
from sockservices.scripting.coroutine_service import Service, isCoroutineService
from sockservices.server.listener import ListenerService
from sockservices.server.services import datagramService, streamService
from sockservices.testing.background_reactor import BackgroundReactor
from sockservices.testing.ended_visits import EndedVisits
from sockservices.testing.received import Received, recordingLayers
from sockservices.testing.socket_folder import socketFolder
from sockservices.text.addresses import addressText
from sockservices.transports.bindings import InetBinding, UnixBinding
from sockservices.transports.endpoints import DatagramEndpoint, StreamEndpoint

__all__ = ["BackgroundServer"]

#: Turns of the reactor in which it accepts a connection, reads what was sent, and runs a coroutine.
READING_TURNS = 5


class BackgroundServer:
    """
    A listening server of one service.

    @ivar address: the argument for C{connect()}: a tuple of host and port, or the path of a Unix socket.
    @ivar journal: every segment and datagram, up to 4 MiB.
    @ivar seed: the seed of the faults.
    @ivar visits: one L{Visit} for each conversation that has ended, each datagram, and each refused connection.
    """

    address: Any
    _plan: FaultPlan

    def __init__(
        self,
        background: BackgroundReactor,
        responder: Service,
        transport: Transport,
        interface: str,
        policy: Policy,
        port: int = 0,
        faults: Sequence[Fault] = (),
        seed: int | None = None,
    ) -> None:
        """
        Listen on a port, or on a Unix socket in a temporary directory.

        @param interface: an IP address of this machine. Unix sockets ignore it.
        @param port: 0 is any free port.
        @param seed: the seed of the faults, by default a random one.
        """
        self.seed = randomSeed() if seed is None else seed
        self._faults, self._hadFaults = faultsFrom(faults), bool(faults)
        self._ended = EndedVisits()
        self.visits = self._ended.visits
        self._background = background
        self._responder, self._transport, self._policy = responder, transport, policy
        self._received, self.journal = Received(), Journal()
        self._service: ListenerService | None = None
        with ExitStack() as cleanups:
            self._binding: InetBinding | UnixBinding
            if not transport.isInet:
                self._binding = UnixBinding(transport, str(cleanups.enter_context(socketFolder()) / "socket"))
            else:
                self._binding = InetBinding(transport, port, interface)
            self.start()
            cleanups.callback(self.stop)
            self._cleanups = cleanups.pop_all()

    def __repr__(self) -> str:
        return f"<{self._description}>"

    def start(self) -> None:
        """
        Listen again at the same address, after L{stop}. Does nothing while the server listens.

        @raise OSError: if another program listens there now.
        """
        if self._service is None:
            try:
                self._background.call(self._start)
            except CannotListenError as error:
                raise OSError(str(error)) from error

    def stop(self) -> None:
        """
        Stop listening, reset the open connections and record them. Does nothing while the server is stopped.
        """
        if self._service is not None:
            self._background.call(self._stop)

    def _start(self) -> None:
        """
        Listen. Runs in the reactor's thread.
        """
        reactor, transport, binding = self._background.reactor, self._transport, self._binding
        makeService: Any = streamService if transport.isStream else datagramService
        endpoint = StreamEndpoint if transport.isStream else DatagramEndpoint
        census = Census()
        options: dict[str, Any] = {"seed": self.seed, "clock": reactor, "counts": census.faults}

        def faultyDatagrams(protocol: Any) -> FaultyDatagrams:
            self._plan = layer = FaultyDatagrams(protocol, self._faults, **options)
            return layer

        faulty: Any = faultyDatagrams
        if transport.isStream:
            self._plan = faulty = StreamFaults(self._faults, **options)
        self._log = VisitLog(reactor)
        service: ListenerService = makeService(
            endpoint(reactor, binding),
            self._responder,
            reactor=reactor,
            policy=self._policy,
            record=self._record,
            census=census,
            layers=[*recordingLayers(transport.isStream, self.journal, self._received), faulty],
        )
        service.startService()
        self._service = service
        assert service.port is not None
        host: Any = service.port.getHost()
        if isinstance(binding, UnixBinding):
            self.address = binding.path
        else:
            self.address = (host.host, host.port)
            self._binding = replace(binding, port=host.port)
        self._description = f"{serviceName(self._responder)} on {transport}:{addressText(host)}"

    @property
    def faults(self) -> tuple[Fault, ...]:
        """
        The faults, in the order in which they act. New faults apply from the next connection or datagram on, which
        gets the number 1.
        """
        return self._faults

    @faults.setter
    def faults(self, faults: Sequence[Fault]) -> None:
        self._background.call(setattr, self._plan, "faults", faults)
        self._faults = self._plan.faults
        self._hadFaults = self._hadFaults or bool(self._faults)

    @property
    def faultNotice(self) -> str:
        """
        The faults and the seed, for the report of a failed test; C{""} for a server that had no faults.
        """
        now = " ".join(map(str, self._faults)) or "none now"
        return f"{self._description}: faults: {now}; seed={self.seed}" if self._hadFaults else ""

    @property
    def connections(self) -> int:
        """
        The number of open connections.
        """
        service = self._service
        return 0 if service is None else service.connections

    @property
    def received(self) -> list[bytes]:
        """
        The bytes that each peer has sent so far: an item for each connection or datagram, in the order in which they
        began. Of a connection it has the first 65536 bytes; the list has the last 1000 of them.
        """
        return self._received.all()

    def _record(self, visit: Visit) -> None:
        self._ended.add(visit)
        self._log(visit)

    def wait(self, count: int, timeout: float = 5.0) -> None:
        """
        Wait until C{count} conversations have ended since the server started.

        @param timeout: seconds to wait.
        @raise TimeoutError: if fewer have ended then. The message counts them by outcome.
        @raise AssertionError: as L{check} does. A mismatch ends the wait.
        """
        ended = self._ended.wait(count, timeout)
        self._ended.raiseMismatch()
        if ended is not None:
            raise TimeoutError(f"{self._description}: {ended}; still open: {self.connections}")

    def check(self) -> None:
        """
        Raise the failure of a coroutine in the test, after the server has read what clients sent before.

        @raise AssertionError: the first mismatch, or failed assertion of a coroutine, that was not raised yet.
        """
        if isCoroutineService(self._responder):
            self._background.runTurns(READING_TURNS)
            self._ended.raiseMismatch()

    def logSummary(self, timeout: float) -> None:
        """
        Log the summary of the visits that have no line of their own.

        @param timeout: seconds to wait for the reactor's thread.
        @raise TimeoutError: if the thread is busy for longer.
        """
        self._background.call(self._log.flush, timeout=timeout)

    def close(self) -> None:
        """
        Stop for ever, and remove the socket of a Unix server. Further calls do nothing.
        """
        self._cleanups.close()

    async def _stop(self) -> None:
        """
        Stop. Runs in the reactor's thread.
        """
        service, self._service = self._service, None
        if service is not None:
            try:
                await service.stopService()
            finally:
                self._log.flush()
