"""
The supervisor of several workers.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import chain
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger

from sockservices.conversation.responder import serviceName
from sockservices.monitoring.totals import logTotals
from sockservices.server.build import ListenError
from sockservices.server.config import ServerConfig
from sockservices.server.signals import blockedSignals
from sockservices.server.supervisor import Supervisor
from sockservices.server.worker_command import workerCommand
from sockservices.text.counts import counted
from sockservices.transports.bindings import InetBinding
from sockservices.transports.bound_socket import BoundSocket
from sockservices.transports.listening_port import ListeningPort
from sockservices.transports.shared_sockets import openReusePort
from sockservices.workers.descriptors import COMMANDS, COUNTERS, JOURNAL, MESSAGES, SOCKETS
from sockservices.workers.journal import SharedJournal
from sockservices.workers.pool import WorkerPool
from sockservices.workers.settings import WorkerSettings
from sockservices.workers.shared_counters import SharedCounters
from sockservices.workers.totals import sumOfTotals, totalsOf
from sockservices.workers.worker_process import WorkerProcess

__all__ = ["WorkerSupervisor"]

log = Logger("sockservices")

#: The most UDP sockets of a listener: each worker has all of them open. More workers share them.
MAX_UDP_SOCKETS = 16

#: Slots for each worker: for itself, its successor, and predecessors that still have connections.
SLOTS_PER_WORKER = 4

#: The least seconds without a message after which a worker counts as hung.
MIN_HUNG_SECONDS = 2.0

#: Variables of the service manager, which are for the supervisor only (sd_notify(3), sd_listen_fds(3)).
MANAGER_VARIABLES = frozenset(
    {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}
)


class WorkerSupervisor(Supervisor):
    """
    Holds the sockets of all listeners, which workers serve, and the one log. It serves nothing itself: its listeners
    are never started.
    """

    _reactor: Any
    journal: SharedJournal | None

    def __init__(
        self,
        reactor: Any,
        *args: Any,
        config: ServerConfig,
        arguments: Sequence[str],
        descriptors: int | None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """
        @param args: the other parameters of L{Supervisor}.
        @param arguments: the options of the server, which the workers parse again.
        @param descriptors: the limit of descriptors that caps the connections, or L{None}.
        @param environ: the environment of the workers, with variables of the service manager, which they do not get.
        """
        super().__init__(reactor, *args)
        self.workers = config.workers
        self._config = config
        self._arguments = arguments
        self._limit = descriptors
        self._environ = {name: value for name, value in environ.items() if name not in MANAGER_VARIABLES}
        #: For each listener its number, and its sockets: one for all workers, or one for each of them.
        self._sockets: list[tuple[int, list[BoundSocket]]] = []
        slots = SLOTS_PER_WORKER * config.workers
        try:
            self._memory = SharedCounters.create(slots)
            self._counters = SharedCounters(self._memory)
        except OSError as error:
            self.close()
            raise ListenError(f"--workers {config.workers}: no memory to share: {error.strerror}") from error
        self._pool = WorkerPool(
            *(reactor, config.workers, slots, config.drain), self._spawn, self.ready, self._failed, self._ended
        )
        self._pool.onRestarting, self._pool.onRestarted = self._notify.reloading, self._notify.reloaded
        self._endedTotals: list[dict[str, Any]] = []
        self._notify.healthy = self._allResponsive
        for listener in self._listeners:
            bound = listener.bound
            if bound is not None:
                # It is never started: it has the address.
                listener.port = ListeningPort(bound, None, reactor)
                self._sockets.append((listener.number, [bound]))
        try:
            self._openUDPSockets()
        except OSError as error:
            self.close()
            raise ListenError(f"--workers {self.workers}: no socket for each worker: {error.strerror}") from error

    def _openUDPSockets(self) -> None:
        """
        Open a UDP socket for each worker, unless a service manager has opened them.
        """
        for number, sockets in self._sockets:
            binding = self._config.listeners[number].binding
            if isinstance(binding, InetBinding) and not binding.stream:
                sockets += openReusePort(sockets[0], min(self.workers, MAX_UDP_SOCKETS) - 1)

    def privilegedStartService(self) -> None:
        """
        Give up supplementary groups where twistd does not.
        """
        Service.privilegedStartService(self)
        self.shedGroups()

    def startService(self) -> None:
        """
        Start the workers once the reactor runs: by then, twistd has dropped its privileges.
        """
        Service.startService(self)
        for listener in self._listeners:
            listener.logAddress()
        self._reactor.callWhenRunning(self._pool.start)

    def _spawn(self, worker: WorkerProcess) -> None:
        settings = WorkerSettings(
            worker=worker.number,
            slot=worker.slot,
            reactor=type(self._reactor).__module__,
            descriptors=self._limit,
            seed=self._config.seed,
            services=[serviceName(each.service) for each in self._config.listeners],
            sockets=[
                (number, bound.connectionsInheritOobInline, index == worker.place % len(sockets))
                for number, sockets in self._sockets
                for index, bound in enumerate(sockets)
            ],
        )
        descriptors: dict[int, Any] = {COMMANDS: "w", 1: "r", 2: "r", MESSAGES: "r", COUNTERS: self._memory}
        if self.journal is not None:
            descriptors[JOURNAL] = self.journal.descriptor
        passed = chain.from_iterable(sockets for _, sockets in self._sockets)
        descriptors |= {descriptor: bound.socket.fileno() for descriptor, bound in enumerate(passed, SOCKETS)}
        command = workerCommand(json.dumps(asdict(settings)), self._arguments)
        # Blocked signals stay blocked in the new process, until it ignores them.
        with blockedSignals():
            self._reactor.spawnProcess(worker, sys.executable, command, self._environ, childFDs=descriptors)

    def _failed(self, cause: str) -> None:
        """
        End the process with status 1: one of the first workers does not get ready.
        """
        with suppress(ReactorNotRunning):
            # It raises the exception if the reactor stops already: after another failure or a signal.
            self._reactor.stop()
            log.critical("--workers {count}: a worker did not start: {cause}", count=self.workers, cause=cause)
            atexit.register(_exitWithFailure)

    def _ended(self, worker: WorkerProcess) -> None:
        self._counters.clear(worker.slot)
        if self.journal is not None:
            self.journal.workerEnded(*(worker.totals or {}).get("leftOut", (0, 0)))
        if worker.totals is not None:
            self._endedTotals = [totalsOf(sumOfTotals([*self._endedTotals, worker.totals]))]

    def _allResponsive(self) -> bool:
        """
        Whether each worker has sent a message lately.
        """
        oldest = self._reactor.seconds() - max(MIN_HUNG_SECONDS, self._notify.watchdogSeconds / 2)
        return all(worker.lastMessageAt >= oldest for worker in self._pool.processes)

    def reload(self) -> None:
        """
        Replace all workers, without an interruption.
        """
        self._pool.restart()

    def logTotals(self) -> None:
        """
        Log what all workers have done so far. Those that run have sent their totals within the last half second.
        """
        running = [worker.totals for worker in self._pool if worker.totals is not None]
        logTotals(sumOfTotals([*self._endedTotals, *running]))

    def stopService(self) -> Deferred[None]:
        """
        Stop all workers.
        """
        Service.stopService(self)
        self._notify.stopping()
        if self._portsFile is not None:
            self._portsFile.remove()
        log.info("stopping: {open}", open=counted(self._counters.total(), "connection"))
        stopped = self._pool.stop()
        # The workers accept what waits in the queues, and then close the sockets for good.
        self.close()
        return stopped.addBoth(self.stopped)

    def close(self) -> None:
        """
        Close all sockets in this process.
        """
        super().close()
        for _, sockets in self._sockets:
            for bound in sockets:
                bound.close()

    def abortAll(self) -> None:
        """
        Reset all connections now.
        """
        self._pool.abort()


def _exitWithFailure() -> None:
    """
    Exit with status 1: neither twistd nor a reactor has a status for a failure after the start of the reactor.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
    os._exit(1)
