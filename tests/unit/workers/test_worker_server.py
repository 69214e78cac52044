"""
L{WorkerServer}: the listeners of one worker.
"""

from __future__ import annotations

import os
import socket
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Responder
from sockservices.conversation.transport import Transport
from sockservices.faults.parse import parseFault
from sockservices.responders import Greet
from sockservices.server.build import buildServer
from sockservices.server.config import ListenerConfig, ServerConfig
from sockservices.transports.bindings import InetBinding
from sockservices.transports.sockets import openSockets
from sockservices.workers.shared_census import SharedCensus
from sockservices.workers.shared_counters import SharedCounters
from sockservices.workers.worker_server import WorkerServer


class Late(Responder):
    """
    Replies when the test does.
    """

    name, port = "late", 0
    replies: ClassVar[list[Deferred[bytes]]] = []

    def answer(self, message: bytes) -> Any:
        """
        Make the reply.
        """
        self.replies.append(Deferred())
        return self.replies[-1]


class WorkerServerTests(SynchronousTestCase):
    """
    One worker with a listener for TCP and three for UDP: the replies of the last two come later.
    """

    def setUp(self) -> None:
        """
        Start the worker.
        """
        memory = SharedCounters.create(1)
        census = SharedCensus(SharedCounters(memory), 0, 1)
        os.close(memory)
        self.clock = MemoryReactorClock()
        tcp, udp = (InetBinding(transport, 0) for transport in (Transport.TCP, Transport.UDP))
        listeners = (
            ListenerConfig(service=Greet, binding=tcp),
            ListenerConfig(service=Greet, binding=udp),
            ListenerConfig(service=Late, binding=udp),
            ListenerConfig(service=Greet, binding=udp, faults=(parseFault("latency,delay=1"),)),
        )
        opened = {number: openSockets(tcp if number == 0 else udp) for number in range(4)}
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
        connection, datagrams, *_ = self.clients
        datagrams.send(b"a")
        self.clock.advance(0.5)
        self.assertEqual(connection.recv(100), b"connected")
        self.assertEqual(datagrams.recv(100), b"connected")

    def test_retirementWithPendingReplies(self) -> None:
        """
        A retired worker sends the replies to datagrams that come later, and reads no further datagrams.
        """
        _, _, late, delayed = self.clients
        for client in (late, delayed):
            client.send(b"a")
        self.clock.advance(0.5)
        unused: list[None] = []
        self.server.retire(lambda: unused.append(None))
        late.send(b"b")
        self.clock.pump([0.1] * 4)
        (reply,) = Late.replies
        Late.replies.clear()
        reply.callback(b"late")
        self.clock.advance(0.1)
        self.assertEqual((late.recv(100), unused), (b"late", []))
        self.clock.pump([0.1] * 20)
        self.assertEqual((delayed.recv(100), unused, Late.replies), (b"connected", [None], []))
