"""
A port that moves UDP datagrams many at a time.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import Clock
from twisted.internet.testing import FakeDatagramTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from sockservices import Census, DatagramResponder, Outcome, Policy, Visit
from sockservices.conversation.transport import Transport
from sockservices.responders import Discard, Echo
from sockservices.transports.batched_udp_port import MAX_ROUTES, MAX_SEGMENT, BatchedUDPPort
from sockservices.transports.bindings import InetBinding, UnixBinding
from sockservices.transports.datagram_port import DatagramPort, UDPPort
from sockservices.transports.endpoints import DatagramEndpoint
from sockservices.transports.interfaces import IRequestProtocol
from sockservices.transports.pktinfo import IP_PKTINFO
from sockservices.transports.recvmmsg import recvmmsg
from sockservices.transports.sockets import BoundSocket, openSockets
from tests.support.datagram_ports import DatagramPortCase, UpperDatagrams
from tests.support.loop import descriptors
from tests.support.peer import fixedEnvironment

TCP, UDP, UNIX, UNIXGRAM = Transport

#: The socket option that makes ICMP errors fail the next receive call (ip(7)).
IP_RECVERR = 11

#: The size of receive buffers in bytes; the system may allow less.
RECEIVE_BUFFER = 2**22


@implementer(IRequestProtocol)
class BatchedUpper(UpperDatagrams):
    """
    A protocol that replies to each datagram in upper case over its route. Its tokens count the datagrams since the last
    report.

    @ivar sent: for each report the number of replies, and the error numbers of the failed ones by token.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[int, dict[int, int | None]]] = []
        self._number = 0

    def requestReceived(self, datagram: bytes, route: Any) -> None:
        """
        Record the datagram and reply.
        """
        self.received.append((datagram, route.peer, route.destination))
        self.reply(route, datagram.upper())

    def reply(self, route: Any, reply: Any) -> None:
        """
        Reply with the next token.
        """
        self._number += 1
        route.send(reply, self._number - 1)

    def repliesSent(self, tokens: list[Any], failures: list[tuple[Any, Exception]]) -> None:
        """
        Record the report.
        """
        faults = {token: getattr(exception, "errno", None) for token, exception in failures}
        self.sent.append((len(tokens) + len(failures), faults))
        self._number = 0


class CountingSocket:
    """
    A socket that records the names of its send calls.
    """

    def __init__(self, counted: socket.socket) -> None:
        self._counted = counted
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("send"):
            self.calls.append(name)
        return getattr(self._counted, name)


class BatchCase(DatagramPortCase):
    """
    A test of L{BatchedUDPPort}.
    """

    if recvmmsg is None:
        skip = "this system has no recvmmsg()"

    protocol: Any

    def setUp(self) -> None:
        """
        Make the protocol.
        """
        super().setUp()
        self.protocol = BatchedUpper()

    def adopt(self, opened: BoundSocket) -> BatchedUDPPort:
        """
        Listen on a bound socket.
        """
        port = BatchedUDPPort(opened, self.protocol, self.reactor)
        port.startListening()
        port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.addCleanup(port.stopListening)
        return port

    def client(self, port: DatagramPort, host: str | None = None) -> socket.socket:
        """
        A client with a receive buffer for many replies.
        """
        client = super().client(port, host)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        return client

    def dualStack(self) -> BatchedUDPPort:
        """
        Listen on a dual-stack socket.
        """
        both = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        both.bind(("::", 0))
        both.setblocking(False)
        return self.adopt(BoundSocket(both))

    def received(self, client: socket.socket) -> list[bytes]:
        """
        All replies that have arrived at a client.
        """
        output = []
        try:
            while True:
                output.append(client.recv(65536))
        except BlockingIOError:
            return output

    def assertAnswered(self, *conversations: tuple[socket.socket, list[bytes]]) -> None:
        """
        Check that clients, which send in turn, receive exactly their own replies in order.
        """
        for number in range(max(len(datagrams) for _, datagrams in conversations)):
            for client, datagrams in conversations:
                for datagram in datagrams[number : number + 1]:
                    client.send(datagram)
        self.turn()
        for client, datagrams in conversations:
            output = self.received(client)
            self.assertEqual([len(reply) for reply in output], [len(datagram) for datagram in datagrams])
            self.assertTrue(output == [datagram.upper() for datagram in datagrams])


