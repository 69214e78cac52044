"""
L{WorkerSupervisor}: the start of workers.
"""

from __future__ import annotations

import resource
import signal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.internet.testing import MemoryReactorClock

from sockservices.conversation.transport import Transport
from sockservices.responders import Echo
from sockservices.server.build import ListenError, buildServer
from sockservices.server.config import ListenerConfig, ServerConfig
from sockservices.transports.bindings import UnixBinding
from sockservices.transports.sockets import openSockets
from sockservices.workers.worker_supervisor import WorkerSupervisor
from tests.support.peer import LogCase


class Reactor(MemoryReactorClock):
    """
    A reactor that starts no process, and that stops already.

    @ivar blocked: the signals that are blocked at the start of each process.
    """

    def __init__(self) -> None:
        super().__init__()
        self.blocked: list[set[int]] = []

    def callWhenRunning(self, callable: Any, *args: Any, **kwargs: Any) -> None:
        """
        Call a function when the clock advances.
        """
        self.callLater(0, callable, *args, **kwargs)

    def spawnProcess(self, *_: Any, **__: Any) -> None:
        """
        Record the blocked signals, and fail.
        """
        self.blocked.append(set(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
        raise PermissionError(13, "Permission denied", "python")

    def stop(self) -> None:
        """
        Raise the exception of a reactor that has been stopped.
        """
        raise ReactorNotRunning


class WorkerSupervisorTests(LogCase):
    """
    Tests of a supervisor of two workers and one Unix socket.
    """

    def setUp(self) -> None:
        """
        Make the configuration.
        """
        super().setUp()
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "socket"
        self.reactor = Reactor()

    def build(self) -> WorkerSupervisor:
        """
        Open the socket, and make the supervisor.
        """
        binding = UnixBinding(Transport.UNIX, str(self.path))
        config = ServerConfig(listeners=(ListenerConfig(service=Echo, binding=binding),), workers=2)
        supervisor = partial(WorkerSupervisor, config=config, arguments=[], descriptors=None)
        server = buildServer(config, self.reactor, None, {0: openSockets(binding)}, supervisor)
        assert isinstance(server, WorkerSupervisor)
        return server

    def test_signalsDuringTheStart(self) -> None:
        """
        A worker starts with the signals blocked that it ignores later: its supervisor acts on those that a terminal or
        a service manager sends to all processes.
        """
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        server = self.build()
        self.addCleanup(server.close)
        server.startService()
        self.reactor.advance(0)
        expected = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1}
        self.assertEqual([expected <= blocked for blocked in self.reactor.blocked], [True, True])
        self.assertEqual(signal.pthread_sigmask(signal.SIG_BLOCK, []), before)

    def test_aStartThatFailsDuringTheStop(self) -> None:
        """
        A worker that ends when the reactor stops already is no failure of the start.
        """
        server = self.build()
        self.addCleanup(server.close)
        server.startService()
        self.reactor.advance(0)
        self.lines()
        self.reactor.advance(0)
        self.assertEqual(self.lines(), [])

    def test_noMemoryToShare(self) -> None:
        """
        Without memory for the counters, the server does not start, and leaves no socket.
        """
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        try:
            error = self.assertRaises(ListenError, self.build)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        self.assertEqual(str(error), "--workers 2: no memory to share: File too large")
        self.assertFalse(self.path.exists())
