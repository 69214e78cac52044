"""
A port over a listening socket.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure

from sockservices.conversation.transport import Transport
from sockservices.transports.bindings import Binding, InetBinding, UnixBinding
from sockservices.transports.sockets import BoundSocket, openSockets
from sockservices.transports.stream_port import StreamPort
from tests.support.loop import LoopCase, descriptors

TCP, UDP, UNIX, UNIXGRAM = Transport


class Upper(Protocol):
    """
    Answers in upper case, until its peer ends.
    """

    factory: Uppers

    def connectionMade(self) -> None:
        """
        Note it.
        """
        self.factory.made.append(self)

    def dataReceived(self, data: bytes) -> None:
        """
        Answer.
        """
        assert self.transport is not None
        self.transport.write(data.upper())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Note it.
        """
        self.factory.lost.append(self)


class Uppers(Factory):
    """
    Makes them, and keeps account.

    @ivar build: what makes something else instead.
    """

    noisy = False
    protocol: Any = Upper
    build: Callable[[IAddress | None], Any] | None = None

    def __init__(self) -> None:
        self.addresses: list[Any] = []
        self.made: list[Upper] = []
        self.lost: list[Upper] = []
        self.running = 0

    def startFactory(self) -> None:
        """
        Note it.
        """
        self.running += 1

    def stopFactory(self) -> None:
        """
        Note it.
        """
        self.running -= 1

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """
        Make one.
        """
        self.addresses.append(addr)
        return (self.build or super().buildProtocol)(addr)


class Faulty:
    """
    A listening socket on which accept(2) fails first, as often as it is told, and each time as it is told.
    """

    def __init__(self, listening: socket.socket, faults: list[int]) -> None:
        self._listening = listening
        self._faults = faults

    def accept(self) -> Any:
        """
        Fail, or accept.
        """
        if self._faults:
            number = self._faults.pop(0)
            raise OSError(number, os.strerror(number))
        return self._listening.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listening, name)


class Interrupted(Faulty):
    """
    A listening socket on which accept(2) is interrupted by Ctrl-C.
    """

    def accept(self) -> Any:
        """
        Raise.
        """
        raise KeyboardInterrupt


class Optionless(Faulty):
    """
    A listening socket whose connections take no option.
    """

    def accept(self) -> Any:
        """
        Accept.
        """
        connection, name = super().accept()
        return WithoutOptions(connection), name


