"""
Tests for L{sockservices.testing.background_server}.
"""

from __future__ import annotations

import socket
import stat
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sockservices import Outcome, Policy
from sockservices.conversation.transport import Transport
from sockservices.responders import Chargen, Discard, Echo
from sockservices.served import Served
from sockservices.testing.background_reactor import BackgroundReactor
from sockservices.transports.bindings import LOOPBACK
from tests.support.loop import TIMEOUT, descriptors
from tests.support.sockets import closeWithReset


class BackgroundServerTests(SynchronousTestCase):
    """
    Tests for a server in a background thread, with blocking clients, by the name that version 0.1.0 documented.
    """

    def setUp(self) -> None:
        """
        Make the reactor.
        """
        self.background = BackgroundReactor()
        self.addCleanup(self.background.stop)

    def serve(self, responder: Any, transport: str = "tcp", interface: str = LOOPBACK, **limits: Any) -> Served:
        """
        Start a server, and close it after the test.
        """
        policy = Policy(drain=0, **limits)
        server = Served(self.background, responder, Transport(transport), interface, policy)
        self.addCleanup(server.close)
        return server

    def connect(self, server: Served, request: bytes = b"") -> socket.socket:
        """
        Connect a client, send a request and read its echo. Close the client after the test.
        """
        client = socket.socket(socket.AF_UNIX if isinstance(server.address, str) else socket.AF_INET)
        self.addCleanup(client.close)
        client.settimeout(TIMEOUT)
        client.connect(server.address)
        if request:
            client.sendall(request)
            client.recv(1)
        return client

    def test_everyTransport(self) -> None:
        """
        A server replies on each transport and interface, at its own port or path. Only this user may enter the
        directory of a Unix socket. Each connection, after its end, and each datagram has a visit.
        """
        for transport, interface, family, kind in (
            ("tcp", LOOPBACK, socket.AF_INET, socket.SOCK_STREAM),
            ("tcp", "::1", socket.AF_INET6, socket.SOCK_STREAM),
            ("udp", LOOPBACK, socket.AF_INET, socket.SOCK_DGRAM),
            ("unix", LOOPBACK, socket.AF_UNIX, socket.SOCK_STREAM),
            ("unixgram", LOOPBACK, socket.AF_UNIX, socket.SOCK_DGRAM),
        ):
            server = self.serve(Echo, transport, interface)
            self.assertNotEqual(server.address, self.serve(Echo, transport, interface).address)
            if isinstance(server.address, str):
                self.assertEqual(stat.S_IMODE(Path(server.address).parent.stat().st_mode), 0o700)
            with socket.socket(family, kind) as client:
                client.settimeout(TIMEOUT)
                if transport == "unixgram":
                    client.bind("")  # a free abstract name (unix(7)), to which the server replies
                client.connect(server.address)
                client.send(b"hello")
                self.assertEqual(client.recv(10), b"hello")
                if kind == socket.SOCK_STREAM:
                    self.assertEqual(server.visits, [])
            server.wait(1)
            (visit,) = server.visits
            self.assertEqual(visit[:2] + visit[5:8], ("echo", transport, 5, 5, Outcome.DONE))

    def test_wait(self) -> None:
        """
        C{wait} returns as soon as the number of visits is reached, or at once if it is reached already.
        """
        server = self.serve(Echo)
        server.wait(0, timeout=0)
        clients = [self.connect(server) for _ in range(3)]
        self.background.call(self.background.reactor.callLater, 0.05, lambda: list(map(socket.socket.close, clients)))
        startedAt = time.monotonic()
        server.wait(3, TIMEOUT)
        self.assertLess(time.monotonic(), startedAt + TIMEOUT / 2)
        server.wait(2, timeout=0)
        self.assertEqual(len(server.visits), 3)

    def test_waitTimesOut(self) -> None:
        """
        After the timeout C{wait} raises TimeoutError. The message counts conversations by outcome.
        """
        server = self.serve(Echo)
        description = f"echo on tcp:127.0.0.1:{server.address[1]}"
        self.assertEqual(repr(server), f"<{description}>")

        def message(count: int) -> str:
            with self.assertRaises(TimeoutError) as raised:
                server.wait(count, timeout=0.01)
            return str(raised.exception)

        self.assertEqual(message(1), f"{description}: 0 of 1 conversations ended in 0.01 s; still open: 0")
        for _ in range(2):
            self.connect(server).close()
        closeWithReset(self.connect(server))
        server.wait(3)
        self.connect(server, b"hello")
        ended = "3 of 5 conversations ended in 0.01 s (2 done, 1 reset); still open: 1"
        self.assertEqual(message(5), f"{description}: {ended}")

    def test_closeAbortsConversations(self) -> None:
        """
        C{close} stops listening and aborts open conversations, quiet or not. Each has a visit.
        """
        for responder in (Echo, Discard, Chargen):
            for transport in ("tcp", "unix"):
                server = self.serve(responder, transport, stallTimeout=0)
                clients = [self.connect(server) for _ in range(3)]
                clients[0].sendall(b"hello")
                server.close()
                self.assertEqual([visit.outcome for visit in server.visits], [Outcome.DRAINED] * 3)
                with self.assertRaises((ConnectionRefusedError, FileNotFoundError)):
                    self.connect(server)

    def test_closeFreesEverything(self) -> None:
        """
        After C{close} no descriptor, temporary file, timer, reader or writer of the server is left.
        """
        self.background.start()
        reactor, before = self.background.reactor, descriptors()
        servers = {(name, kind): self.serve(kind, name) for name in Transport for kind in (Echo, Chargen)}
        paths = [Path(server.address) for server in servers.values() if isinstance(server.address, str)]
        self.assertEqual([path.is_socket() for path in paths], [True] * 4)
        clients = [self.connect(server, b"hello") for (name, _), server in servers.items() if name.isStream]
        full = self.serve(Echo, maxConnections=1)
        clients += [self.connect(full) for _ in range(3)]
        full.wait(2)
        for server in (*servers.values(), full):
            server.close()
        for client in clients:
            client.close()
        self.assertEqual(set(self.background.call(reactor.getReaders)) - reactor._internalReaders, set())
        self.assertEqual(self.background.call(reactor.getWriters), [])
        self.assertEqual(self.background.call(reactor.getDelayedCalls), [])
        self.assertEqual(descriptors(), before)
        self.assertEqual([path for path in paths if path.parent.exists()], [])

    def test_bindError(self) -> None:
        """
        A server that cannot bind its address raises an exception that names the address, and opens no descriptor.
        """
        self.background.start()
        before = descriptors()
        for interface, message in (
            ("192.0.2.1", "tcp:192.0.2.1:0: "),
            ("nowhere", "interface 'nowhere': expected an"),
        ):
            with self.assertRaises(Exception) as raised:
                self.serve(Echo, interface=interface)
            self.assertIn(message, str(raised.exception))
        self.assertEqual(descriptors(), before)
