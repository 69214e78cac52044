"""
A server for code that is not written with Twisted: a real one, in a background thread.
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

__all__ = ["Served"]


class Served:
    """
    One service, listening.

    @ivar address: what C{connect()} takes: host and port, or the path of a Unix socket.
    @ivar visits: the conversations that have ended, those over datagrams and the refused ones too.
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
        self.visits: list[Visit] = []
        self._background = background
        self._ended = threading.Condition()
        with ExitStack() as exits:
            binding: InetBinding | UnixBinding
            if not transport.isInet:
                binding = UnixBinding(transport, str(exits.enter_context(socketFolder()) / "socket"))
            else:
                binding = InetBinding(transport, 0, interface)
            background.call(self._start, transport, binding, responder, policy)
            exits.callback(background.call, self._stop)
            self._exits = exits.pop_all()

    def __repr__(self) -> str:
        return f"<{self._words}>"

    def _start(self, transport: Transport, binding: Any, responder: MakeResponder, policy: Policy) -> None:
        """
        Listen, in the reactor's thread.
        """
        reactor = self._background.reactor
        serve: Any = streamService if transport.isStream else datagramService
        endpoint = StreamEndpoint if transport.isStream else DatagramEndpoint
        self._log = VisitLog(reactor)
        self._service: ListenerService = serve(
            endpoint(reactor, binding), responder, reactor=reactor, policy=policy, record=self._record
        )
        self._service.startService()
        assert self._service.port is not None
        host: Any = self._service.port.getHost()
        self.address = binding.path if isinstance(binding, UnixBinding) else (host.host, host.port)
        self._words = f"{serviceName(responder)} on {transport}:{addressText(host)}"

    def _record(self, visit: Visit) -> None:
        with self._ended:
            self.visits.append(visit)
            self._ended.notify_all()
        self._log(visit)

    def wait(self, count: int, timeout: float = 5.0) -> None:
        """
        Wait until so many conversations have ended in all.

        @param timeout: seconds to wait.
        @raise TimeoutError: when they have not. Its text tells which have.
        """
        with self._ended:
            if self._ended.wait_for(lambda: len(self.visits) >= count, timeout):
                return
            ended = Counter(visit.outcome.value for visit in self.visits)
        outcomes = ", ".join(f"{number} {outcome}" for outcome, number in ended.most_common())
        raise TimeoutError(
            f"{self._words}: {ended.total()} of {count} conversations ended in {timeout:g} s"
            f"{outcomes and f' ({outcomes})'}; still open: {self._service.connections}"
        )

    def tell(self) -> None:
        """
        Have all in the log that has been left for a summary.
        """
        self._background.call(self._log.flush, limit=1.0)

    def close(self) -> None:
        """
        Stop listening, and cut off what conversations there are. They are recorded, too.
        """
        self._exits.close()

    def _stop(self) -> Deferred[None]:
        def flush(result: Any) -> Any:
            self._log.flush()
            return result

        return self._service.stopService().addBoth(flush)