class WithoutOptions:
    """
    A connection that takes no option.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def setsockopt(self, *option: Any) -> None:
        """
        Fail.
        """
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class PortCase(LoopCase):
    """
    A test of a port.

    @cvar plain: whether its connections have Twisted's own transports.
    """

    plain = False

    def setUp(self) -> None:
        """
        Make a factory.
        """
        super().setUp()
        self.factory = Uppers()
        self.addCleanup(self.disconnect)

    def disconnect(self) -> None:
        """
        Close all connections.
        """
        for protocol in self.factory.made:
            if protocol not in self.factory.lost:
                transport: Any = protocol.transport
                transport.connectionLost(Failure(ConnectionDone()))

    def listen(
        self, binding: Binding | None = None, faults: list[int] | None = None, reactor: Any = None
    ) -> StreamPort:
        """
        Listen, by default on any TCP port of 127.0.0.1.

        @param faults: with what accept(2) shall fail first.
        """
        (opened,) = openSockets(binding or InetBinding(TCP, 0))
        if faults is not None:
            listening: Any = Faulty(opened.socket, faults)
            opened = BoundSocket(listening, opened.path, opened.inode)
        port = StreamPort(opened, self.factory, reactor or self.reactor, self.plain)
        port.startListening()
        self.addCleanup(port.stopListening)
        return port

    def assertServed(self, client: socket.socket) -> None:
        """
        A client gets an answer.
        """
        client.sendall(b"words")
        self.assertEqual(self.hear(client, 5), b"WORDS")


class ServingTests(PortCase):
    """
    What a port does on a good day.
    """

    def test_addresses(self) -> None:
        """
        Over each kind of socket peers are served, and both ends have an address of that kind.
        """
        bindings: list[tuple[Binding, type]] = [
            (InetBinding(TCP, 0), IPv4Address),
            (InetBinding(TCP, 0, "::1"), IPv6Address),
            (UnixBinding(UNIX, str(self.folder / "socket")), UNIXAddress),
        ]
        for binding, kind in bindings:
            port = self.listen(binding)
            client = self.connect(port.getHost())
            self.assertServed(client)
            transport: Any = self.factory.made[-1].transport
            for address in (port.getHost(), transport.getHost(), transport.getPeer(), self.factory.addresses[-1]):
                self.assertIsInstance(address, kind)
            self.assertEqual(transport.getHost(), port.getHost())
            if not isinstance(binding, UnixBinding):
                self.assertEqual(self.factory.addresses[-1], transport.getPeer())
                self.assertEqual(transport.getPeer().port, client.getsockname()[1])

    def test_namedUnixPeer(self) -> None:
        """
        A Unix client that has a name of its own is known by it.
        """
        port = self.listen(UnixBinding(UNIX, str(self.folder / "socket")))
        with socket.socket(socket.AF_UNIX) as client:
            client.bind(str(self.folder / "client"))
            client.connect(str(self.folder / "socket"))
            self.until(lambda: self.factory.made)
            transport: Any = self.factory.made[0].transport
            peer = UNIXAddress(os.fsencode(self.folder / "client"))
            self.assertEqual((self.factory.addresses, transport.getPeer()), ([peer], peer))
        port.stopListening()

    def test_abstractHost(self) -> None:
        """
        A name in the abstract namespace is told with its leading NUL, as Twisted does.
        """
        name = f"sockservices-tests-{os.getpid()}"
        self.assertEqual(self.listen(UnixBinding(UNIX, f"@{name}")).getHost(), UNIXAddress(b"\0" + name.encode()))

    def test_noDelay(self) -> None:
        """
        TCP connections send each answer at once.
        """
        self.connect(self.listen().getHost())
        self.until(lambda: self.factory.made)
        transport: Any = self.factory.made[0].transport
        self.assertTrue(transport.getTcpNoDelay())

    def test_fewATurn(self) -> None:
        """
        Of a flood of connections, one turn of the reactor accepts 64: what is open already has its turn, too.
        """
        port = self.listen()
        for _ in range(100):
            self.connect(port.getHost())
        self.turn()
        self.assertEqual(len(self.factory.made), 64)
        self.turn()
        self.assertEqual(len(self.factory.made), 100)

    def test_passedDescriptors(self) -> None:
        """
        The descriptors that a Unix peer passes along are not even received, nor told of in the log, and what it says is
        answered.
        """
        client = self.connect(self.listen(UnixBinding(UNIX, str(self.folder / "socket"))).getHost())
        self.assertServed(client)
        before = descriptors()
        with capturedLogs() as events:
            for _ in range(8):
                socket.send_fds(client, [b"words"], [client.fileno()] * 64)
                self.assertEqual(self.hear(client, 5), b"WORDS")
        self.assertEqual((descriptors(), events), (before, []))


class StopTests(PortCase):
    """
    What becomes of it all when a port stops.
    """

    def test_waitingAreServed(self) -> None:
        """
        Who was waiting to be accepted is accepted, and answered: were the socket just closed, they would be reset.
        """
        for count in (10, 100):
            port = self.listen()
            clients = [self.connect(port.getHost()) for _ in range(count)]
            self.successResultOf(port.stopListening())
            for client in clients:
                self.assertServed(client)

    def test_deaf(self) -> None:
        """
        After that nobody is accepted any more, the socket is closed, and a Unix socket's file is gone.
        """
        for binding in (InetBinding(TCP, 0), UnixBinding(UNIX, str(self.folder / "socket"))):
            port = self.listen(binding)
            host = port.getHost()
            self.successResultOf(port.stopListening())
            self.assertRaises((ConnectionRefusedError, FileNotFoundError), self.connect, host)
            self.assertEqual((port.fileno(), port.connected), (-1, False))
        self.assertEqual(list(self.folder.iterdir()), [])
        self.assertQuiet()

    def test_connectionsGoOn(self) -> None:
        """
        Connections outlive the port.
        """
        port = self.listen()
        client = self.connect(port.getHost())
        self.assertServed(client)
        port.stopListening()
        self.assertServed(client)

    def test_factoryOnce(self) -> None:
        """
        The factory is started once and stopped once, however often the port is stopped.
        """
        port = self.listen()
        self.assertEqual(self.factory.running, 1)
        for _ in range(3):
            self.successResultOf(port.stopListening())
            self.assertEqual(self.factory.running, 0)

    def test_byTheReactor(self) -> None:
        """
        A reactor that lets go of all its readers stops the port.
        """
        port = self.listen()
        for reader in self.reactor.removeAll():
            reader.connectionLost(Failure(ConnectionLost()))
        self.assertEqual((port.fileno(), self.factory.running), (-1, 0))

    def test_byTheFactory(self) -> None:
        """
        A factory may stop its port on a connection: that one is served, and so are those that wait.
        """
        port = self.listen()

        def stopping(addr: IAddress | None) -> Any:
            port.stopListening()
            return Factory.buildProtocol(self.factory, addr)

        self.factory.build = stopping
        clients = [self.connect(port.getHost()) for _ in range(3)]
        self.turn()
        for client in clients:
            self.assertServed(client)
        self.assertEqual((port.fileno(), self.factory.running), (-1, 0))

    def test_nothingLeft(self) -> None:
        """
        A hundred starts and stops, each with a connection, leave no descriptor and nothing in the reactor (T29).
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