class ReplyTests(BatchCase):
    """
    Replies in batches.
    """

    def test_sizes(self) -> None:
        """
        Datagrams of every size from several clients are answered whole, to the right client, in order.
        """
        sizes = (0, 1, 1, 1, MAX_SEGMENT, MAX_SEGMENT, MAX_SEGMENT, MAX_SEGMENT + 1, MAX_SEGMENT + 1, 0, 1, 65507)
        for interface in ("127.0.0.1", "0.0.0.0", "::1", "::"):
            port = self.listen(InetBinding(UDP, 0, interface))
            host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(interface, interface)
            clients = [self.client(port, host) for _ in range(3)]
            self.assertAnswered(*((client, [os.urandom(size) for size in sizes]) for client in clients))
            count = len(clients) * len(sizes)
            self.assertEqual(self.protocol.sent, [(count, {})])
            self.assertEqual(
                self.protocol.received[0][1:], (clients[0].getsockname()[:2], host), "its source and destination"
            )
            port.stopListening()
            self.protocol = BatchedUpper()

    def test_longestOverIPv6(self) -> None:
        """
        The longest datagrams over IPv6 are answered.
        """
        client = self.client(self.listen(InetBinding(UDP, 0, "::1")))
        self.assertAnswered((client, [os.urandom(65527), b"x", os.urandom(65527)]))

    def test_fullBatch(self) -> None:
        """
        A full batch is answered: empty, tiny, and around the size of segments.
        """
        client = self.client(self.listen())
        for size in (0, 1, MAX_SEGMENT - 1, MAX_SEGMENT, MAX_SEGMENT + 1):
            self.assertAnswered((client, [os.urandom(size) for _ in range(64)]))

    def test_segmentationOffload(self) -> None:
        """
        Replies of the same size to one peer are sent by one system call, unless they are long or empty.
        """
        (opened,) = openSockets(InetBinding(UDP, 0))
        counting: Any = CountingSocket(opened.socket)
        port = self.adopt(BoundSocket(counting))
        self.assertAnswered(*((self.client(port), [b"x%d" % number for number in range(10)]) for _ in range(2)))
        self.assertEqual(counting.calls, ["sendmsg"] * 2)
        counting.calls.clear()
        self.assertAnswered((self.client(port), [bytes(MAX_SEGMENT + 1)] * 2 + [b""] * 2 + [bytes(MAX_SEGMENT)] * 2))
        self.assertEqual(counting.calls, ["sendto"] * 4 + ["sendmsg"])

    def test_noDatagrams(self) -> None:
        """
        A read without datagrams has no effect.
        """
        port = self.listen()
        for _ in range(3):
            port.doRead()
        self.assertEqual((self.protocol.received, self.protocol.sent, port.errors), ([], [], 0))
        self.assertServed(self.client(port))

    def test_noReplies(self) -> None:
        """
        C{repliesSent} is not called for datagrams without a reply.
        """
        self.protocol.requestReceived = lambda datagram, route: None
        client = self.client(self.listen())
        client.send(b"x")
        self.turn()
        self.assertEqual((self.protocol.sent, self.received(client)), ([], []))

    def test_writtenAtOnce(self) -> None:
        """
        A datagram that is written without a route is sent before the replies of the batch.
        """

        class Both(BatchedUpper):
            def requestReceived(self, datagram: bytes, route: Any) -> None:
                super().requestReceived(datagram, route)
                self.transport.write(b"at once", route.peer)

        self.protocol = Both()
        client = self.client(self.listen())
        for _ in range(2):
            client.send(b"words")
        self.turn()
        self.assertEqual(self.received(client), [b"at once"] * 2 + [b"WORDS"] * 2)

    def test_readsPerTurn(self) -> None:
        """
        At most 64 datagrams are read and answered in one turn of the reactor.
        """
        client = self.client(self.listen())
        for datagram in (b"", b"x"):
            for _ in range(100):
                client.send(datagram)
            for count in (64, 36, 0):
                self.turn()
                self.assertEqual((len(self.protocol.received), len(self.received(client))), (count, count))
                self.protocol.received.clear()

    def test_maxPacketSize(self) -> None:
        """
        Datagrams are cut to the C{maxPacketSize} that the protocol sets.
        """

        class Short(BatchedUpper):
            def startProtocol(self) -> None:
                self.transport.maxPacketSize = 3

        self.protocol = Short()
        client = self.client(self.listen())
        for datagram in (b"words", b"", b"abc"):
            client.send(datagram)
        self.turn()
        self.assertEqual(self.received(client), [b"WOR", b"", b"ABC"])

    def test_routeCacheIsLimited(self) -> None:
        """
        More peers and destinations than the route cache holds are answered, and the cache stays within its limit.
        """
        port = self.listen(InetBinding(UDP, 0, "0.0.0.0"))
        number = port.socket.getsockname()[1]
        client = self.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        client.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        client.bind(("0.0.0.0", 0))
        client.setblocking(False)
        for begin in range(0, MAX_ROUTES + 300, 64):
            sent = []
            for index in range(begin, begin + 64):
                asked, own = (bytes([127, net, index >> 8, index & 255]) for net in (1, 2))
                pktinfo = (socket.IPPROTO_IP, IP_PKTINFO, struct.pack("=I4s4s", 0, own, bytes(4)))
                client.sendmsg([asked + own], [pktinfo], 0, (socket.inet_ntoa(asked), number))
                sent.append(asked + own)
            self.turn()
            for expected in sent:
                datagram, ((_, _, pktinfo6),), _, (host, _) = client.recvmsg(100, 100)
                self.assertEqual(datagram, expected.upper())
                self.assertEqual(socket.inet_aton(host) + pktinfo6[8:12], expected)
            self.assertLessEqual(len(port._routes), MAX_ROUTES)  # type: ignore[attr-defined]

    @settings(deadline=None, max_examples=50)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 3),
                st.one_of(
                    st.sampled_from((0, 1, 2, MAX_SEGMENT - 1, MAX_SEGMENT, MAX_SEGMENT + 1)), st.integers(0, 3000)
                ),
            ),
            max_size=150,
        )
    )
    def test_anyDatagrams(self, sizes: list[tuple[int, int]]) -> None:
        """
        Each client receives its own datagrams in order, whatever the sizes are.
        """
        port = self.listen()
        clients = [self.client(port) for _ in range(4)]
        expected: list[list[bytes]] = [[] for _ in clients]
        output: list[list[bytes]] = [[] for _ in clients]
        for begin in range(0, len(sizes), 64):
            for client, size in sizes[begin : begin + 64]:
                datagram = os.urandom(size).upper()
                clients[client].send(datagram)
                expected[client].append(datagram)
            self.turn()
            for client, replies in enumerate(output):
                replies += self.received(clients[client])
        for opened in clients:
            opened.close()
        port.stopListening()
        self.assertTrue(output == expected)


