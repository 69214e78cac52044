"""
L{WorkerServer}: the listeners of one worker.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from sockservices.conversation.transport import Transport
from sockservices.responders import Greet
from sockservices.server.build import buildServer
from sockservices.server.config import ListenerConfig, ServerConfig
from sockservices.transports.bindings import InetBinding
from sockservices.transports.sockets import openSockets
from sockservices.workers.shared_census import SharedCensus
from sockservices.workers.shared_counters import SharedCounters
from sockservices.workers.worker_server import WorkerServer


class WorkerServerTests(SynchronousTestCase):
    """
    One worker with a listener for TCP and one for UDP.
    """

    def setUp(self) -> None:
        """
        Start the worker.
        """
        memory = SharedCounters.create(1)
        census = SharedCensus(SharedCounters(memory), 0, 1)
        os.close(memory)
        self.clock = MemoryReactorClock()
        bindings = [InetBinding(transport, 0) for transport in (Transport.TCP, Transport.UDP)]
        listeners = tuple(ListenerConfig(service=Greet, binding=binding) for binding in bindings)
        opened = dict(enumerate(map(openSockets, bindings)))
        self.clients = []
        for (bound,) in opened.values():
            client = socket.socket(type=bound.socket.type)
            self.addCleanup(client.close)
            client.settimeout(10)
            client.connect(bound.socket.getsockname())
            self.clients.append(client)
        self.messages: list[dict[str, Any]] = []
        server = buildServer(ServerConfig(listeners=listeners), self.clock, census, opened, WorkerServer)
        assert isinstance(server, WorkerServer)
        server.send = self.messages.append
        self.server = server
        server.startService()
        self.clock.run()

    def tearDown(self) -> None:
        """
        Stop the worker.
        """
        self.server.abortAll()
        stopped = self.server.stopService()
        self.clock.advance(1)
        self.successResultOf(stopped)

    def test_heartbeat(self) -> None:
        """
        After the ready message, the worker sends its totals each half second.
        """
        self.clock.pump([0.25] * 8)
        self.assertEqual([next(iter(message)) for message in self.messages], ["ready"] + 5 * ["totals"])

    def test_queuesAreRead(self) -> None:
        """
        Each half second, the worker serves what is in the queues of its sockets, also if the reactor has no event: the
        kernel may have woken another worker, which hangs.
        """
        connection, datagrams = self.clients
        datagrams.send(b"a")
        self.clock.advance(0.5)
        self.assertEqual(connection.recv(100), b"connected")
        self.assertEqual(datagrams.recv(100), b"connected")
