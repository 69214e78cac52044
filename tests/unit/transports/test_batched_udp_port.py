"""
A port that receives and sends UDP datagrams in batches. L{tests.unit.transports.test_datagram_port} tests the behaviour
that it shares with the port that receives and sends one datagram at a time.
"""

from __future__ import annotations

import errno
import gc
import os
import socket
import struct
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import succeed
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import Clock
from twisted.internet.testing import FakeDatagramTransport
from twisted.logger import capturedLogs, formatEvent

from sockservices import Census, DatagramResponder, Outcome, Policy, Visit
from sockservices.conversation.transport import Transport
from sockservices.responders import Echo
from sockservices.transports.batched_udp_port import BatchedUDPPort
from sockservices.transports.bindings import InetBinding, UnixBinding
from sockservices.transports.datagram_port import MAX_ROUTES, DatagramPort, PortRoute, UDPPort
from sockservices.transports.endpoints import DatagramEndpoint
from sockservices.transports.pktinfo import IP_PKTINFO
from sockservices.transports.reply_sender import MAX_SEGMENT
from tests.support.datagram_ports import BatchCase, BatchedUpper, UpperDatagrams, udpSocket
from tests.support.peer import fixedEnvironment

DONE, UNSENT = Outcome.DONE, Outcome.UNSENT

#: The sizes in bytes at which the way of sending changes.
SIZES = (0, 1, MAX_SEGMENT - 1, MAX_SEGMENT, MAX_SEGMENT + 1)


