"""
Ports over datagram sockets.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure

from sockservices.conversation.transport import Transport
from sockservices.transports.bindings import Binding, InetBinding, UnixBinding
from sockservices.transports.datagram_port import DatagramPort, UDPPort
from sockservices.transports.sockets import BoundSocket, openSockets
from tests.support.loop import LoopCase, descriptors

TCP, UDP, UNIX, UNIXGRAM = Transport


class Upper(DatagramProtocol):
    """
    Answers each datagram in upper case, where its sender has an address.

    @ivar received: all datagrams, each with its sender and destination.
    """

    noisy = False
    transport: Any

    def __init__(self) -> None:
        self.received: list[tuple[bytes, Any, str | None]] = []
        self.running = 0

    def startProtocol(self) -> None:
        """
        Note it.
        """
        self.running += 1

    def stopProtocol(self) -> None:
        """
        Note it.
        """
        self.running -= 1

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """
        Note and answer it.
        """
        self.received.append((datagram, addr, self.transport.destination))
        if addr is not None:
            self.transport.write(datagram.upper(), addr)


class Faulty:
    """
    A socket on which calls fail first, as often as they are told, and each time as they are told.
    """

    def __init__(self, healthy: socket.socket, **faults: list[int]) -> None:
        self._healthy = healthy
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._healthy, name)

        def call(*arguments: Any) -> Any:
            if self._faults[name]:
                number = self._faults[name].pop(0)
                raise OSError(number, os.strerror(number))
            return method(*arguments)

        return call if name in self._faults else method


class Link:
    """
    A UDP socket on a link that need not be there.

    @ivar sent: each datagram with its receiver, and the address and link that it was to leave from.
    """

    family = socket.AF_INET6

    def __init__(self, local: bytes, peers: list[tuple[str, int, int, int]]) -> None:
        self._local = local
        self._peers = peers
        self.sent: list[tuple[bytes, Any, bytes, int]] = []

    def setsockopt(self, *option: int) -> None:
        """
        Take it.
        """

    def getsockopt(self, *option: int) -> int:
        """
        It is for IPv6 only.
        """
        return 1

    def getsockname(self) -> Any:
        """
        It is bound to no address in particular.
        """
        return "::", 7, 0, 0

    def recvmsg(self, size: int, ancillary: int) -> Any:
        """
        A datagram from each peer, that has come by link 7.
        """
        if not self._peers:
            raise BlockingIOError
        information = struct.pack("=16sI", self._local, 7)
        return b"words", [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, information)], 0, self._peers.pop(0)

    def sendmsg(self, datagrams: list[bytes], ancillary: Any, flags: int, peer: Any) -> None:
        """
        Note it.
        """
        ((_, _, information),) = ancillary
        self.sent.append((datagrams[0], peer, *struct.unpack("=16sI", information)))


class PortCase(LoopCase):
    """
    A test of a port.
    """

    def setUp(self) -> None:
        """
        Make a protocol.
        """
        super().setUp()
        self.protocol = Upper()

    def listen(self, binding: Binding | None = None, **faults: list[int]) -> DatagramPort:
        """
        Listen, by default on any UDP port of 127.0.0.1.

        @param faults: with what calls on the socket shall fail first.
        """
        (opened,) = openSockets(binding or InetBinding(UDP, 0))
        return self.adopt(BoundSocket(Faulty(opened.socket, **faults), opened.path, opened.inode))  # type: ignore[arg-type]

    def adopt(self, opened: BoundSocket) -> DatagramPort:
        """
        Listen on an open socket.
        """
        kind = DatagramPort if opened.socket.family == socket.AF_UNIX else UDPPort
        port = kind(opened, self.protocol, self.reactor)
        port.startListening()
        self.addCleanup(port.stopListening)
        return port

    def client(self, port: DatagramPort, host: str | None = None) -> socket.socket:
        """
        A client that sends to the port and hears what the port says, from the very address that it sends to.

        @param host: another address of the port than the one that it is bound to.
        """
        bound: Any = port.getHost()
        host = host or bound.host
        kind = socket.AF_INET6 if ":" in host else socket.AF_INET
        client: socket.socket = self.keep(socket.socket(kind, socket.SOCK_DGRAM))
        client.setblocking(False)
        client.connect((host, bound.port))
        return client

    def unixClient(self, port: DatagramPort, name: str | bytes | None = None) -> socket.socket:
        """
        A client on a Unix socket.

        @param name: its own.
        """
        client: socket.socket = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        client.setblocking(False)
        if name is not None:
            client.bind(name)
        client.connect(port.socket.getsockname())
        return client

    def replies(self, client: socket.socket, count: int = 1) -> list[bytes]:
        """
        So many replies to a client.
        """
        heard: list[bytes] = []

        def received() -> bool:
            try:
                heard.append(client.recv(65536))
            except BlockingIOError:
                return False
            return len(heard) == count

        self.until(received)
        return heard

    def assertServed(self, client: socket.socket, datagram: bytes = b"words") -> None:
        """
        A client gets an answer.
        """
        client.send(datagram)
        (reply,) = self.replies(client)
        self.assertEqual(len(reply), len(datagram))
        self.assertTrue(reply == datagram.upper())


class UDPTests(PortCase):
    """
    UDP on a good day.
    """

    def test_addresses(self) -> None:
        """
        Over IPv4 and IPv6 peers are served, known by host and port, and the host has its real port.
        """
        for interface, kind in (("127.0.0.1", IPv4Address), ("::1", IPv6Address)):
            port = self.listen(InetBinding(UDP, 0, interface))
            client = self.client(port)
            self.assertServed(client)
            self.assertEqual(port.getHost(), kind("UDP", *port.socket.getsockname()[:2]))
            self.assertEqual(self.protocol.received[-1], (b"words", client.getsockname()[:2], interface))
            port.stopListening()

    def test_sizes(self) -> None:
        """
        A datagram is read and written whole, whatever its size, none at all included (T11).
        """
        for interface, longest in (("127.0.0.1", 65507), ("::1", 65527)):
            port = self.listen(InetBinding(UDP, 0, interface))
            client = self.client(port)
            for size in (0, 1, 512, 8192, 8193, longest):
                self.assertServed(client, os.urandom(size))
            self.assertEqual(self.assertRaises(OSError, client.send, bytes(longest + 1)).errno, errno.EMSGSIZE)
            port.stopListening()

    def test_longest(self) -> None:
        """
        A protocol may say how much of a datagram it wants to see.
        """
        port = self.listen()
        port.maxPacketSize = 3
        client = self.client(port)
        client.send(b"words")
        self.assertEqual(self.replies(client), [b"WOR"])

    def test_fewATurn(self) -> None:
        """
        Of a flood of datagrams, one turn of the reactor reads 64, those without a byte included.
        """
        client = self.client(self.listen())
        for datagram in (b"", b"x"):
            for _ in range(100):
                client.send(datagram)
            self.turn()
            self.assertEqual(len(self.protocol.received), 64)
            self.turn()
            self.assertEqual(len(self.protocol.received), 100)
            self.protocol.received.clear()

    def test_repliesFromWhereItWasAsked(self) -> None:
        """
        On a socket for all addresses a reply leaves from the one that was asked, and the protocol can tell which.
        """
        port = self.listen(InetBinding(UDP, 0, "0.0.0.0"))
        for host in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
            self.assertServed(self.client(port, host))
            self.assertEqual(self.protocol.received[-1][2], host)
        port.stopListening()
        port = self.listen(InetBinding(UDP, 0, "::"))
        self.assertServed(self.client(port, "::1"))
        self.assertEqual(self.protocol.received[-1][2], "::1")

    def test_oneSocketForBothFamilies(self) -> None:
        """
        So it does on a socket that a service manager has opened for IPv6 and IPv4 together.
        """
        both = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        both.bind(("::", 0))
        both.setblocking(False)
        port = self.adopt(BoundSocket(both))
        for host, known in (("127.0.0.2", "127.0.0.2"), ("::1", "::1")):
            self.assertServed(self.client(port, host))
            self.assertEqual(self.protocol.received[-1][2], known)

    def test_onlyWhileReceiving(self) -> None:
        """
        What is written later leaves from where the kernel thinks best: it is no answer to the datagram of before.
        """
        port = self.listen(InetBinding(UDP, 0, "0.0.0.0"))
        self.assertServed(self.client(port, "127.0.0.2"))
        self.assertIsNone(port.destination)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            other.settimeout(5)
            port.write(b"news", other.getsockname())
            datagram, (host, _) = other.recvfrom(10)
        self.assertEqual((datagram, host), (b"news", "127.0.0.1"))

    def test_links(self) -> None:
        """
        A link-local peer is another host on every link: it is known with its link, and answered there. To any other
        peer the way is the kernel's choice.
        """
        local = socket.inet_pton(socket.AF_INET6, "fe80::1")
        link = Link(local, [("fe80::2", 4000, 0, 7), ("2001:db8::2", 4000, 0, 0)])
        port = UDPPort(BoundSocket(link), self.protocol, MemoryReactorClock())  # type: ignore[arg-type]
        port.startListening()
        port.doRead()
        first, second = ("fe80::2%7", 4000), ("2001:db8::2", 4000)
        self.assertEqual(self.protocol.received, [(b"words", first, "fe80::1"), (b"words", second, "fe80::1")])
        self.assertEqual(link.sent, [(b"WORDS", first, local, 7), (b"WORDS", second, local, 0)])


class UnixTests(PortCase):
    """
    Unix datagrams.
    """

    def setUp(self) -> None:
        """
        Listen.
        """
        super().setUp()
        self.port = self.listen(UnixBinding(UNIXGRAM, str(self.folder / "socket")))

    def test_named(self) -> None:
        """
        A client with a name of its own, be it a file's or abstract, is known by it and answered there.
        """
        for name in (str(self.folder / "client"), b"\0sockservices-client-%d" % os.getpid()):
            self.assertServed(self.unixClient(self.port, name))
            self.assertEqual(self.protocol.received[-1], (b"words", name, None))

    def test_unnamed(self) -> None:
        """
        A client without a name is heard, and known to have none (T18).
        """
        self.unixClient(self.port).send(b"words")
        self.until(lambda: self.protocol.received)
        self.assertEqual(self.protocol.received, [(b"words", None, None)])

    def test_host(self) -> None:
        """
        The host is the path.
        """
        self.assertEqual(self.port.getHost(), UNIXAddress(os.fsencode(self.folder / "socket")))

    def test_longDatagrams(self) -> None:
        """
        Datagrams are longer here than over IP, if the protocol wants them.
        """
        self.port.maxPacketSize = 2**18
        client = self.unixClient(self.port)
        client.send(b"x" * 100_000)
        self.until(lambda: self.protocol.received)
        self.assertEqual(len(self.protocol.received[0][0]), 100_000)

    def test_peerGone(self) -> None:
        """
        A peer that is gone before its answer comes is nobody's trouble (T18).
        """
        name = str(self.folder / "client")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.bind(name)
            client.sendto(b"words", self.port.socket.getsockname())
        with capturedLogs() as events:
            self.until(lambda: self.protocol.received)
        self.assertIn("ConnectionRefusedError", formatEvent(events[0]))
        self.assertServed(self.unixClient(self.port, str(self.folder / "other")))

    def test_peerFull(self) -> None:
        """
        Nor is a peer that does not read: when its queue is full the answer is lost, not waited for (T18).
        """
        client = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        client.bind(str(self.folder / "client"))
        count = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text()) + 5
        with capturedLogs() as events:
            for _ in range(count):
                client.sendto(b"words", self.port.socket.getsockname())
                self.turn()
        self.assertEqual(len(self.protocol.received), count)
        self.assertIn("BlockingIOError", formatEvent(events[0]))
        self.assertServed(self.unixClient(self.port, str(self.folder / "other")))


class FaultTests(PortCase):
    """
    No fault of a call on the socket, and none of the protocol, ends the port (T19).
    """

    def test_reading(self) -> None:
        """
        The network's answers to earlier replies, and no memory, are counted, and the next datagram is served.
        """
        faults = [errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNREFUSED, errno.ENOMEM, errno.ENOBUFS]
        count = len(faults)
        port = self.listen(recvmsg=faults)
        self.assertServed(self.client(port))
        self.assertEqual((port.errors, port.connected), (count, True))
        self.assertIn(port, self.reactor.getReaders())

    def test_alwaysFaulty(self) -> None:
        """
        A socket that cannot be read at all does not keep the reactor from its other work.
        """
        faults = [errno.ENOMEM] * 1000
        port = self.listen(recvmsg=faults)
        self.client(port).send(b"words")
        self.turn()
        self.assertEqual((port.errors, len(faults)), (64, 936))

    def test_writing(self) -> None:
        """
        What the kernel does not take is told to the protocol, and to nobody else; the next datagram is served.
        """
        faults = [errno.ENOBUFS, errno.EPERM, errno.EAGAIN, errno.ENETUNREACH, errno.EMSGSIZE]
        client = self.client(self.listen(sendto=faults))
        with capturedLogs() as events:
            for _ in range(len(faults)):
                client.send(b"words")
            self.turn()
        self.assertEqual((len(self.protocol.received), len(events)), (5, 5))
        self.assertServed(client)

    def test_protocolRaises(self) -> None:
        """
        What a protocol raises is said in one line, and the next datagram in the queue is served.
        """

        class Broken(Upper):
            def datagramReceived(self, datagram: bytes, addr: Any) -> None:
                if datagram == b"zero":
                    raise ZeroDivisionError("on\npurpose")
                super().datagramReceived(datagram, addr)

        self.protocol = Broken()
        client = self.client(self.listen())
        client.send(b"zero")
        with capturedLogs() as events:
            self.assertServed(client)
        (said,) = map(formatEvent, events)
        self.assertRegex(said, r"^Broken raised ZeroDivisionError.*purpose.* at \S+:\d+$")


class StopTests(PortCase):
    """
    What becomes of it all when a port stops.
    """

    def test_waitingAreServed(self) -> None:
        """
        What waited to be read is answered first.
        """
        port = self.listen()
        client = self.client(port)
        for _ in range(10):
            client.send(b"words")
        self.successResultOf(port.stopListening())
        self.assertEqual(self.replies(client, 10), [b"WORDS"] * 10)

    def test_deaf(self) -> None:
        """
        After that nothing is read any more, the socket is closed, and a Unix socket's file is gone.
        """
        port = self.listen()
        client = self.client(port)
        self.successResultOf(port.stopListening())
        self.assertEqual((port.fileno(), port.connected), (-1, False))
        client.send(b"words")
        self.assertRaises(ConnectionRefusedError, client.recv, 5)
        self.successResultOf(self.listen(UnixBinding(UNIXGRAM, str(self.folder / "socket"))).stopListening())
        self.assertEqual(list(self.folder.iterdir()), [])
        self.assertQuiet()

    def test_protocolOnce(self) -> None:
        """
        The protocol is started once and stopped once, however often the port is stopped, and may be used again.
        """
        for _ in range(2):
            port = self.listen()
            self.assertEqual((self.protocol.running, self.protocol.transport), (1, port))
            for _ in range(3):
                self.successResultOf(port.stopListening())
                self.assertEqual((self.protocol.running, self.protocol.transport), (0, None))

    def test_byTheProtocol(self) -> None:
        """
        A protocol may stop its port while it receives a datagram: what waited then is served first, and all is well,
        even if it does so every time.
        """

        class Last(Upper):
            def datagramReceived(self, datagram: bytes, addr: Any) -> None:
                super().datagramReceived(datagram, addr)
                self.transport.stopListening()

        self.protocol = Last()
        port = self.listen()
        client = self.client(port)
        for _ in range(3):
            client.send(b"words")
        with capturedLogs() as events:
            self.assertEqual(self.replies(client, 3), [b"WORDS"] * 3)
        self.assertEqual((events, port.fileno(), self.protocol.running), ([], -1, 0))
        self.assertEqual(port.errors, 0, "read after the stop")
        self.assertQuiet()

    def test_byTheReactor(self) -> None:
        """
        A reactor that lets go of all its readers stops the port.
        """
        port = self.listen()
        for reader in self.reactor.removeAll():
            reader.connectionLost(Failure(ConnectionLost()))
        self.assertEqual((port.fileno(), self.protocol.running), (-1, 0))

    def test_nothingLeft(self) -> None:
        """
        A hundred starts and stops, each with a datagram, leave no descriptor and nothing in the reactor (T29).
        """
        before = descriptors()
        for _ in range(100):
            port = self.listen()
            client = self.client(port)
            self.assertServed(client)
            client.close()
            self.successResultOf(port.stopListening())
        self.assertQuiet()
        self.assertEqual(descriptors(), before)
