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
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure

from sockservices.conversation.transport import Transport
from sockservices.transports.bindings import InetBinding, UnixBinding
from sockservices.transports.datagram_port import UDPPort
from sockservices.transports.sockets import BoundSocket
from tests.support.datagram_ports import DatagramPortCase, UpperDatagrams
from tests.support.loop import descriptors

TCP, UDP, UNIX, UNIXGRAM = Transport


class Link:
    """
    A fake UDP socket that receives datagrams on an IPv6 link.

    @ivar sent: each datagram with its destination, and the source address and link that it is sent from.
    """

    family = socket.AF_INET6

    def __init__(self, local: bytes, peers: list[tuple[str, int, int, int]]) -> None:
        self._local = local
        self._peers = peers
        self.sent: list[tuple[bytes, Any, bytes, int]] = []

    def setsockopt(self, *option: int) -> None:
        """
        Accept the option.
        """

    def getsockopt(self, *option: int) -> int:
        """
        Report an IPv6-only socket.
        """
        return 1

    def getsockname(self) -> Any:
        """
        Report the wildcard address.
        """
        return "::", 7, 0, 0

    def recvmsg(self, size: int, ancillary: int) -> Any:
        """
        Return a datagram from the next peer, received on link 7.
        """
        if not self._peers:
            raise BlockingIOError
        information = struct.pack("=16sI", self._local, 7)
        return b"words", [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, information)], 0, self._peers.pop(0)

    def sendmsg(self, datagrams: list[bytes], ancillary: Any, flags: int, peer: Any) -> None:
        """
        Record the datagram.
        """
        ((_, _, information),) = ancillary
        self.sent.append((datagrams[0], peer, *struct.unpack("=16sI", information)))


class UDPTests(DatagramPortCase):
    """
    UDP datagrams.
    """

    def test_addresses(self) -> None:
        """
        Peers are served over IPv4 and IPv6. C{getHost} has the real port.
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
        Datagrams of every size are read and written whole, empty ones included (T11).
        """
        for interface, longest in (("127.0.0.1", 65507), ("::1", 65527)):
            port = self.listen(InetBinding(UDP, 0, interface))
            client = self.client(port)
            for size in (0, 1, 512, 8192, 8193, longest):
                self.assertServed(client, os.urandom(size))
            self.assertEqual(self.assertRaises(OSError, client.send, bytes(longest + 1)).errno, errno.EMSGSIZE)
            port.stopListening()

    def test_maxPacketSize(self) -> None:
        """
        A datagram is cut to the C{maxPacketSize} of the port.
        """
        port = self.listen()
        port.maxPacketSize = 3
        client = self.client(port)
        client.send(b"words")
        self.assertEqual(self.replies(client), [b"WOR"])

    def test_readsPerTurn(self) -> None:
        """
        At most 64 datagrams are read in one turn of the reactor, empty ones included.
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

    def test_repliesLeaveFromTheRequestedAddress(self) -> None:
        """
        On a wildcard socket a reply leaves from the address that the request was sent to. The protocol can read this
        address.
        """
        port = self.listen(InetBinding(UDP, 0, "0.0.0.0"))
        for host in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
            self.assertServed(self.client(port, host))
            self.assertEqual(self.protocol.received[-1][2], host)
        port.stopListening()
        port = self.listen(InetBinding(UDP, 0, "::"))
        self.assertServed(self.client(port, "::1"))
        self.assertEqual(self.protocol.received[-1][2], "::1")

    def test_dualStackSocket(self) -> None:
        """
        So it does on an adopted dual-stack socket.
        """
        both = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        both.bind(("::", 0))
        both.setblocking(False)
        port = self.adopt(BoundSocket(both))
        for host, known in (("127.0.0.2", "127.0.0.2"), ("::1", "::1")):
            self.assertServed(self.client(port, host))
            self.assertEqual(self.protocol.received[-1][2], known)

    def test_laterDatagramsHaveNoFixedSource(self) -> None:
        """
        The kernel chooses the source address of a datagram that is sent outside of C{datagramReceived}.
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

    def test_linkLocalPeers(self) -> None:
        """
        A link-local peer is identified with its link and answered on it. For other peers the kernel chooses the link.
        """
        local = socket.inet_pton(socket.AF_INET6, "fe80::1")
        link = Link(local, [("fe80::2", 4000, 0, 7), ("2001:db8::2", 4000, 0, 0)])
        port = UDPPort(BoundSocket(link), self.protocol, MemoryReactorClock())  # type: ignore[arg-type]
        port.startListening()
        port.doRead()
        first, second = ("fe80::2%7", 4000), ("2001:db8::2", 4000)
        self.assertEqual(self.protocol.received, [(b"words", first, "fe80::1"), (b"words", second, "fe80::1")])
        self.assertEqual(link.sent, [(b"WORDS", first, local, 7), (b"WORDS", second, local, 0)])


