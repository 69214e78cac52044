"""
The bytes in the record of a conversation with faults are those that the transport read and wrote.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.wire import Echo as TwistedEcho
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Outcome, Policy, Visit
from sockservices.faults import Bandwidth, Duplicate, Fault, Hang, Latency, Limit, Loss, Refuse, Reset, Truncate
from sockservices.faults.factory import StreamFaults
from sockservices.protocols.limited_protocols import LimitedProtocols
from sockservices.responders import Chargen, Echo, Greet
from sockservices.testing import converse
from sockservices.transports.layered_factory import layered
from tests.unit.faults.test_streams import BREAKING, ORDER_KEEPING


class StreamTests(SynchronousTestCase):
    """
    The bytes of connections.
    """

    def test_bytes(self) -> None:
        """
        The bytes that a fault discards in either direction count as received, and not as sent.
        """
        # The service, the fault, and the bytes received and sent.
        cases: list[tuple[type[Any], Fault, tuple[int, int]]] = [
            (Greet, Refuse(), (0, 0)),
            (Greet, Limit(3), (0, 3)),
            (Echo, Limit(3, "reset"), (5, 3)),
            (Echo, Limit(0), (0, 0)),
            (Echo, Reset(afterBytes=3), (5, 3)),
            (Echo, Hang(afterBytes=3), (10, 3)),
            (Echo, Latency(100), (10, 0)),
            (Echo, Latency(0.1), (10, 10)),
            (Chargen, Limit(1000, "hang"), (10, 1000)),
        ]
        for service, fault, counted in cases:
            peer = converse(service, faults=[fault], policy=Policy(idleTimeout=2, closeGrace=1))
            for _ in range(2):
                if peer.transport.connected:
                    peer.say(b"hello")
            peer.hear()
            peer.wait(100)
            (visit,) = peer.visits
            self.assertEqual((visit.received, visit.sent), counted, fault)
            self.assertEqual(len(peer.heard), visit.sent, fault)

    @settings(deadline=None, max_examples=60)
    @given(st.lists(st.one_of(ORDER_KEEPING, BREAKING), min_size=1, max_size=5), st.integers())
    def test_anyFaults(self, faults: list[Fault], seed: int) -> None:
        """
        Through any combination of faults, the bytes sent are those that the peer gets.
        """
        peer = converse(Echo, faults=faults, seed=seed, policy=Policy(idleTimeout=20, stallTimeout=20))
        said = 0
        for segment in (bytes(100), b"more"):
            if peer.transport.connected:
                peer.say(segment)
                said += len(segment)
        peer.end()
        peer.wait(100)
        (visit,) = peer.visits
        self.assertEqual((visit.received, visit.sent), (said, len(peer.heard)))

    def test_faultsAboveFaults(self) -> None:
        """
        Two layers of faults discard bytes independently of each other.
        """
        clock = Clock()
        inner = StreamFaults([Hang(afterBytes=2)], seed=1, clock=clock)
        peer = converse(Echo, faults=[Limit(1, "hang")], layers=[inner], clock=clock)
        peer.say(b"hello", b"more")
        peer.reset()
        self.assertEqual((peer.visits[0].received, peer.visits[0].sent), (9, 1))

    def test_protocolsOfOthers(self) -> None:
        """
        The record of a connection of any protocol of Twisted's has the same bytes.
        """
        clock, visits = Clock(), list[Visit]()
        factory = LimitedProtocols(Factory.forProtocol(TwistedEcho), Policy(), visits.append, clock)
        faults = StreamFaults([Limit(3, "hang")], seed=1, clock=clock)
        protocol = layered(factory, [faults]).buildProtocol(IPv4Address("TCP", "127.0.0.1", 40000))
        transport = StringTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(b"hello")
        protocol.dataReceived(b"more")
        protocol.connectionLost(Failure(ConnectionLost()))
        self.assertEqual([(visit.received, visit.sent) for visit in visits], [(9, 3)])
        self.assertEqual(transport.value(), b"hel")


class _Refusing:
    """
    Sends datagrams, except those of some numbers: for them it raises.
    """

    def __init__(self, write: Callable[..., None], refused: list[int]) -> None:
        self._write, self._refused, self._numbers = write, refused, count()

    def __call__(self, datagram: bytes, addr: object) -> None:
        """
        Send a datagram, or raise.
        """
        if next(self._numbers) in self._refused:
            raise OSError
        self._write(datagram, addr)


class DatagramTests(SynchronousTestCase):
    """
    The bytes of datagrams.
    """

    def test_bytes(self) -> None:
        """
        The bytes sent are those of all copies of the reply, each as long as the faults left it. The totals are the
        same, with a visit for each datagram or without.
        """
        # The faults, and the bytes received and sent.
        cases: list[tuple[list[Fault], tuple[int, int]]] = [
            ([Truncate(2)], (5, 2)),
            ([Truncate(0)], (5, 0)),
            ([Truncate(5)], (5, 5)),
            ([Duplicate(1)], (5, 10)),
            ([Duplicate(1), Truncate(2)], (5, 4)),
            ([Duplicate(1), Latency(0.1, jitter=0.1)], (5, 10)),
            ([Loss(1, direction="out")], (5, 0)),
            ([Loss(1, direction="in")], (5, 0)),
        ]
        for faults, counted in cases:
            for recorded in (True, False):
                peer = converse(Echo, transport="udp", faults=faults)
                if not recorded:
                    peer.protocol.record = None
                peer.say(b"hello")
                peer.wait(10)
                totals = peer.protocol.census.totals.datagrams["echo"]
                self.assertEqual((totals.received, totals.sent), counted, faults)
                self.assertEqual(sum(map(len, peer.heard)), totals.sent, faults)
                self.assertEqual([(visit.received, visit.sent) for visit in peer.visits], [counted] * recorded)

    def test_visitAfterTheLastCopy(self) -> None:
        """
        The conversation ends when the last copy of the reply is sent.
        """
        peer = converse(Echo, transport="udp", faults=[Duplicate(1), Bandwidth(10, direction="out")])
        peer.say(b"hello")
        peer.wait(0.6)
        self.assertEqual((peer.heard, peer.visits), ([b"hello"], []))
        peer.wait(1)
        self.assertEqual((peer.heard, [visit.sent for visit in peer.visits]), ([b"hello"] * 2, [10]))

    def test_copiesThatAreNotSent(self) -> None:
        """
        A copy that the kernel refuses does not count as sent. The datagram is unsent if all copies are refused.
        """
        for refused, sent, outcome in (([1], 5, Outcome.DONE), ([0], 5, Outcome.DONE), ([0, 1], 0, Outcome.UNSENT)):
            peer = converse(Echo, transport="udp", faults=[Duplicate(1)])
            peer.transport.write = _Refusing(peer.transport.write, refused)
            peer.say(b"hello")
            self.assertEqual([(visit.sent, visit.outcome) for visit in peer.visits], [(sent, outcome)])