class ExhaustedTests(PortCase):
    """
    No descriptor or no memory for another connection: it waits, and so does the port.
    """

    def setUp(self) -> None:
        """
        Make a reactor whose time goes by when the test says so.
        """
        super().setUp()
        self.clock = MemoryReactorClock()

    def reading(self, port: StreamPort) -> bool:
        """
        Whether the reactor would ask the port to accept.
        """
        return port in self.clock.getReaders()

    def test_pauses(self) -> None:
        """
        It pauses for a tenth of a second, instead of being asked again and again; then those who wait are served.
        """
        for count, number in enumerate((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM), 1):
            port = self.listen(faults=[number], reactor=self.clock)
            self.connect(port.getHost())
            port.doRead()
            self.assertFalse(self.reading(port))
            self.clock.advance(0.09)
            self.assertFalse(self.reading(port))
            self.clock.advance(0.02)
            self.assertTrue(self.reading(port))
            port.doRead()
            self.assertEqual(len(self.factory.made), count)

    def test_saidOnce(self) -> None:
        """
        However often that happens, the log has one line in ten seconds, which names port and cause.
        """
        port = self.listen(faults=[errno.EMFILE] * 300, reactor=self.clock)
        host = port.getHost()
        with capturedLogs() as events:
            for _ in range(99):
                port.doRead()
                self.clock.advance(0.1)
            self.assertEqual(len(events), 1)
            for _ in range(3):
                port.doRead()
                self.clock.advance(0.1)
            self.assertEqual(len(events), 2)
        expected = f"cannot accept connections to 127.0.0.1:{host.port}: Too many open files"  # type: ignore[attr-defined]
        self.assertEqual([formatEvent(event) for event in events], [expected] * 2)

    def test_stopsWhilePaused(self) -> None:
        """
        A port may be stopped while it pauses, or find at its last look that there is still nothing to be had: no timer
        stays behind.
        """
        for faults in ([errno.EMFILE], [errno.EMFILE] * 2):
            port = self.listen(faults=faults, reactor=self.clock)
            port.doRead()
            self.successResultOf(port.stopListening())
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.clock.advance(1)
            self.assertFalse(self.reading(port))

    def test_reallyExhausted(self) -> None:
        """
        With real descriptors used up, a real reactor neither spins nor loses who waits.
        """
        port = self.listen(faults=[errno.EMFILE])
        client = self.connect(port.getHost())
        self.turn(100)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        self.assertEqual(self.factory.made, [])
        self.assertServed(client)


