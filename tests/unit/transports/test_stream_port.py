"""
A port over a listening socket.
"""

from __future__ import annotations

import errno
import os
import socket
from itertools import product
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent

from sockservices.conversation.transport import Transport
from sockservices.transports.bindings import Binding, InetBinding, UnixBinding
from sockservices.transports.interfaces import IStreamTransport
from sockservices.transports.sockets import BoundSocket, openSockets
from tests.support.failing_socket import FailingSocket
from tests.support.loop import descriptors
from tests.support.stream_ports import StreamPortCase, UpperStream

TCP, UDP, UNIX, UNIXGRAM = Transport


class _InterruptedSocket(FailingSocket):
    """
    A listening socket on which accept(2) is interrupted by Ctrl-C.
    """

    def _accept(self) -> Any:
        raise KeyboardInterrupt


class _SocketWithoutOptions(BoundSocket):
    """
    A listening socket whose connections support no option.
    """

    def accept(self) -> Any:
        connection, name = super().accept()
        return FailingSocket(connection, setsockopt=[errno.EINVAL] * 9), name


def fail(*_: object) -> Any:
    """
    Raise an exception with a message of two lines.
    """
    raise ZeroDivisionError("on\npurpose")


class ServingTests(StreamPortCase):
    """
    Accepted connections.
    """

    def test_addresses(self) -> None:
        """
        Peers are served over TCP on IPv4 and IPv6 and over Unix sockets, on both kinds of transport. Both addresses
        have the right type.
        """
        bindings: list[tuple[Binding, type]] = [
            (InetBinding(TCP, 0), IPv4Address),
            (InetBinding(TCP, 0, "::1"), IPv6Address),
            (UnixBinding(UNIX, str(self.folder / "socket")), UNIXAddress),
        ]
        for (binding, addressType), self.plain in product(bindings, (False, True)):
            port = self.listen(binding)
            client = self.connect(port.getHost())
            self.assertServed(client)
            transport = self.factory.made[-1].transport
            for address in (port.getHost(), transport.getHost(), transport.getPeer(), self.factory.addresses[-1]):
                self.assertIsInstance(address, addressType)
            self.assertEqual(transport.getHost(), port.getHost())
            if not isinstance(binding, UnixBinding):
                self.assertEqual(self.factory.addresses[-1], transport.getPeer())
                self.assertEqual(transport.getPeer().port, client.getsockname()[1])
                self.assertTrue(transport.getTcpNoDelay())
            self.assertEqual(IStreamTransport.providedBy(transport), not self.plain)
            self.successResultOf(port.stopListening())

    def test_unixAddresses(self) -> None:
        """
        The address of a Unix client that is bound to a path is this path. An abstract address begins with a NUL byte,
        as in Twisted.
        """
        self.listen(UnixBinding(UNIX, str(self.folder / "socket")))
        with socket.socket(socket.AF_UNIX) as client:
            client.bind(str(self.folder / "client"))
            client.connect(str(self.folder / "socket"))
            self.until(lambda: self.factory.made)
            peer = UNIXAddress(os.fsencode(self.folder / "client"))
            self.assertEqual((self.factory.addresses, self.factory.made[0].transport.getPeer()), ([peer], peer))
        name = f"sockservices-tests-{os.getpid()}"
        self.assertEqual(self.listen(UnixBinding(UNIX, f"@{name}")).getHost(), UNIXAddress(b"\0" + name.encode()))

    def test_acceptsPerTurn(self) -> None:
        """
        At most 64 connections are accepted in one turn of the reactor, also while an open one has input.
        """
        port = self.listen()
        client = self.connect(port.getHost())
        self.assertServed(client)
        client.send(b"hello")
        for _ in range(100):
            self.connect(port.getHost())
        for count in (64, 100):
            self.turn()
            self.assertEqual(len(self.factory.made), 1 + count)

    def test_urgentData(self) -> None:
        """
        An urgent byte (RFC 6093, unix(7)) is received in its place in the stream, over TCP and Unix sockets, opened and
        adopted. This holds also when the peer has sent it before the connection was accepted.
        """
        for self.plain in (False, True):
            tcpSocket = socket.create_server(("127.0.0.1", 0))
            unixSocket = socket.socket(socket.AF_UNIX)
            unixSocket.bind(str(self.folder / f"adopted-{self.plain}"))
            unixSocket.listen()
            unixPath = str(self.folder / f"opened-{self.plain}")
            for bound in (
                *openSockets(InetBinding(TCP, 0)),
                *openSockets(UnixBinding(UNIX, unixPath)),
                BoundSocket(tcpSocket),
                BoundSocket(unixSocket),
            ):
                bound.socket.setblocking(False)
                client = self.connect(self.adopt(bound).getHost())
                for data, flags in ((b"abc", 0), (b"X", socket.MSG_OOB), (b"def", 0)):
                    client.send(data, flags)
                self.assertEqual(self.receive(client, 7), b"ABCXDEF", (bound.socket, self.plain))


