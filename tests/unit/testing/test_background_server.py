"""
Tests for L{sockservices.testing.background_server}.
"""

from __future__ import annotations

import socket
import stat
import struct
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sockservices import Outcome, Policy
from sockservices.conversation.transport import Transport
from sockservices.responders import Chargen, Discard, Echo, Greet, Welcome
from sockservices.testing.background_reactor import BackgroundReactor
from sockservices.testing.background_server import Served
from sockservices.transports.bindings import LOOPBACK
from tests.support.loop import PATIENCE, descriptors


class ServedTests(SynchronousTestCase):
    """
    Tests for a server in the background, by sockets that block.
    """

    def setUp(self) -> None:
        """
        A reactor in the background.
        """
        self.background = BackgroundReactor()
        self.addCleanup(self.background.stop)

    def serve(self, responder: Any, transport: str = "tcp", interface: str = LOOPBACK, **limits: Any) -> Served:
        """
        A server that is closed when the test is over.
        """
        served = Served(self.background, responder, Transport(transport), interface, Policy(drain=0, **limits))
        self.addCleanup(served.close)
        return served

    def connect(self, served: Served) -> socket.socket:
        """
        A connection to it that is closed when the test is over.
        """
        client = socket.socket(socket.AF_UNIX if isinstance(served.address, str) else socket.AF_INET)
        self.addCleanup(client.close)
        client.settimeout(PATIENCE)
        client.connect(served.address)
        return client

    def test_streams(self) -> None:
        """
        Over TCP and Unix-stream connections it answers, and each conversation that has ended is a visit.
        """
        for transport in ("tcp", "unix"):
            served = self.serve(Echo, transport)
            with self.connect(served) as client:
                client.sendall(b"hello")
                self.assertEqual(client.recv(10), b"hello")
                self.assertEqual(served.visits, [])
            served.wait(1)
            (visit,) = served.visits
            self.assertEqual(visit[:2] + visit[5:], ("echo", transport, 5, 5, Outcome.DONE))

    def test_datagrams(self) -> None:
        """
        Over UDP and Unix datagrams it answers, and each datagram is a visit.
        """
        for transport, family, address in (
            ("udp", socket.AF_INET, ("127.0.0.1", 0)),
            ("unixgram", socket.AF_UNIX, ""),  # any name that is free, in Linux's abstract namespace
        ):
            served = self.serve(Echo, transport)
            with socket.socket(family, socket.SOCK_DGRAM) as client:
                client.settimeout(PATIENCE)
                client.bind(address)
                client.connect(served.address)
                for words in (b"hello", b""):
                    client.send(words)
                    self.assertEqual(client.recv(10), words)
            served.wait(2)
            self.assertEqual(
                [visit[:2] + visit[5:] for visit in served.visits],
                [("echo", transport, 5, 5, Outcome.DONE), ("echo", transport, 0, 0, Outcome.DONE)],
            )

    def test_interface(self) -> None:
        """
        It listens where it was told to: an IPv6 address is as good as any.
        """
        served = self.serve(Greet, interface="::1")
        self.assertEqual(served.address[0], "::1")
        with socket.create_connection(served.address, PATIENCE) as client:
            self.assertEqual(client.makefile("rb").read(), b"connected")

    def test_ownPlaces(self) -> None:
        """
        Each has a port or a path of its own; a Unix socket is for nobody else's eyes.
        """
        for transport in Transport:
            one, other = self.serve(Echo, transport), self.serve(Echo, transport)
            self.assertNotEqual(one.address, other.address)
            if isinstance(one.address, str):
                self.assertEqual(stat.S_IMODE(Path(one.address).parent.stat().st_mode), 0o700)

    def test_wait(self) -> None:
        """
        Waiting ends when so many conversations have ended in all, be it long ago, or in a moment.
        """
        served = self.serve(Echo)
        served.wait(0, timeout=0)
        clients = [self.connect(served) for _ in range(3)]
        self.background.call(self.background.reactor.callLater, 0.05, lambda: list(map(socket.socket.close, clients)))
        began = time.monotonic()
        served.wait(3, PATIENCE)
        self.assertLess(time.monotonic(), began + PATIENCE / 2)
        served.wait(2, timeout=0)
        self.assertEqual(len(served.visits), 3)

    def test_waitInVain(self) -> None:
        """
        Waiting for more than there is ends in time, and one line tells what there is.
        """
        served = self.serve(Echo)
        place = f"echo on tcp:127.0.0.1:{served.address[1]}"
        with self.assertRaises(TimeoutError) as raised:
            served.wait(1, timeout=0.01)
        self.assertEqual(str(raised.exception), f"{place}: 0 of 1 conversations ended in 0.01 s; still open: 0")
        for _ in range(2):
            self.connect(served).close()
        reset = self.connect(served)
        reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        reset.close()
        served.wait(3)
        client = self.connect(served)
        client.sendall(b"hello")
        client.recv(5)
        with self.assertRaises(TimeoutError) as raised:
            served.wait(5, timeout=0.01)
        self.assertEqual(
            str(raised.exception),
            f"{place}: 3 of 5 conversations ended in 0.01 s (2 done, 1 reset); still open: 1",
        )
        self.assertEqual(repr(served), f"<{place}>")

    def test_limits(self) -> None:
        """
        Limits hold: a silent peer is timed out, one that does not read is reset, one too many is turned away.
        """
        served = self.serve(Welcome, timeout=0.05)
        with self.connect(served) as client:
            self.assertEqual(client.recv(10), b"")
        served.wait(1)
        self.assertEqual(served.visits[0].outcome, Outcome.TIMED_OUT)

        served = self.serve(Chargen, stallTimeout=0.05)
        client = self.connect(served)
        served.wait(1)
        with self.assertRaises(ConnectionResetError):
            while client.recv(65536):
                pass
        self.assertEqual(served.visits[0].outcome, Outcome.STALLED)

        served = self.serve(Echo, maxConnections=1)
        first, second = self.connect(served), self.connect(served)
        self.assertEqual(second.recv(10), b"")
        served.wait(1)
        self.assertEqual(served.visits[0].outcome, Outcome.REFUSED)
        first.sendall(b"hello")
        self.assertEqual(first.recv(10), b"hello")

    def test_closesAtOnce(self) -> None:
        """
        Closed, it is gone: nobody is waited for, quiet or owed a reply, and what is cut off is recorded, too.
        """
        for responder in (Echo, Discard, Chargen):
            for transport in ("tcp", "unix"):
                served = self.serve(responder, transport, stallTimeout=0)
                clients = [self.connect(served) for _ in range(3)]
                clients[0].sendall(b"hello")
                served.close()
                self.assertEqual([visit.outcome for visit in served.visits], [Outcome.DRAINED] * 3)
                with self.assertRaises((ConnectionRefusedError, FileNotFoundError)):
                    self.connect(served)

    def test_leavesNothing(self) -> None:
        """
        Closed, it leaves no descriptor, no temporary file and nothing in the reactor, whatever it was doing.
        """
        self.background.start()
        reactor = self.background.reactor
        before = descriptors()
        served = [self.serve(responder, transport) for transport in Transport for responder in (Echo, Chargen)]
        paths = [Path(one.address) for one in served if isinstance(one.address, str)]
        self.assertEqual(len([path for path in paths if path.is_socket()]), 4)
        clients = []
        for one in served:
            if "tcp" in repr(one) or "unix:" in repr(one):
                clients.append(self.connect(one))
                clients[-1].sendall(b"hello")
                clients[-1].recv(1)
        full = self.serve(Echo, maxConnections=1)
        clients += [self.connect(full) for _ in range(3)]
        full.wait(2)
        for one in [*served, full]:
            one.close()
        for client in clients:
            client.close()
        readers = self.background.call(reactor.getReaders)
        self.assertEqual(set(readers) - reactor._internalReaders, set())
        self.assertEqual(self.background.call(reactor.getWriters), [])
        self.assertEqual(self.background.call(reactor.getDelayedCalls), [])
        self.assertEqual(descriptors(), before)
        self.assertEqual([path for path in paths if path.parent.exists()], [])

    def test_cannotListen(self) -> None:
        """
        Where it cannot listen it says so, and leaves nothing.
        """
        self.background.start()
        before = descriptors()
        for interface, said in (
            ("192.0.2.1", "tcp:192.0.2.1:0: "),
            ("nowhere", "interface 'nowhere': expected an"),
        ):
            with self.assertRaises(Exception) as raised:
                self.serve(Echo, interface=interface)
            self.assertIn(said, str(raised.exception))
        self.assertEqual(descriptors(), before)