class DestinationTests(BatchCase):
    """
    A reply leaves from the address that the request was sent to.
    """

    def test_wildcardSocket(self) -> None:
        """
        So it does on a wildcard socket within one batch. The protocol can read this address.
        """
        hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
        port = self.listen(InetBinding(UDP, 0, "0.0.0.0"))
        self.assertAnswered(*((self.client(port, host), [b"x", b"y", b"z", b"zz"]) for host in hosts))
        self.assertEqual([destination for _, _, destination in self.protocol.received], [*hosts] * 4)
        self.assertEqual(len(self.protocol.sent), 1)
        self.assertIsNone(port.destination)

    def test_onePeer(self) -> None:
        """
        A client that sends to several addresses gets a reply from each.
        """
        port: Any = self.listen(InetBinding(UDP, 0, "0.0.0.0"))
        client = self.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        client.bind(("127.0.0.1", 0))
        client.settimeout(5)
        hosts = ["127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.2", "127.0.0.3", "127.0.0.3"]
        for host in hosts:
            client.sendto(host.encode(), (host, port.getHost().port))
        self.turn()
        output = [client.recvfrom(100) for _ in hosts]
        self.assertEqual(
            [(datagram.decode(), host) for datagram, (host, _) in output], [(host, host) for host in hosts]
        )

    def test_wildcardSocketIPv6(self) -> None:
        """
        So it does over IPv6.
        """
        port = self.listen(InetBinding(UDP, 0, "::"))
        self.assertAnswered(*((self.client(port, "::1"), [b"x", b"y", b"zz"]) for _ in range(2)))
        self.assertEqual({destination for _, _, destination in self.protocol.received}, {"::1"})

    def test_dualStackSocket(self) -> None:
        """
        So it does on a dual-stack socket with both families in one batch.
        """
        port = self.dualStack()
        hosts = ["127.0.0.2", "::1", "127.0.0.3"]
        self.assertAnswered(*((self.client(port, host), [b"x", b"y", b"zz", b""]) for host in hosts))
        self.assertEqual([destination for _, _, destination in self.protocol.received], hosts * 4)

    def test_otherControlMessages(self) -> None:
        """
        So it does if the socket also delivers timestamps.
        """
        port = self.dualStack()
        port.socket.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS
        hosts = ["::1", "127.0.0.2"]
        self.assertAnswered(*((self.client(port, host), [b"x", b"y"]) for host in hosts))

    def test_linkLocalPeers(self) -> None:
        """
        A link-local peer is identified with its link and answered on it.
        """
        address = None
        with open("/proc/net/if_inet6") as addresses:  # noqa: PTH123
            for line in addresses:
                data, number, _, _, _, _ = line.split()
                if data.startswith("fe80"):
                    address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(data)), int(number, 16)
        if address is None:
            self.skipTest("this host has no link-local address")
        host, link = address
        port: Any = self.listen(InetBinding(UDP, 0, "::"))
        client = self.keep(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        client.setblocking(False)
        client.bind((host, 0, 0, link))
        client.connect((host, port.getHost().port, 0, link))
        self.assertAnswered((client, [b"x", b"y"]))
        source = f"{host}%{link}", client.getsockname()[1]
        self.assertEqual([came[1:] for came in self.protocol.received], [(source, host)] * 2)

    def test_laterDatagramsHaveNoFixedSource(self) -> None:
        """
        The kernel chooses the source address of a datagram that is sent outside of a batch.
        """
        port = self.listen(InetBinding(UDP, 0, "0.0.0.0"))
        self.assertAnswered((self.client(port, "127.0.0.2"), [b"x", b"y"]))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            other.settimeout(5)
            port.write(b"news", other.getsockname())
            datagram, (host, _) = other.recvfrom(10)
        self.assertEqual((datagram, host), (b"news", "127.0.0.1"))


class FaultTests(BatchCase):
    """
    No error of a system call or of the protocol closes the port or loses another datagram.
    """

    def test_segmentationNotSupported(self) -> None:
        """
        Where the kernel has no segmentation offload, each reply is sent by itself, once, and offload is not tried
        again.
        """
        for number in (errno.EIO, errno.EINVAL, errno.EOPNOTSUPP, errno.EMSGSIZE):
            faults = [number] * 2
            port = self.listen(sendmsg=faults)
            client = self.client(port)
            self.protocol.sent.clear()
            for _ in range(2):
                self.assertAnswered((client, [b"x", b"y", b"z"]))
            self.assertEqual((faults, self.protocol.sent), ([number], [(3, {})] * 2))
            port.stopListening()

    def test_segmentationNotSupportedForSeveralClients(self) -> None:
        """
        So it is with several clients in the batch.
        """
        port = self.listen(sendmsg=[errno.EIO] * 2)
        for _ in range(2):
            self.assertAnswered(*((self.client(port), [b"x", b"y", b"z"]) for _ in range(2)))
        self.assertEqual(self.protocol.sent, [(6, {})] * 2)

    def test_refusedByOne(self) -> None:
        """
        A peer that refuses its replies together and one by one does not end the sending of several by one call.
        """
        faults = [errno.ECONNREFUSED]
        client = self.client(self.listen(sendmsg=faults, sendto=[errno.ECONNREFUSED] * 3))
        for datagram in (b"x", b"y", b"z"):
            client.send(datagram)
        self.turn()
        self.assertEqual(self.protocol.sent, [(3, dict.fromkeys(range(3), errno.ECONNREFUSED))])
        faults.append(errno.EAGAIN)
        self.assertAnswered((client, [b"x", b"y", b"z"]))
        self.assertEqual(faults, [])

    def test_segmentationFails(self) -> None:
        """
        When one call cannot send all segments, they are sent one by one. The next batch tries one call again.
        """
        faults = [errno.EAGAIN]
        client = self.client(self.listen(sendmsg=faults))
        self.assertAnswered((client, [b"x", b"y", b"z"]))
        faults.append(errno.EAGAIN)
        self.assertAnswered((client, [b"x", b"y", b"z"]))
        self.assertEqual((faults, self.protocol.sent), ([], [(3, {})] * 2))

    def test_failuresByToken(self) -> None:
        """
        C{repliesSent} gets the tokens of the failed replies. The others are sent.
        """
        port = self.listen(sendmsg=[errno.EAGAIN], sendto=[errno.EPERM, errno.ENOBUFS])
        first, second = self.client(port), self.client(port)
        for number in range(3):
            first.send(b"a%d" % number)
            second.send(b"b%d" % number)
        self.turn()
        self.assertEqual(self.protocol.sent, [(6, {0: errno.EPERM, 2: errno.ENOBUFS})])
        self.assertEqual(self.received(first), [b"A2"])
        self.assertEqual(self.received(second), [b"B0", b"B1", b"B2"])
        self.assertServed(first)
        self.assertEqual(self.protocol.sent[1:], [(1, {})])

    def test_receiveErrors(self) -> None:
        """
        ICMP errors are counted, and the next datagram is served.
        """
        port = self.listen()
        port.socket.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        client = self.client(port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            gone.bind(("127.0.0.1", 0))
            nobody = gone.getsockname()
        port.write(b"words", nobody)
        client.send(b"words")
        port.doRead()
        self.assertEqual((port.errors, port.connected), (1, True))
        self.assertEqual(self.received(client), [b"WORDS"])

    def test_persistentReceiveErrors(self) -> None:
        """
        Persistent receive errors do not block the reactor, and the port recovers.
        """
        faults: list[int] = []
        port = self.listen(fileno=faults)
        client = self.client(port)
        client.send(b"words")
        faults += [errno.ENOMEM] * 1000
        port.doRead()
        self.assertEqual((port.errors, len(faults), self.protocol.received), (64, 936, []))
        faults.clear()
        self.turn()
        self.assertEqual(self.received(client), [b"WORDS"])

    def test_protocolRaises(self) -> None:
        """
        An exception of C{requestReceived} is logged in one line, and the rest of the batch is answered.
        """

        class Broken(BatchedUpper):
            def requestReceived(self, datagram: bytes, route: Any) -> None:
                if datagram == b"zero":
                    raise ZeroDivisionError("on\npurpose")
                super().requestReceived(datagram, route)

        self.protocol = Broken()
        client = self.client(self.listen())
        for datagram in (b"a", b"zero", b"b", b"zero", b"c"):
            client.send(datagram)
        with capturedLogs() as events:
            self.turn()
        self.assertEqual(self.received(client), [b"A", b"B", b"C"])
        self.assertEqual(self.protocol.sent, [(3, {})])
        self.assertEqual(len(events), 2)
        self.assertRegex(formatEvent(events[0]), r"^Broken raised ZeroDivisionError.*purpose.* at \S+:\d+$")

    def test_repliesSentRaises(self) -> None:
        """
        So is an exception of C{repliesSent}.
        """

        class Broken(BatchedUpper):
            def repliesSent(self, tokens: list[Any], failures: list[tuple[Any, Exception]]) -> None:
                raise ZeroDivisionError

        self.protocol = Broken()
        port = self.listen()
        client = self.client(port)
        client.send(b"a")
        with capturedLogs() as events:
            port.doRead()
        self.assertEqual((self.received(client), len(events), port.connected), ([b"A"], 1, True))

    def test_repliesOfTheWrongType(self) -> None:
        """
        A reply that is not bytes is dropped. The others are sent.
        """

        class Broken(BatchedUpper):
            def requestReceived(self, datagram: bytes, route: Any) -> None:
                self.reply(route, datagram.decode() if datagram == b"b" else datagram)

        self.protocol = Broken()
        port = self.listen()
        client = self.client(port)
        for datagram in (b"a", b"b", b"c"):
            client.send(datagram)
        port.doRead()
        self.assertEqual((self.received(client), port.connected), ([b"a", b"c"], True))


class StopTests(BatchCase):
    """
    C{stopListening}.
    """

    def test_waitingDatagramsAreServed(self) -> None:
        """
        Datagrams in the socket's queue are answered first, also if they are more than one batch.
        """
        port = self.listen()
        client = self.client(port)
        sent = [b"%d" % number for number in range(200)]
        for datagram in sent:
            client.send(datagram)
        self.successResultOf(port.stopListening())
        self.assertEqual(self.received(client), sent)
        self.assertEqual((port.fileno(), port.connected, self.protocol.running), (-1, False, 0))
        self.assertQuiet()

    def stopping(self, count: int, stop: Callable[[bytes], bool]) -> list[bytes]:
        """
        Send datagrams to a protocol that stops its port at some of them. @return: the replies.
        """

        class Last(BatchedUpper):
            def requestReceived(self, datagram: bytes, route: Any) -> None:
                super().requestReceived(datagram, route)
                if stop(datagram):
                    self.transport.stopListening()

        self.protocol = Last()
        port = self.listen()
        client = self.client(port)
        for number in range(count):
            client.send(b"%d" % number)
        with capturedLogs() as events:
            self.turn(3)
        self.assertEqual((events, port.fileno(), port.connected, self.protocol.running), ([], -1, False, 0))
        self.assertQuiet()
        self.assertEqual(sum(sent for sent, _ in self.protocol.sent), count)
        self.assertEqual({len(faults) for _, faults in self.protocol.sent}, {0})
        self.assertEqual(len(self.protocol.received), count)
        return self.received(client)

    def test_protocolStopsThePort(self) -> None:
        """
        A protocol may stop its port within a batch. The rest, and what waits in the kernel, is answered once.
        """
        for number in (b"0", b"10", b"63", b"64", b"149"):
            output = self.stopping(150, number.__eq__)
            self.assertEqual(sorted(output, key=int), [b"%d" % number for number in range(150)])

    def test_protocolStopsThePortEachTime(self) -> None:
        """
        It may do so at every datagram.
        """
        output = self.stopping(100, lambda datagram: True)
        self.assertEqual(sorted(output, key=int), [b"%d" % number for number in range(100)])

    def test_replyAfterTheStop(self) -> None:
        """
        A reply that is sent after the stop is reported as failed. The others are sent.
        """

        class Last(BatchedUpper):
            def requestReceived(self, datagram: bytes, route: Any) -> None:
                if datagram == b"1":
                    self.transport.stopListening()
                self.reply(route, datagram)

        self.protocol = Last()
        port = self.listen()
        client = self.client(port)
        for number in range(4):
            client.send(b"%d" % number)
        port.doRead()
        self.assertEqual(self.received(client), [b"0", b"2", b"3"])
        self.assertEqual([(count, len(faults)) for count, faults in self.protocol.sent], [(3, 0), (1, 1)])

    def test_stopInRepliesSent(self) -> None:
        """
        The protocol may stop its port in C{repliesSent}.
        """

        class Last(BatchedUpper):
            def repliesSent(self, tokens: list[Any], failures: list[tuple[Any, Exception]]) -> None:
                super().repliesSent(tokens, failures)
                if self.transport is not None:
                    self.transport.stopListening()

        self.protocol = Last()
        port = self.listen()
        client = self.client(port)
        for _ in range(100):
            client.send(b"x")
        self.turn()
        self.assertEqual(self.received(client), [b"X"] * 100)
        self.assertEqual((sum(count for count, _ in self.protocol.sent), port.fileno()), (100, -1))
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


class EndpointTests(BatchCase):
    """
    The endpoint's choice of port.
    """

    def kind(self, protocol: Any, binding: Any) -> type:
        """
        The class of the port for a protocol.
        """
        port: Any = self.successResultOf(DatagramEndpoint(self.reactor, binding).listen(protocol))
        self.successResultOf(port.stopListening())
        return type(port)

    def test_kinds(self) -> None:
        """
        A protocol with C{repliesSent} gets a batched port over UDP. Any other gets a plain port.
        """
        udp, unix = InetBinding(UDP, 0), UnixBinding(UNIXGRAM, str(self.folder / "socket"))
        self.assertIs(self.kind(BatchedUpper(), udp), BatchedUDPPort)
        self.assertIs(self.kind(DatagramResponder(Echo), udp), BatchedUDPPort)
        self.assertIs(self.kind(DatagramProtocol(), udp), UDPPort)
        self.assertIs(self.kind(UpperDatagrams(), udp), UDPPort)
        self.assertIs(self.kind(BatchedUpper(), unix), DatagramPort)


class ResponderCase(BatchCase):
    """
    A test of L{DatagramResponder} on a batched port.
    """

    def setUp(self) -> None:
        """
        Make the census.
        """
        super().setUp()
        self.census = Census(fixedEnvironment())
        self.visits: list[Visit] = []

    def respond(self, responder: Any, recorded: bool = True, **limits: Any) -> None:
        """
        Use this responder.
        """
        record = self.visits.append if recorded else None
        self.protocol = DatagramResponder(responder, Policy(**limits), record, Clock(), self.census)

    def counted(self) -> list[tuple[int, int, int, Outcome]]:
        """
        Check that each datagram has one visit. @return: the serial number, bytes received, bytes sent and outcome of
        each.
        """
        counted = sorted((visit.serial, visit.received, visit.sent, visit.outcome) for visit in self.visits)
        self.assertEqual([serial for serial, *_ in counted], list(range(1, len(counted) + 1)))
        outcomes = [outcome for *_, outcome in counted]
        self.assertEqual(self.census.outcomes, {outcome: outcomes.count(outcome) for outcome in outcomes})
        return counted


class DatagramResponderTests(ResponderCase):
    """
    Each datagram is counted once, under one outcome, when the fate of its reply is known.
    """

    def test_recorded(self) -> None:
        """
        Each datagram has one visit.
        """
        self.respond(Echo)
        port = self.listen()
        clients = [self.client(port) for _ in range(2)]
        for size in (3, 3, 4, 0):
            for client in clients:
                client.send(b"x" * size)
        self.turn()
        sizes = [3, 3, 3, 3, 4, 4, 0, 0]
        self.assertEqual(self.counted(), [(number + 1, size, size, Outcome.DONE) for number, size in enumerate(sizes)])
        peers = [visit.peer for visit in sorted(self.visits, key=lambda visit: visit.serial)]
        self.assertEqual([peer.port for peer in peers], [client.getsockname()[1] for client in clients] * 4)  # type: ignore[union-attr]

    def test_unrecorded(self) -> None:
        """
        Without a recorder they are counted.
        """
        self.respond(Echo, recorded=False)
        client = self.client(self.listen(sendmsg=[errno.EAGAIN], sendto=[errno.EPERM]))
        for count in (3, 70):
            for _ in range(count):
                client.send(b"x")
            self.turn(2)
        self.assertEqual(len(self.received(client)), 72)
        self.assertEqual(self.census.outcomes, {Outcome.DONE: 72, Outcome.UNSENT: 1})

    def test_noReply(self) -> None:
        """
        A datagram without a reply is counted.
        """
        self.respond(Discard)
        client = self.client(self.listen())
        client.send(b"xy")
        self.turn()
        self.assertEqual(self.counted(), [(1, 2, 0, Outcome.DONE)])

    def test_unsent(self) -> None:
        """
        A reply that the kernel rejects is counted as unsent with 0 bytes. The others are not affected.
        """
        self.respond(Echo)
        port = self.listen(sendmsg=[errno.EAGAIN], sendto=[errno.EPERM, errno.ENOBUFS])
        first, second = self.client(port), self.client(port)
        for _ in range(3):
            first.send(b"aa")
            second.send(b"bb")
        with capturedLogs() as events:
            self.turn()
        lost = {1, 3}
        self.assertEqual(
            self.counted(),
            [
                (number, 2, 0 if number in lost else 2, Outcome.UNSENT if number in lost else Outcome.DONE)
                for number in range(1, 7)
            ],
        )
        self.assertEqual(len(events), 1, "one line for many")
        self.assertIn("unsent", formatEvent(events[0]))
        self.assertEqual((self.received(first), self.received(second)), ([b"aa"], [b"bb"] * 3))

    def test_dropped(self) -> None:
        """
        Dropped datagrams between others are counted under their own reason.
        """
        self.respond(Echo, udpMax=10)
        client = self.client(self.listen())
        for size in (1, 11, 1, 12, 10):
            client.send(bytes(size))
        self.turn()
        done, long = Outcome.DONE, Outcome.TOO_LONG
        self.assertEqual(
            self.counted(), [(1, 1, 1, done), (2, 11, 0, long), (3, 1, 1, done), (4, 11, 0, long), (5, 10, 10, done)]
        )
        self.assertEqual([len(reply) for reply in self.received(client)], [1, 1, 10])

    def test_notBytes(self) -> None:
        """
        A reply that is not bytes is an error. The others are sent.
        """

        class Words(Echo):
            def answer(self, message: bytes) -> Any:
                return "words" if message == b"words" else message

        self.respond(Words)
        port = self.listen()
        client = self.client(port)
        for datagram in (b"a", b"words", b"b"):
            client.send(datagram)
        port.doRead()
        self.assertEqual(self.received(client), [b"a", b"b"])
        self.assertEqual(self.counted(), [(1, 1, 1, Outcome.DONE), (2, 5, 0, Outcome.ERROR), (3, 1, 1, Outcome.DONE)])

    def test_recorderThatRaises(self) -> None:
        """
        A recorder that raises loses no datagram.
        """

        def record(visit: Visit) -> None:
            self.visits.append(visit)
            raise ZeroDivisionError

        self.protocol = DatagramResponder(Echo, record=record, clock=Clock(), census=self.census)
        port = self.listen()
        client = self.client(port)
        for _ in range(3):
            client.send(b"a")
        with capturedLogs():
            port.doRead()
        self.assertEqual((self.received(client), len(self.counted()), port.connected), ([b"a"] * 3, 3, True))

    def test_responderStopsThePort(self) -> None:
        """
        Each datagram is counted once if the responder stops the port.
        """
        port: Any = None

        class Stop(Echo):
            def answer(self, message: bytes) -> bytes:
                if message == b"1":
                    port.stopListening()
                return message

        self.respond(Stop)
        port = self.listen()
        client = self.client(port)
        for number in range(4):
            client.send(b"%d" % number)
        port.doRead()
        self.assertEqual(self.received(client), [b"0", b"2", b"3"])
        self.assertEqual([outcome for *_, outcome in self.counted()].count(Outcome.UNSENT), 1)


class Route:
    """
    A route that records the replies.
    """

    peer, destination = ("127.0.0.1", 40000), None

    def __init__(self) -> None:
        self.replies: list[tuple[bytes, object]] = []

    def send(self, datagram: bytes, token: object) -> None:
        """
        Record the reply.
        """
        self.replies.append((datagram, token))


class RepliesSentTests(SynchronousTestCase):
    """
    L{DatagramResponder.repliesSent} without a port.
    """

    def test_reportsLater(self) -> None:
        """
        A transport may report replies later, in parts and in any order. Nothing is counted before.
        """
        transport: Any = FakeDatagramTransport()
        census = Census(fixedEnvironment())
        visits: list[Visit] = []
        protocol = DatagramResponder(Echo, record=visits.append, clock=Clock(), census=census)
        protocol.makeConnection(transport)
        route = Route()
        for datagram in (b"a", b"bb", b"ccc", b"dddd"):
            protocol.requestReceived(datagram, route)
        self.assertEqual((census.outcomes, visits), ({}, []))
        (_, first), (_, second), (_, third), (_, fourth) = route.replies
        protocol.repliesSent([second], [(third, OSError(errno.EPERM, "no"))])
        protocol.repliesSent([fourth, first], [])
        protocol.doStop()
        self.assertEqual([reply for reply, _ in route.replies], [b"a", b"bb", b"ccc", b"dddd"])
        self.assertEqual(census.outcomes, {Outcome.DONE: 3, Outcome.UNSENT: 1})
        self.assertEqual([(visit.serial, visit.sent) for visit in visits], [(2, 2), (3, 0), (4, 4), (1, 1)])