class StopTests(StreamPortCase):
    """
    C{stopListening}.
    """

    def test_queuedConnectionsAreAccepted(self) -> None:
        """
        Connections in the accept queue are accepted and served: closing the socket would reset them.
        """
        for count in (10, 100):
            port = self.listen()
            clients = [self.connect(port.getHost()) for _ in range(count)]
            self.successResultOf(port.stopListening())
            for client in clients:
                self.assertServed(client)

    def test_stoppedPort(self) -> None:
        """
        After a stop the socket is closed, connections are refused and the file of a Unix socket is removed. Open
        connections continue. The factory is stopped once, however often the port is stopped.
        """
        for binding in (InetBinding(TCP, 0), UnixBinding(UNIX, str(self.folder / "socket"))):
            port = self.listen(binding)
            host = port.getHost()
            client = self.connect(host)
            self.assertServed(client)
            self.assertEqual(self.factory.running, 1)
            for _ in range(3):
                self.successResultOf(port.stopListening())
                self.assertEqual(self.factory.running, 0)
            self.assertRaises((ConnectionRefusedError, FileNotFoundError), self.connect, host)
            self.assertEqual((port.fileno(), port.connected), (-1, False))
            self.assertServed(client)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_factoryStopsThePort(self) -> None:
        """
        A factory may stop its port in C{buildProtocol}. This connection and the queued ones are served.
        """
        port = self.listen()

        def build(addr: IAddress | None) -> Any:
            port.stopListening()
            return Factory.buildProtocol(self.factory, addr)

        self.factory.build = build
        clients = [self.connect(port.getHost()) for _ in range(3)]
        self.turn()
        for client in clients:
            self.assertServed(client)
        self.assertEqual((port.fileno(), self.factory.running), (-1, 0))

    def test_lastReadRaises(self) -> None:
        """
        A port whose last read raises is closed.
        """
        (opened,) = openSockets(InetBinding(TCP, 0))
        port = self.adopt(BoundSocket(_InterruptedSocket(opened.socket)))  # type: ignore[arg-type]
        self.assertRaises(KeyboardInterrupt, port.stopListening)
        self.assertEqual((port.fileno(), self.factory.running), (-1, 0))

    def test_nothingLeft(self) -> None:
        """
        A hundred starts and stops leave no descriptor and nothing in the reactor.
        """
        before = descriptors()
        for _ in range(100):
            port = self.listen()
            client = self.connect(port.getHost())
            self.assertServed(client)
            self.successResultOf(port.stopListening())
            client.close()
            self.until(lambda: self.factory.made == self.factory.lost)
        self.assertQuiet()
        self.assertEqual(descriptors(), before)


