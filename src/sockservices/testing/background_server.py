"""
A real server in a background thread, for tests of programs that do not use Twisted.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import ExitStack
from typing import Any

from twisted.internet.defer import Deferred

from sockservices.conversation.policy import Policy
from sockservices.conversation.responder import MakeResponder, serviceName
from sockservices.conversation.transport import Transport
from sockservices.conversation.visit import Visit
from sockservices.monitoring.recorders import VisitLog
from sockservices.server.listener import ListenerService
from sockservices.server.services import datagramService, streamService
from sockservices.testing.background_reactor import BackgroundReactor
from sockservices.testing.socket_folder import socketFolder
from sockservices.text.addresses import addressText
from sockservices.transports.bindings import InetBinding, UnixBinding
from sockservices.transports.endpoints import DatagramEndpoint, StreamEndpoint

__all__ = ["BackgroundServer"]


class BackgroundServer:
    """
    A listening server of one service.

    @ivar address: the argument for C{connect()}: a tuple of host and port, or the path of a Unix socket.
    @ivar visits: one L{Visit} for each conversation that has ended, each datagram, and each refused connection.
    """

    address: Any

    def __init__(
        self,
        background: BackgroundReactor,
        responder: MakeResponder,
        transport: Transport,
        interface: str,
        policy: Policy,
    ) -> None:
        """
        Listen on a free port, or on a Unix socket in a temporary directory.

        @param interface: an IP address of this machine. Unix sockets ignore it.
        """
        self.visits: list[Visit] = []
        self._background = background
        self._visitAdded = threading.Condition()
        with ExitStack() as cleanups:
            binding: InetBinding | UnixBinding
            if not transport.isInet:
                binding = UnixBinding(transport, str(cleanups.enter_context(socketFolder()) / "socket"))
            else:
                binding = InetBinding(transport, 0, interface)
            background.call(self._start, transport, binding, responder, policy)
            cleanups.callback(background.call, self._stop)
            self._cleanups = cleanups.pop_all()

    def __repr__(self) -> str:
        return f"<{self._description}>"

    def _start(self, transport: Transport, binding: Any, responder: MakeResponder, policy: Policy) -> None:
        """
        Listen. Runs in the reactor's thread.
        """
        reactor = self._background.reactor
        makeService: Any = streamService if transport.isStream else datagramService
        endpoint = StreamEndpoint if transport.isStream else DatagramEndpoint
        self._log = VisitLog(reactor)
        self._service: ListenerService = makeService(
            endpoint(reactor, binding), responder, reactor=reactor, policy=policy, record=self._record
        )
        self._service.startService()
        assert self._service.port is not None
        host: Any = self._service.port.getHost()
        self.address = binding.path if isinstance(binding, UnixBinding) else (host.host, host.port)
        self._description = f"{serviceName(responder)} on {transport}:{addressText(host)}"

    def _record(self, visit: Visit) -> None:
        with self._visitAdded:
            self.visits.append(visit)
            self._visitAdded.notify_all()
        self._log(visit)

    def wait(self, count: int, timeout: float = 5.0) -> None:
        """
        Wait until C{count} conversations have ended since the server started.

        @param timeout: seconds to wait.
        @raise TimeoutError: if fewer have ended then. The message counts them by outcome.
        """
        with self._visitAdded:
            if self._visitAdded.wait_for(lambda: len(self.visits) >= count, timeout):
                return
            ended = Counter(visit.outcome.value for visit in self.visits)
        outcomes = ", ".join(f"{number} {outcome}" for outcome, number in ended.most_common())
        raise TimeoutError(
            f"{self._description}: {ended.total()} of {count} conversations ended in {timeout:g} s"
            f"{outcomes and f' ({outcomes})'}; still open: {self._service.connections}"
        )

    def logSummary(self, timeout: float) -> None:
        """
        Log the summary of the visits that have no line of their own.

        @param timeout: seconds to wait for the reactor's thread.
        @raise TimeoutError: if the thread is busy for longer.
        """
        self._background.call(self._log.flush, timeout=timeout)

    def close(self) -> None:
        """
        Stop listening, abort the open conversations and record them. Further calls do nothing.
        """
        self._cleanups.close()

    def _stop(self) -> Deferred[None]:
        def flush(result: Any) -> Any:
            self._log.flush()
            return result

        return self._service.stopService().addBoth(flush)