class ReplyTests(BatchCase):
    """
    Replies in batches.
    """

    def test_portClass(self) -> None:
        """
        A protocol that replies through routes gets a batched port over UDP. Any other gets a plain port.
        """
        udp = InetBinding(Transport.UDP, 0)
        unix = UnixBinding(Transport.UNIXGRAM, str(self.folder / "socket"))
        table: list[tuple[Any, Any, type]] = [
            (BatchedUpper(), udp, BatchedUDPPort),
            (DatagramResponder(Echo), udp, BatchedUDPPort),
            (DatagramProtocol(), udp, UDPPort),
            (UpperDatagrams(), udp, UDPPort),
            (BatchedUpper(), unix, DatagramPort),
        ]
        for protocol, binding, portClass in table:
            port: Any = self.successResultOf(DatagramEndpoint(self.reactor, binding).listen(protocol))
            self.successResultOf(port.stopListening())
            self.assertIs(type(port), portClass)

    def test_sizes(self) -> None:
        """
        Datagrams of every size from several clients are answered whole, to the right client, in order, and reported
        together.
        """
        sizes = (0, 1, 1, 1, MAX_SEGMENT, MAX_SEGMENT, MAX_SEGMENT, MAX_SEGMENT + 1, MAX_SEGMENT + 1, 0, 1, 65507)
        for interface, host in (("127.0.0.1",) * 2, ("0.0.0.0", "127.0.0.1"), ("::1",) * 2, ("::", "::1")):
            port = self.listen(interface)
            clients = [self.client(port, host) for _ in range(3)]
            self.protocol.sent.clear()
            self.assertAnswered(*((client, [os.urandom(size) for size in sizes]) for client in clients))
            self.assertEqual(self.protocol.sent, [(len(clients) * len(sizes), {})])

    @settings(deadline=None, max_examples=50)
    @given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(SIZES) | st.integers(0, 3000)), max_size=150))
    def test_anyDatagrams(self, sizes: list[tuple[int, int]]) -> None:
        """
        Each client receives its own datagrams in order, for any sizes.
        """
        port = self.listen()
        clients = [self.client(port) for _ in range(4)]
        for begin in range(0, len(sizes), 64):
            conversations: list[tuple[socket.socket, list[bytes]]] = [(client, []) for client in clients]
            for number, size in sizes[begin : begin + 64]:
                client, sent = conversations[number]
                sent.append(os.urandom(size).upper())
                client.send(sent[-1])
            self.turn()
            for client, sent in conversations:
                self.assertTrue(self.arrived(client) == sent)
        for client in clients:
            client.close()

    def test_segmentationOffload(self) -> None:
        """
        Replies of the same size to one peer are sent in as few messages as the kernel allows, unless they are empty or
        longer than a segment.
        """
        port = self.listen()
        first, second = self.client(port), self.client(port)
        for size, count, messages in (
            (1, 2, 1),
            (1, 64, 1),
            (MAX_SEGMENT, 2, 1),
            (MAX_SEGMENT, 64, 2),
            (MAX_SEGMENT + 1, 2, 2),
            (MAX_SEGMENT + 1, 64, 64),
            (0, 64, 64),
        ):
            for clients in ([first], [first, second]):
                if count * len(clients) <= 64:
                    self.sender.calls.clear()
                    self.assertAnswered(*((client, [os.urandom(size) for _ in range(count)]) for client in clients))
                    self.assertEqual(sum(self.sender.calls), messages * len(clients), (size, count))

    def test_manyPeers(self) -> None:
        """
        The replies to many peers are sent by one system call, from the address that each datagram was sent to.
        """
        for interface, hosts in (
            ("127.0.0.1", ["127.0.0.1"]),
            ("0.0.0.0", ["127.0.0.1", "127.0.0.2", "127.1.2.3"]),
            ("::", ["::1"]),
        ):
            port = self.listen(interface)
            clients = [self.client(port, host) for host in hosts * (60 // len(hosts))]
            self.assertAnswered(*((client, [b"%d" % number]) for number, client in enumerate(clients)))
            self.assertEqual((self.sender.calls, self.protocol.sent.pop()), ([60], (60, {})))

    def test_oneAfterAnother(self) -> None:
        """
        Datagrams that arrive one at a time are answered without a batch. When more arrive together, the port receives
        batches again within a few turns, and each datagram is answered in order.
        """
        port = self.listen()
        self.sender.minMessages = 2
        client = self.client(port)
        for _ in range(100):
            self.assertServed(client)
        self.assertEqual(self.sender.calls, [])
        sent = [b"%d" % number for number in range(40)]
        self.assertEqual(self.exchange(client, *sent, turns=10), sent)
        self.assertNotEqual(self.sender.calls, [])
        self.assertServed(client)
        self.assertServed(client)
        for datagram in sent:
            client.send(datagram)
        self.successResultOf(port.stopListening())
        self.assertEqual(self.arrived(client), sent)

    def test_noReplies(self) -> None:
        """
        C{repliesSent} is not called if there are no datagrams, or no replies.
        """
        self.react(lambda datagram, reply: None)
        port = self.listen()
        port.doRead()
        self.assertEqual(self.exchange(self.client(port), b"x"), [])
        self.assertEqual((self.protocol.sent, port.errors), ([], 0))

    def test_writeDuringABatch(self) -> None:
        """
        A datagram that is written without a route is sent before the replies of the batch.
        """

        def reaction(datagram: bytes, reply: Any) -> None:
            reply()
            self.protocol.transport.write(b"first", client.getsockname())

        self.react(reaction)
        client = self.client(self.listen())
        self.assertEqual(self.exchange(client, b"hello", b"hello"), [b"first"] * 2 + [b"HELLO"] * 2)

    def test_morePeersThanRoutes(self) -> None:
        """
        More peers and destinations than the port keeps routes for are answered. It keeps no more routes than allowed.
        """
        port = self.listen("0.0.0.0")
        number = port.socket.getsockname()[1]
        client = self.closeLater(udpSocket("0.0.0.0"))
        client.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        for begin in range(0, MAX_ROUTES + 300, 64):
            sent = []
            for index in range(begin, begin + 64):
                destination, source = (bytes([127, net, index >> 8, index & 255]) for net in (1, 2))
                pktinfo = (socket.IPPROTO_IP, IP_PKTINFO, struct.pack("=I4s4s", 0, source, bytes(4)))
                client.sendmsg([destination + source], [pktinfo], 0, (socket.inet_ntoa(destination), number))
                sent.append(destination + source)
            self.turn()
            for expected in sent:
                datagram, ((_, _, received),), _, (host, _) = client.recvmsg(100, 100)
                self.assertEqual(datagram, expected.upper())
                self.assertEqual(socket.inet_aton(host) + received[8:12], expected)
        peerPort = client.getsockname()[1]
        routes = [each for each in gc.get_objects() if isinstance(each, PortRoute) and each.peer[1] == peerPort]
        self.assertEqual(len(routes), MAX_ROUTES)


class FaultTests(BatchCase):
    """
    No error of a system call or of the protocol closes the port or loses another datagram.
    """

    def test_segmentationNotSupported(self) -> None:
        """
        Without segmentation offload in the kernel, each reply is sent by itself, once; offload is not tried again.
        """
        for number in (errno.EIO, errno.EINVAL, errno.EOPNOTSUPP, errno.EMSGSIZE):
            for count in (1, 2):
                port = self.listen()
                self.sender.refusals = [dict.fromkeys(range(count), number)]
                clients = [self.client(port) for _ in range(count)]
                self.protocol.sent.clear()
                for _ in range(2):
                    self.assertAnswered(*((client, [b"x", b"y", b"z"]) for client in clients))
                self.assertEqual((self.sender.calls, self.protocol.sent), ([count, 3 * count], [(3 * count, {})] * 2))

    def test_segmentationFailsOnce(self) -> None:
        """
        When one message fails to send all segments, they are sent one by one. The next batch tries one message again,
        also after a peer has refused its replies together and one by one.
        """
        client = self.client(self.listen(sendto=[errno.ECONNREFUSED] * 3))
        self.sender.refusals = [{0: errno.ECONNREFUSED}, {0: errno.EAGAIN}]
        self.assertEqual(self.exchange(client, b"x", b"y", b"z"), [])
        self.assertEqual(self.protocol.sent, [(3, dict.fromkeys(range(3), errno.ECONNREFUSED))])
        for _ in range(3):
            self.assertAnswered((client, [b"x", b"y", b"z"]))
            self.assertEqual((self.sender.calls.pop(), self.protocol.sent.pop()), (1, (3, {})))

    def test_failuresByToken(self) -> None:
        """
        C{repliesSent} gets the tokens of the failed replies. The others are sent.
        """
        port = self.listen(sendto=[errno.EPERM, errno.ENOBUFS])
        self.sender.refusals = [{0: errno.EAGAIN}, {1: errno.EPERM}]
        first, second = self.client(port), self.client(port)
        for number in range(3):
            first.send(b"a%d" % number)
            second.send(b"b%d" % number)
        self.turn()
        self.assertEqual(self.protocol.sent, [(6, {0: errno.EPERM, 2: errno.ENOBUFS})])
        self.assertEqual((self.arrived(first), self.arrived(second)), ([b"A2"], [b"B0", b"B1", b"B2"]))
        first.send(b"a")
        self.assertEqual((self.exchange(second, b"b"), self.arrived(first)), ([], [b"A"]))
        self.assertServed(first)
        self.assertEqual(self.protocol.sent[1:], [(2, {1: errno.EPERM}), (1, {})])

    def test_fewMessages(self) -> None:
        """
        A few messages are sent with a system call each. Where the kernel refuses one, its replies are sent one by one.
        If it then accepts them, and its send buffer was not full, each reply is a message from then on.
        """
        together, single = list[int](), list[int]()
        client = self.client(self.listen(sendmsg=together, sendto=single))
        self.sender.minMessages = 8
        full, refused, unsupported = errno.EAGAIN, errno.EPERM, errno.EIO
        for errors, singleErrors, faults in (
            ([], [], {}),
            ([full], [], {}),
            ([full], [refused], {0: refused}),
            ([refused], [refused] * 3, {0: refused, 1: refused, 2: refused}),
            ([0, refused], [], {3: refused}),
            ([unsupported], [], {}),
        ):
            together += errors
            single += singleErrors
            sent = [b"A", b"B", b"C", b"LONG"]
            expected = [datagram for token, datagram in enumerate(sent) if token not in faults]
            self.assertEqual(self.exchange(client, *sent), expected)
            self.assertEqual((self.protocol.sent.pop(), together, single), ((4, faults), [], []))
        together.append(refused)
        self.assertAnswered((client, [b"x", b"y"]))
        self.assertEqual((together, self.sender.calls), ([refused], []))

    def test_repliesSentRaises(self) -> None:
        """
        An exception of C{repliesSent} is logged in one line.
        """

        def fail(tokens: list[Any], failures: list[tuple[Any, Exception]]) -> None:
            raise ZeroDivisionError

        self.protocol.repliesSent = fail
        client = self.client(self.listen())
        with capturedLogs() as events:
            self.assertServed(client)
        self.assertEqual(len(events), 1)
        self.assertServed(client)

    def test_repliesOfTheWrongType(self) -> None:
        """
        A reply that is not bytes is dropped. The others are sent.
        """
        reply = self.protocol.reply
        self.protocol.reply = lambda route, data: reply(route, "text" if data == b"B" else data)
        client = self.client(self.listen())
        self.assertEqual(self.exchange(client, b"a", b"b", b"c"), [b"A", b"C"])
        self.assertServed(client)

    def test_repliesOfMoreBytesThanABatch(self) -> None:
        """
        A reply that is longer than all buffers is reported as failed. The others are sent, and the port stays open.
        """
        reply = self.protocol.reply
        self.protocol.reply = lambda route, data: reply(route, bytes(5 << 20) if data == b"B" else data)
        client = self.client(self.listen())
        self.assertEqual(self.exchange(client, b"a", b"b", b"long"), [b"A", b"LONG"])
        self.assertEqual(self.protocol.sent, [(3, {1: errno.EMSGSIZE})])
        self.assertServed(client)


class StopTests(BatchCase):
    """
    C{stopListening} while replies are pending.
    """

    def test_replyAfterTheStop(self) -> None:
        """
        A reply that is sent after the stop is reported as failed. The others are sent.
        """

        def reaction(datagram: bytes, reply: Any) -> None:
            if datagram == b"1":
                self.protocol.transport.stopListening()
            reply()

        self.react(reaction)
        self.assertEqual(self.exchange(self.client(self.listen()), b"0", b"1", b"2", b"3"), [b"0", b"2", b"3"])
        self.assertEqual([(count, len(faults)) for count, faults in self.protocol.sent], [(3, 0), (1, 1)])

    def test_stopInRepliesSent(self) -> None:
        """
        The protocol may stop its port in C{repliesSent}. Queued datagrams are served first.
        """
        record = self.protocol.repliesSent

        def stop(tokens: list[Any], failures: list[tuple[Any, Exception]]) -> None:
            record(tokens, failures)
            port.stopListening()

        self.protocol.repliesSent = stop
        port = self.listen()
        self.assertEqual(self.exchange(self.client(port), *[b"x"] * 100), [b"X"] * 100)
        self.assertEqual((sum(count for count, _ in self.protocol.sent), port.fileno()), (100, -1))
        self.assertQuiet()


class ResponderTests(BatchCase):
    """
    L{DatagramResponder}: each datagram is counted once, under one outcome, when the port has reported its reply.
    """

    def setUp(self) -> None:
        """
        Make the census.
        """
        super().setUp()
        self.census = Census(fixedEnvironment())
        self.visits: list[Visit] = []

    def assertVisits(self, *expected: tuple[int, int, Outcome]) -> None:
        """
        Check the bytes received, the bytes sent and the outcome of each visit, in the order of their serial numbers.
        The census has counted the same outcomes.
        """
        visits = sorted(self.visits, key=lambda visit: visit.serial)
        self.assertEqual([visit.serial for visit in visits], list(range(1, len(expected) + 1)))
        self.assertEqual([(visit.received, visit.sent, visit.outcome) for visit in visits], [*expected])
        outcomes = [outcome for _, _, outcome in expected]
        self.assertEqual(self.census.outcomes, {outcome: outcomes.count(outcome) for outcome in outcomes})

    def test_batch(self) -> None:
        """
        Datagrams that are dropped, raise an error, need no reply, or whose reply the kernel rejects are counted between
        others, also if the recorder raises.
        """

        class Mixed(Echo):
            def answer(self, message: bytes) -> Any:
                return {b"text": "text", b"none": None}.get(message, message)

        def record(visit: Visit) -> None:
            self.visits.append(visit)
            raise ZeroDivisionError

        self.protocol = DatagramResponder(Mixed, Policy(udpMax=10), record, Clock(), self.census)
        client = self.client(self.listen())
        self.sender.refusals = [{0: errno.EPERM}]
        with capturedLogs() as events:
            self.assertEqual(self.exchange(client, b"a", bytes(11), b"text", b"none", b"bb"), [b"bb"])
        long, error = (11, 0, Outcome.TOO_LONG), (4, 0, Outcome.ERROR)
        self.assertVisits((1, 0, UNSENT), long, error, (4, 0, DONE), (2, 2, DONE))
        peers: list[Any] = [visit.peer for visit in self.visits]
        self.assertEqual({(peer.host, peer.port) for peer in peers}, {client.getsockname()})
        self.assertEqual(sum("not answered: unsent" in str(formatEvent(event)) for event in events), 1)

    def test_responderStopsThePort(self) -> None:
        """
        A responder may stop the port, which then serves what is queued, with replies at once or later. Each datagram
        gets its own reply only, and C{ended} of each responder is called once.
        """

        class Stopping(Echo):
            def answer(self, message: bytes) -> Any:
                self.data = message
                if message != b"stop":
                    return succeed(message) if waits else message
                before = self.conversation.peer
                port.stopListening()
                kept.append(self.conversation.peer == before)
                return message

            def ended(self, outcome: Outcome) -> None:
                ended.append((self.data, outcome))

        for waits in (False, True):  # noqa: B007 (Stopping reads it)
            ended, kept = list[tuple[bytes, Outcome]](), list[bool]()
            self.census, self.visits = Census(fixedEnvironment()), []
            self.protocol = DatagramResponder(Stopping, Policy(), self.visits.append, Clock(), self.census)
            port = self.listen()
            clients = [self.client(port) for _ in range(3)]
            for client, datagram in zip(clients, (b"a", b"stop", b"ccc"), strict=True):
                client.send(datagram)
            self.turn()
            self.assertEqual([self.arrived(client) for client in clients], [[b"a"], [], [b"ccc"]])
            self.assertVisits((1, 1, DONE), (4, 0, UNSENT), (3, 3, DONE))
            self.assertEqual(sorted(ended), [(b"a", DONE), (b"ccc", DONE), (b"stop", UNSENT)])
            self.assertEqual(kept, [True])

    def test_delayedReports(self) -> None:
        """
        A transport may report replies later, in parts and in any order. No reply is counted before its report.
        """

        class Route:
            peer, destination, source = ("127.0.0.1", 40000), None, None
            replies: list[tuple[bytes, object]] = []  # noqa: RUF012

            def send(self, datagram: bytes, token: object) -> None:
                self.replies.append((datagram, token))

        transport: Any = FakeDatagramTransport()
        protocol = DatagramResponder(Echo, record=self.visits.append, clock=Clock(), census=self.census)
        protocol.makeConnection(transport)
        route = Route()
        for datagram in (b"a", b"bb", b"ccc", b"dddd"):
            protocol.requestReceived(datagram, route)
        self.assertEqual((self.census.outcomes, self.visits), ({}, []))
        (_, first), (_, second), (_, third), (_, fourth) = route.replies
        protocol.repliesSent([second], [(third, OSError(errno.EPERM, "no"))])
        protocol.repliesSent([fourth, first], [])
        protocol.doStop()
        self.assertEqual([reply for reply, _ in route.replies], [b"a", b"bb", b"ccc", b"dddd"])
        self.assertVisits((1, 1, DONE), (2, 2, DONE), (3, 0, UNSENT), (4, 4, DONE))