class ExhaustedTests(StreamPortCase):
    """
    accept(2) fails for want of descriptors or memory.
    """

    def test_acceptPauses(self) -> None:
        """
        The port pauses for 0.1 s, without a busy loop. Then queued connections are served.
        """
        clock = MemoryReactorClock()
        for count, number in enumerate((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM), 1):
            port = self.listen(faults=[number], reactor=clock)
            self.connect(port.getHost())
            port.doRead()
            for seconds, reading in ((0, False), (0.09, False), (0.02, True)):
                clock.advance(seconds)
                self.assertEqual(port in clock.getReaders(), reading)
            port.doRead()
            self.assertEqual(len(self.factory.made), count)

    def test_oneLogLine(self) -> None:
        """
        One line in ten seconds is logged. It has the port and the cause.
        """
        clock = MemoryReactorClock()
        port = self.listen(faults=[errno.EMFILE] * 300, reactor=clock)
        host: Any = port.getHost()
        with capturedLogs() as events:
            for attempts, lines in ((99, 1), (3, 2)):
                for _ in range(attempts):
                    port.doRead()
                    clock.advance(0.1)
                self.assertEqual(len(events), lines)
        expected = f"cannot accept connections to 127.0.0.1:{host.port}: Too many open files"
        self.assertEqual([formatEvent(event) for event in events], [expected] * 2)

    def test_stopsWhilePaused(self) -> None:
        """
        A paused port can be stopped, also when the last accept(2) fails again. No timer remains.
        """
        clock = MemoryReactorClock()
        for faults in ([errno.EMFILE], [errno.EMFILE] * 2):
            port = self.listen(faults=faults, reactor=clock)
            port.doRead()
            self.successResultOf(port.stopListening())
            self.assertEqual(clock.getDelayedCalls(), [])
            clock.advance(1)
            self.assertNotIn(port, clock.getReaders())


class FaultTests(StreamPortCase):
    """
    Errors of one connection do not affect others.
    """

    def test_transientErrors(self) -> None:
        """
        Connections that were lost in the accept queue, or rejected by a firewall, are skipped in the same turn.
        Persistent errors of accept(2) do not block the reactor.
        """
        faults = [errno.ECONNABORTED, errno.EPERM, errno.EPROTO, errno.ENETUNREACH, errno.EINTR]
        client = self.connect(self.listen(faults=faults).getHost())
        with capturedLogs() as events:
            self.turn()
            self.assertEqual(len(self.factory.made), 1)
            self.assertServed(client)
            faults += [errno.ECONNABORTED] * 1000
            self.connect(client.getpeername())
            self.turn()
        self.assertEqual((len(faults), events), (1000 - 64, []))
        faults.clear()

    def test_noProtocol(self) -> None:
        """
        The connection is closed if the factory returns L{None}, or raises, which is logged in one line.
        """
        logged = r"^a connection to 127\.0\.0\.1:\d+ failed: ZeroDivisionError.*purpose.* at \S+:\d+ \(at most one such"
        for build, patterns in ((lambda addr: None, []), (fail, [logged])):
            port = self.listen()
            self.factory.build = build
            client = self.connect(port.getHost())
            before = descriptors()
            with capturedLogs() as events:
                self.assertEqual(self.receive(client), b"")
            self.assertEqual(descriptors(), before, "still open")
            for event, pattern in zip(events, patterns, strict=True):
                self.assertRegex(formatEvent(event), pattern)
            self.factory.build = None
            self.assertServed(self.connect(port.getHost()))

    def test_noTransport(self) -> None:
        """
        A protocol for which no transport can be made loses its connection.
        """
        (opened,) = openSockets(InetBinding(TCP, 0))
        port = self.adopt(_SocketWithoutOptions(opened.socket))
        client = self.connect(port.getHost())
        with capturedLogs() as events:
            self.assertEqual(self.receive(client), b"")
        self.assertIn("Invalid argument", formatEvent(events[0]))
        self.assertEqual((self.factory.made, len(self.factory.lost)), ([], 1))

    def test_connectionMadeRaises(self) -> None:
        """
        The connection is reset, and one line is logged, if C{connectionMade} raises, on both kinds of transport.
        """
        self.factory.protocol = type("Broken", (UpperStream,), {"connectionMade": fail})
        for count, self.plain in enumerate((False, True), 1):
            client = self.connect(self.listen().getHost())
            before = descriptors()
            with capturedLogs() as events:
                self.assertRaises(ConnectionResetError, self.receive, client)
            self.assertIn("ZeroDivisionError", formatEvent(events[0]))
            self.assertEqual((len(events), len(self.factory.lost), descriptors()), (1, count, before))