class UnixTests(DatagramPortCase):
    """
    Unix datagrams.
    """

    def setUp(self) -> None:
        """
        Listen.
        """
        super().setUp()
        self.port = self.listen(UnixBinding(UNIXGRAM, str(self.folder / "socket")))

    def test_boundPeers(self) -> None:
        """
        A client that is bound to a path or to an abstract name is identified by it and answered there.
        """
        for name in (str(self.folder / "client"), b"\0sockservices-client-%d" % os.getpid()):
            self.assertServed(self.unixClient(self.port, name))
            self.assertEqual(self.protocol.received[-1], (b"words", name, None))

    def test_unboundPeer(self) -> None:
        """
        The datagram of a client without a name is received with the address L{None} (T18).
        """
        self.unixClient(self.port).send(b"words")
        self.until(lambda: self.protocol.received)
        self.assertEqual(self.protocol.received, [(b"words", None, None)])

    def test_host(self) -> None:
        """
        C{getHost} has the path.
        """
        self.assertEqual(self.port.getHost(), UNIXAddress(os.fsencode(self.folder / "socket")))

    def test_longDatagrams(self) -> None:
        """
        A datagram may be longer than over IP if C{maxPacketSize} allows it.
        """
        self.port.maxPacketSize = 2**18
        client = self.unixClient(self.port)
        client.send(b"x" * 100_000)
        self.until(lambda: self.protocol.received)
        self.assertEqual(len(self.protocol.received[0][0]), 100_000)

    def test_peerGone(self) -> None:
        """
        A reply to a peer that is gone is dropped (T18).
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
        A reply to a peer whose queue is full is dropped at once (T18).
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


class FaultTests(DatagramPortCase):
    """
    No error of a system call or of the protocol closes the port (T19).
    """

    def test_receiveErrors(self) -> None:
        """
        ICMP errors and ENOMEM are counted, and the next datagram is served.
        """
        faults = [errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNREFUSED, errno.ENOMEM, errno.ENOBUFS]
        count = len(faults)
        port = self.listen(recvmsg=faults)
        self.assertServed(self.client(port))
        self.assertEqual((port.errors, port.connected), (count, True))
        self.assertIn(port, self.reactor.getReaders())

    def test_persistentReceiveErrors(self) -> None:
        """
        Persistent errors of recvmsg(2) do not block the reactor.
        """
        faults = [errno.ENOMEM] * 1000
        port = self.listen(recvmsg=faults)
        self.client(port).send(b"words")
        self.turn()
        self.assertEqual((port.errors, len(faults)), (64, 936))

    def test_sendErrors(self) -> None:
        """
        An error of sendmsg(2) is raised to the protocol alone. The next datagram is served.
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
        An exception of the protocol is logged in one line, and the next datagram is served.
        """

        class Broken(UpperDatagrams):
            def datagramReceived(self, datagram: bytes, addr: Any) -> None:
                if datagram == b"zero":
                    raise ZeroDivisionError("on\npurpose")
                super().datagramReceived(datagram, addr)

        self.protocol = Broken()
        client = self.client(self.listen())
        client.send(b"zero")
        with capturedLogs() as events:
            self.assertServed(client)
        (logged,) = map(formatEvent, events)
        self.assertRegex(logged, r"^Broken raised ZeroDivisionError.*purpose.* at \S+:\d+$")


class StopTests(DatagramPortCase):
    """
    C{stopListening}.
    """

    def test_waitingDatagramsAreServed(self) -> None:
        """
        Datagrams in the socket's queue are answered first.
        """
        port = self.listen()
        client = self.client(port)
        for _ in range(10):
            client.send(b"words")
        self.successResultOf(port.stopListening())
        self.assertEqual(self.replies(client, 10), [b"WORDS"] * 10)

    def test_stoppedPort(self) -> None:
        """
        After a stop the socket is closed and the file of a Unix socket is removed.
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

    def test_protocolStopsOnce(self) -> None:
        """
        The protocol is started once and stopped once, however often the port is stopped. It can be used again.
        """
        for _ in range(2):
            port = self.listen()
            self.assertEqual((self.protocol.running, self.protocol.transport), (1, port))
            for _ in range(3):
                self.successResultOf(port.stopListening())
                self.assertEqual((self.protocol.running, self.protocol.transport), (0, None))

    def test_protocolStopsThePort(self) -> None:
        """
        A protocol may stop its port in C{datagramReceived}, at every datagram. Waiting datagrams are served first.
        """

        class Last(UpperDatagrams):
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

    def test_reactorDisconnectsTheReader(self) -> None:
        """
        C{connectionLost} from a reactor that stops also stops the port.
        """
        port = self.listen()
        for reader in self.reactor.removeAll():
            reader.connectionLost(Failure(ConnectionLost()))
        self.assertEqual((port.fileno(), self.protocol.running), (-1, 0))

    def test_nothingLeft(self) -> None:
        """
        A hundred starts and stops leave no descriptor and nothing in the reactor (T29).
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