class FaultTests(PortCase):
    """
    What goes wrong with one connection is no other's trouble.
    """

    def test_lostWhileItWaited(self) -> None:
        """
        Connections that were lost in the queue, or forbidden by a firewall, are passed over in the same turn.
        """
        faults = [errno.ECONNABORTED, errno.EPERM, errno.EPROTO, errno.ENETUNREACH, errno.EINTR]
        port = self.listen(faults=faults)
        client = self.connect(port.getHost())
        with capturedLogs() as events:
            self.turn()
        self.assertEqual((len(self.factory.made), events), (1, []))
        self.assertServed(client)

    def test_alwaysFaulty(self) -> None:
        """
        A socket that never accepts does not keep the reactor from its other work.
        """
        faults = [errno.ECONNABORTED] * 1000
        self.connect(self.listen(faults=faults).getHost())
        self.turn()
        self.assertEqual(len(faults), 1000 - 64)

    def refuse(self, port: StreamPort) -> list[str]:
        """
        Have a connection fail, and the next one served.

        @return: what the log said.
        """
        client = self.connect(port.getHost())
        before = descriptors()
        with capturedLogs() as events:
            self.assertEqual(self.hear(client), b"")
        self.assertEqual(descriptors(), before, "still open")
        self.factory.build = None
        self.assertServed(self.connect(port.getHost()))
        return [formatEvent(event) for event in events]

    def test_noProtocol(self) -> None:
        """
        A factory that wants no protocol for a connection has it closed, without a word.
        """
        port = self.listen()
        self.factory.build = lambda addr: None
        self.assertEqual(self.refuse(port), [])

    def test_buildProtocolRaises(self) -> None:
        """
        A factory that raises has the connection closed, and the log says in one line what was raised.
        """
        port = self.listen()

        def broken(addr: IAddress | None) -> Protocol:
            raise ZeroDivisionError("on\npurpose")

        self.factory.build = broken
        (said,) = self.refuse(port)
        self.assertRegex(
            said,
            r"^a connection to 127\.0\.0\.1:\d+ failed: ZeroDivisionError.*purpose.* at \S+:\d+ \(at most one such",
        )

    def adopt(self, listening: Any) -> StreamPort:
        """
        Accept from a listening socket.
        """
        port = StreamPort(BoundSocket(listening), self.factory, self.reactor, self.plain)
        port.startListening()
        self.addCleanup(port.stopListening)
        return port

    def test_noTransport(self) -> None:
        """
        A protocol for which no transport can be made loses its connection.
        """
        (opened,) = openSockets(InetBinding(TCP, 0))
        client = self.connect(self.adopt(Optionless(opened.socket, [])).getHost())
        with capturedLogs() as events:
            self.assertEqual(self.hear(client), b"")
        self.assertIn("Invalid argument", str(formatEvent(events[0])))
        self.assertEqual((self.factory.made, len(self.factory.lost)), ([], 1))

    def test_lastReadRaises(self) -> None:
        """
        A port whose last read raises is closed.
        """
        (opened,) = openSockets(InetBinding(TCP, 0))
        port = self.adopt(Interrupted(opened.socket, []))
        self.assertRaises(KeyboardInterrupt, port.stopListening)
        self.assertEqual((port.fileno(), self.factory.running), (-1, 0))

    def test_makeConnectionRaises(self) -> None:
        """
        A protocol that raises when it is connected is reset: it would stay open for ever.
        """

        class Broken(Upper):
            def connectionMade(self) -> None:
                raise ZeroDivisionError("on purpose")

        self.factory.protocol = Broken
        client = self.connect(self.listen().getHost())
        before = descriptors()
        with capturedLogs() as events:
            self.assertRaises(ConnectionResetError, self.hear, client)
        self.assertIn("ZeroDivisionError", formatEvent(events[0]))
        self.assertEqual((len(events), len(self.factory.lost), descriptors()), (1, 1, before))


class PlainServingTests(ServingTests):
    """
    The same with Twisted's own transports.
    """

    plain = True


class PlainStopTests(StopTests):
    """
    The same with Twisted's own transports.
    """

    plain = True


class PlainExhaustedTests(ExhaustedTests):
    """
    The same with Twisted's own transports.
    """

    plain = True


class PlainFaultTests(FaultTests):
    """
    The same with Twisted's own transports.
    """

    plain = True
