"""
L{DatagramResponder} on a port that reports its replies in batches.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import FakeDatagramTransport
from twisted.logger import capturedLogs, formatEvent

from sockservices import Census, DatagramResponder, Outcome, Policy, Visit
from sockservices.responders import Discard, Echo
from tests.support.datagram_ports import BatchCase
from tests.support.peer import fixedEnvironment

DONE, UNSENT = Outcome.DONE, Outcome.UNSENT


class BatchedResponderTests(BatchCase):
    """
    Each datagram is counted once, under one outcome, when the port has reported its reply.
    """

    def setUp(self) -> None:
        """
        Make the census.
        """
        super().setUp()
        self.census = Census(fixedEnvironment())
        self.visits: list[Visit] = []

    def respond(self, responder: Any, record: Any = None, **limits: Any) -> Any:
        """
        Listen with this responder. @return: a client.
        """
        record = record or self.visits.append
        self.protocol = DatagramResponder(responder, Policy(**limits), record, Clock(), self.census)
        return self.client(self.listen())

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

    def test_visits(self) -> None:
        """
        Each datagram has one visit with its peer.
        """
        clients = [self.respond(Echo)]
        clients.append(self.client(self.protocol.transport))
        for size in (3, 3, 4, 0):
            for client in clients:
                client.send(b"x" * size)
        self.turn()
        self.assertVisits(*((size, size, DONE) for size in (3, 3, 3, 3, 4, 4, 0, 0)))
        peers: list[Any] = [visit.peer for visit in sorted(self.visits, key=lambda visit: visit.serial)]
        self.assertEqual([peer.port for peer in peers], [client.getsockname()[1] for client in clients] * 4)

    def test_noRecorder(self) -> None:
        """
        Without a recorder datagrams are counted.
        """
        self.protocol = DatagramResponder(Echo, Policy(), None, Clock(), self.census)
        client = self.client(self.listen(sendmsg=[errno.EAGAIN], sendto=[errno.EPERM]))
        replies = [reply for count in (3, 70) for reply in self.exchange(client, *[b"x"] * count)]
        self.assertEqual(len(replies + self.exchange(client)), 72)
        self.assertEqual(self.census.outcomes, {DONE: 72, UNSENT: 1})

    def test_noReply(self) -> None:
        """
        A datagram without a reply is counted.
        """
        self.exchange(self.respond(Discard), b"xy")
        self.assertVisits((2, 0, DONE))

    def test_unsent(self) -> None:
        """
        A reply that the kernel rejects is counted as unsent with 0 bytes, and all of a batch are logged in one line.
        The others are not affected.
        """
        self.protocol = DatagramResponder(Echo, Policy(), self.visits.append, Clock(), self.census)
        port = self.listen(sendmsg=[errno.EAGAIN], sendto=[errno.EPERM, errno.ENOBUFS])
        first, second = self.client(port), self.client(port)
        for _ in range(3):
            first.send(b"aa")
            second.send(b"bb")
        with capturedLogs() as events:
            self.turn()
        lost, sent = (2, 0, UNSENT), (2, 2, DONE)
        self.assertVisits(lost, sent, lost, sent, sent, sent)
        (event,) = events
        self.assertIn("unsent", formatEvent(event))
        self.assertEqual((self.arrived(first), self.arrived(second)), ([b"aa"], [b"bb"] * 3))

    def test_dropped(self) -> None:
        """
        Dropped datagrams between others are counted under their own reason.
        """
        client = self.respond(Echo, udpMax=10)
        replies = self.exchange(client, *(bytes(size) for size in (1, 11, 1, 12, 10)))
        self.assertEqual([len(reply) for reply in replies], [1, 1, 10])
        long = (11, 0, Outcome.TOO_LONG)
        self.assertVisits((1, 1, DONE), long, (1, 1, DONE), long, (10, 10, DONE))

    def test_replyOfTheWrongType(self) -> None:
        """
        A reply that is not bytes is an error. The others are sent.
        """

        class Text(Echo):
            def answer(self, message: bytes) -> Any:
                return "text" if message == b"hello" else message

        client = self.respond(Text)
        with capturedLogs():
            self.assertEqual(self.exchange(client, b"a", b"hello", b"b"), [b"a", b"b"])
        self.assertVisits((1, 1, DONE), (5, 0, Outcome.ERROR), (1, 1, DONE))

    def test_recorderRaises(self) -> None:
        """
        A recorder that raises loses no datagram.
        """

        def record(visit: Visit) -> None:
            self.visits.append(visit)
            raise ZeroDivisionError

        client = self.respond(Echo, record)
        with capturedLogs():
            self.assertEqual(self.exchange(client, b"a", b"a", b"a"), [b"a"] * 3)
        self.assertVisits(*[(1, 1, DONE)] * 3)
        self.assertTrue(self.protocol.transport.connected)

    def test_responderStopsThePort(self) -> None:
        """
        Each datagram is counted once if the responder stops the port.
        """
        case = self

        class Stop(Echo):
            def answer(self, message: bytes) -> bytes:
                if message == b"1":
                    case.protocol.transport.stopListening()
                return message

        client = self.respond(Stop)
        self.assertEqual(self.exchange(client, b"0", b"1", b"2", b"3"), [b"0", b"2", b"3"])
        self.assertEqual(self.census.outcomes, {DONE: 3, UNSENT: 1})
        self.assertEqual(sorted(visit.serial for visit in self.visits), [1, 2, 3, 4])

    def test_laterReports(self) -> None:
        """
        A transport may report replies later, in parts and in any order. Nothing is counted before.
        """

        class Route:
            peer, destination = ("127.0.0.1", 40000), None
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
