"""
Ports over datagram sockets. L{PortTests} runs for both kinds of port over UDP.
"""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionLost
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure

from sockservices.conversation.transport import Transport
from sockservices.transports.bindings import UnixBinding
from sockservices.transports.sockets import BoundSocket
from tests.support.datagram_ports import BatchCase, DatagramPortCase, udpSocket
from tests.support.loop import descriptors

#: Socket options that Python does not name: ICMP errors fail the next receive call (ip(7)); datagrams have a time.
IP_RECVERR, SO_TIMESTAMPNS = 11, 35


def linkLocalAddress() -> tuple[str, int] | None:
    """
    A link-local address of this host, with the number of its link.
    """
    for line in Path("/proc/net/if_inet6").read_text().splitlines():
        address, link, *_ = line.split()
        if address.startswith("fe80"):
            return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(address)), int(link, 16)
    return None


class PortTests(DatagramPortCase):
    """
    Behaviour of both kinds of port over UDP.

    @cvar receiveCall: the method of the socket that fails when the kernel reports an error.
    """

    receiveCall = "recvmsg"

    def test_sizes(self) -> None:
        """
        Datagrams of every size are read and written whole over IPv4 and IPv6, empty ones included. C{getHost} has the
        real port.
        """
        for interface, longest, addressType in (("127.0.0.1", 65507, IPv4Address), ("::1", 65527, IPv6Address)):
            port = self.listen(interface)
            self.assertEqual(port.getHost(), addressType("UDP", *port.socket.getsockname()[:2]))
            client = self.client(port)
            for size in (0, 1, 512, 8192, 8193, longest):
                self.assertServed(client, os.urandom(size))
                self.assertEqual(self.protocol.received[-1][1:], (client.getsockname()[:2], interface))
            self.assertEqual(self.assertRaises(OSError, client.send, bytes(longest + 1)).errno, errno.EMSGSIZE)

    def test_maxPacketSize(self) -> None:
        """
        Datagrams are cut to the C{maxPacketSize} that the protocol sets in C{startProtocol}.
        """
        self.protocol.startProtocol = lambda: setattr(self.protocol.transport, "maxPacketSize", 3)
        client = self.client(self.listen())
        self.assertEqual(self.exchange(client, b"hello", b"", b"abc"), [b"HEL", b"", b"ABC"])

    def test_readsPerTurn(self) -> None:
        """
        At most 64 datagrams are read and answered in one turn of the reactor, empty ones included.
        """
        client = self.client(self.listen())
        for datagram in (b"", b"X"):
            replies = self.exchange(client, *[datagram] * 100)
            self.assertEqual(replies, [datagram] * 64)
            self.assertEqual([self.exchange(client), self.exchange(client)], [[datagram] * 36, []])
            self.assertEqual(len(self.protocol.received), 100)
            self.protocol.received.clear()

    def test_repliesLeaveFromTheRequestedAddress(self) -> None:
        """
        On a wildcard socket a reply leaves from the address that the request was sent to. The protocol can read this
        address.
        """
        for bound, hosts in (
            (udpSocket("0.0.0.0"), ["127.0.0.1", "127.0.0.2", "127.0.0.3"]),
            (udpSocket("::"), ["::1", "::1"]),
            (udpSocket("::", dualStack=True), ["127.0.0.2", "::1", "127.0.0.3"]),
        ):
            port = self.adopt(BoundSocket(bound))
            clients = [self.client(port, host) for host in hosts]
            for timestamps in (False, True):
                bound.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, timestamps)
                self.protocol.received.clear()
                self.assertAnswered(*((client, [b"x", b"y", b"zz", b""]) for client in clients))
                self.assertEqual([destination for _, _, destination in self.protocol.received], hosts * 4)
            self.assertIsNone(port.destination)

    def test_onePeerOfSeveralAddresses(self) -> None:
        """
        A client that sends to several addresses of a wildcard socket gets a reply from each. For a later datagram the
        kernel chooses the source address.
        """
        port: Any = self.listen("0.0.0.0")
        client = self.closeLater(udpSocket("127.0.0.1"))
        hosts = ["127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.2", "127.0.0.3", "127.0.0.3"]
        for host in hosts:
            client.sendto(host.encode(), (host, port.getHost().port))
        self.turn()
        replies = [client.recvfrom(100) for _ in hosts]
        self.assertEqual([(reply.decode(), host) for reply, (host, _) in replies], [(host, host) for host in hosts])
        port.write(b"later", client.getsockname())
        datagram, (host, _) = client.recvfrom(10)
        self.assertEqual((datagram, host), (b"later", "127.0.0.1"))

    def test_linkLocalPeers(self) -> None:
        """
        A link-local peer is identified with its link and answered on it.
        """
        address = linkLocalAddress()
        if address is None:
            self.skipTest("this host has no link-local address")
        host, link = address
        port: Any = self.listen("::")
        client = self.closeLater(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        client.setblocking(False)
        client.bind((host, 0, 0, link))
        client.connect((host, port.getHost().port, 0, link))
        self.assertAnswered((client, [b"x", b"y"]))
        source = f"{host}%{link}", client.getsockname()[1]
        self.assertEqual([addresses for _, *addresses in self.protocol.received], [[source, host]] * 2)

    def test_receiveErrors(self) -> None:
        """
        Errors of the receive call are counted, and the next datagram is served. Persistent errors do not block the
        reactor.
        """
        faults: list[int] = []
        port = self.listen("127.0.0.1", **{self.receiveCall: faults})
        client = self.client(port)
        client.send(b"hello")
        faults += [errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNREFUSED, errno.ENOMEM, errno.ENOBUFS]
        client.send(b"hello")
        with capturedLogs() as events:
            port.doRead()
            self.assertEqual((port.errors, self.arrived(client), port.connected), (5, [b"HELLO"] * 2, True))
            client.send(b"hello")
            faults += [errno.ENOMEM] * 1000
            port.doRead()
        self.assertEqual((port.errors, len(faults), self.arrived(client), events), (5 + 64, 936, [], []))
        faults.clear()
        self.assertEqual(self.exchange(client), [b"HELLO"])

    def test_icmpError(self) -> None:
        """
        The ICMP error that a reply causes is counted, and the next datagram is served.
        """
        port = self.listen()
        port.socket.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        with udpSocket("127.0.0.1") as closed:
            address = closed.getsockname()
        port.write(b"hello", address)
        self.assertServed(self.client(port))
        self.assertEqual((port.errors, port.connected), (1, True))

    def test_protocolRaises(self) -> None:
        """
        An exception of the protocol is logged in one line, and the other datagrams are answered.
        """

        def reaction(datagram: bytes, reply: Any) -> None:
            if datagram == b"zero":
                raise ZeroDivisionError("on\npurpose")
            reply()

        self.react(reaction)
        client = self.client(self.listen())
        with capturedLogs() as events:
            self.assertEqual(self.exchange(client, b"a", b"zero", b"b", b"zero", b"c"), [b"A", b"B", b"C"])
        name = type(self.protocol).__name__
        for event in events:
            self.assertRegex(formatEvent(event), rf"^{name} raised ZeroDivisionError.*purpose.* at \S+:\d+$")
        self.assertEqual(len(events), 2)

    def test_stopListening(self) -> None:
        """
        Queued datagrams are answered, then the socket is closed. The protocol is stopped once, however often the port
        is stopped, and can be used again.
        """
        sent = [b"%d" % number for number in range(200)]
        for _ in range(2):
            port = self.listen()
            self.assertEqual((self.protocol.running, self.protocol.transport), (1, port))
            client = self.client(port)
            for datagram in sent:
                client.send(datagram)
            for _ in range(3):
                self.successResultOf(port.stopListening())
                self.assertEqual((self.protocol.running, self.protocol.transport), (0, None))
            self.assertEqual((self.arrived(client), port.fileno(), port.connected), (sent, -1, False))
            client.send(b"hello")
            self.assertRaises(ConnectionRefusedError, client.recv, 5)
        self.assertQuiet()

    def test_protocolStopsThePort(self) -> None:
        """
        A protocol may stop its port when it receives a datagram, also at every datagram. Each queued datagram is
        answered once.
        """
        sent = [b"%d" % number for number in range(150)]
        for last in ([b"0"], [b"10"], [b"63"], [b"64"], [b"149"], sent):
            self.protocol = self.protocolClass()

            def reaction(datagram: bytes, reply: Any, last: list[bytes] = last) -> None:
                reply()
                if datagram in last:
                    self.protocol.transport.stopListening()

            self.react(reaction)
            port = self.listen()
            client = self.client(port)
            with capturedLogs() as events:
                replies = self.exchange(client, *sent)
                self.turn(2)
            replies += self.arrived(client)
            self.assertEqual((sorted(replies, key=int), len(self.protocol.received)), (sent, len(sent)))
            self.assertEqual((events, port.fileno(), port.connected, self.protocol.running), ([], -1, False, 0))
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
        A hundred starts and stops leave no descriptor and nothing in the reactor.
        """
        before = descriptors()
        for _ in range(100):
            port = self.listen()
            client = self.client(port)
            self.assertAnswered((client, [b"x", b"y"]))
            client.close()
            self.successResultOf(port.stopListening())
        self.assertQuiet()
        self.assertEqual(descriptors(), before)


class BatchedPortTests(BatchCase, PortTests):
    """
    The same tests on a port that receives and sends batches.
    """

    receiveCall = "fileno"

    def test_protocolStopsThePort(self) -> None:
        """
        The same holds for a protocol that replies through routes. Each reply is reported once, as sent.
        """
        super().test_protocolStopsThePort()
        self.assertEqual(sum(count for count, _ in self.protocol.sent), 150)
        self.assertTrue(all(not faults for _, faults in self.protocol.sent))


class UDPPortTests(DatagramPortCase):
    """
    Behaviour of the port that receives and sends one datagram at a time.
    """

    def test_sendErrors(self) -> None:
        """
        An error of the send call is raised to the protocol alone. The next datagram is served.
        """
        faults = [errno.ENOBUFS, errno.EPERM, errno.EAGAIN, errno.ENETUNREACH, errno.EMSGSIZE]
        client = self.client(self.listen(sendto=faults))
        with capturedLogs() as events:
            self.assertEqual(self.exchange(client, *[b"hello"] * 5), [])
        self.assertEqual((len(self.protocol.received), len(events)), (5, 5))
        self.assertServed(client)


class UnixTests(DatagramPortCase):
    """
    Unix datagrams.
    """

    def setUp(self) -> None:
        """
        Listen on a path.
        """
        super().setUp()
        self.path = self.folder / "socket"
        self.port = self.listen(UnixBinding(Transport.UNIXGRAM, str(self.path)))

    def test_peers(self) -> None:
        """
        A client that is bound to a path or to an abstract name is identified by it and answered there. The datagram of
        a client without a name is received with the address L{None}.
        """
        for name in (str(self.folder / "client"), b"\0sockservices-client-%d" % os.getpid()):
            self.assertServed(self.unixClient(self.port, name))
            self.assertEqual(self.protocol.received[-1], (b"hello", name, None))
        self.assertEqual(self.exchange(self.unixClient(self.port), b"hello"), [])
        self.assertEqual(self.protocol.received[-1], (b"hello", None, None))

    def test_longDatagrams(self) -> None:
        """
        A datagram may be longer than over IP if C{maxPacketSize} allows it.
        """
        self.port.maxPacketSize = 2**18
        self.exchange(self.unixClient(self.port), b"x" * 100_000)
        self.assertEqual(len(self.protocol.received[0][0]), 100_000)

    def test_undeliverableReply(self) -> None:
        """
        A reply to a peer that has closed its socket or whose queue is full is dropped at once. The next peer is served.
        """
        count = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text()) + 5
        for name, sends, error in (("closed", 1, "ConnectionRefusedError"), ("full", count, "BlockingIOError")):
            # Not connected: the kernel does not limit the queue of a socket for the peer that it is connected to.
            client = self.closeLater(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            client.bind(str(self.folder / name))
            self.protocol.received.clear()
            with capturedLogs() as events:
                for _ in range(sends):
                    client.sendto(b"hello", str(self.path))
                    if name == "closed":
                        client.close()
                    self.turn()
            self.assertEqual(len(self.protocol.received), sends)
            self.assertIn(error, formatEvent(events[0]))
            self.assertServed(self.unixClient(self.port, str(self.folder / f"after {name}")))

    def test_stop(self) -> None:
        """
        C{getHost} has the path. C{stopListening} removes the file.
        """
        self.assertEqual(self.port.getHost(), UNIXAddress(os.fsencode(self.path)))
        self.successResultOf(self.port.stopListening())
        self.assertEqual(list(self.folder.iterdir()), [])
        self.assertQuiet()
