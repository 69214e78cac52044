"""
Connections with faults, in memory and in virtual time.
"""

from __future__ import annotations

import tracemalloc
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.wire import Echo as TwistedEcho
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from sockservices import Outcome, Policy
from sockservices.faults import (
    Bandwidth,
    Corrupt,
    Fault,
    FaultyFactory,
    Hang,
    Latency,
    Limit,
    Loss,
    Refuse,
    Reset,
    Slice,
)
from sockservices.responders import Chargen, Echo, Greet, Welcome
from sockservices.testing import converse
from sockservices.transports.interfaces import IStreamTransport

PEER = IPv4Address("TCP", "192.0.2.7", 40000)

#: The user-space limit of a connection (invariant 2).
MAX_BUFFER = 131072

#: Faults that lose nothing.
ORDER_KEEPING = st.one_of(
    st.builds(Latency, st.sampled_from([0, 0.01, 0.5]), jitter=st.sampled_from([0, 0.3])),
    st.builds(Bandwidth, st.sampled_from([10**4, 10**5, 10**7]), st.sampled_from(["both", "in", "out"])),
    st.builds(Slice, st.sampled_from([3, 100, 5000]), st.sampled_from([0, 0.001])),
    st.builds(Corrupt, st.just(0)),
)

#: Faults that change or end the stream.
BREAKING = st.one_of(
    st.builds(Corrupt, st.sampled_from([0.1, 1])),
    st.builds(Limit, st.sampled_from([0, 1, 50]), st.sampled_from(["fin", "reset", "hang"])),
    st.builds(Reset, st.sampled_from([0, 0.5])),
    st.builds(Hang, st.sampled_from([0, 0.5])),
    st.sampled_from([Reset(afterBytes=30), Hang(afterBytes=30)]),
    st.builds(Refuse, share=st.just(0.5)),
)

FAULTS = st.lists(ORDER_KEEPING, min_size=1, max_size=5)


class ConversationTests(SynchronousTestCase):
    """
    The faults of one connection with a service.
    """

    def test_latency(self) -> None:
        """
        A round trip takes the delays of its directions, and so does the end.
        """
        for direction, seconds in (("both", 0.4), ("in", 0.2), ("out", 0.2)):
            peer = converse(Echo, faults=[Latency(0.2, direction=direction)])
            self.assertEqual((peer.say(b"hello"), peer.wait(seconds - 0.01), peer.wait(0.01)), (b"", b"", b"hello"))
            peer.end()
            peer.wait(seconds - 0.01)
            self.assertIsNone(peer.outcome)
            peer.wait(0.01)
            self.assertEqual(peer.outcome, Outcome.DONE)

    def test_segmentsAreDelayedEach(self) -> None:
        """
        A segment that comes while another is delayed has its own delay, and no other.
        """
        peer = converse(Echo, faults=[Latency(0.2, direction="in")])
        peer.say(b"one")
        peer.wait(0.1)
        peer.say(b"two")
        self.assertEqual((peer.wait(0.1), peer.wait(0.1)), (b"one", b"two"))

    def test_order(self) -> None:
        """
        Faults act in the order in which they are given, in both directions: a limit counts what a slice has made.
        """
        peer = converse(Echo, faults=[Slice(2, 1), Limit(3)])
        self.assertEqual((peer.say(b"hello"), peer.wait(1), peer.wait(9)), (b"he", b"l", b""))
        # The slice that the limit drops has been cut, too.
        self.assertEqual(peer.visits[0].faults, (("slice", 3), ("limit", 1)))

    def test_limits(self) -> None:
        """
        Exactly the bytes of the limit pass; then the connection ends as configured, under the outcome C{fault}.
        """
        peer = converse(Echo, faults=[Limit(3)])
        self.assertEqual((peer.say(b"hello", b"more"), peer.end()), (b"hel", b""))
        peer.wait(5)
        self.assertEqual((peer.outcome, peer.visits[0].faults), (Outcome.FAULT, (("limit", 1),)))
        peer = converse(Echo, faults=[Limit(3, "reset")])
        self.assertEqual(peer.say(b"hello"), b"hel")
        self.assertTrue(peer.transport.disconnected)
        self.assertEqual(peer.outcome, Outcome.FAULT)
        peer = converse(Greet, faults=[Limit(3, "hang")])
        self.assertEqual((peer.heard, peer.wait(4.5), peer.outcome), (b"con", b"", None))
        peer.wait(1)
        self.assertEqual((peer.outcome, peer.visits[0].faults), (Outcome.GRACE, (("limit", 1),)))

    def test_endAfterALimit(self) -> None:
        """
        The protocol ends the conversation after a limit has: its producer is unregistered once.
        """
        peer = converse(Echo, faults=[Limit(3), Latency(0.5, direction="in")])
        peer.say(b"hello")
        peer.end()
        peer.wait(1)
        self.assertEqual((peer.heard, peer.outcome), (b"hel", Outcome.FAULT))

    def test_limitThatIsNotReached(self) -> None:
        """
        A limit that nothing reaches is not recorded.
        """
        peer = converse(Greet, faults=[Limit(100, "reset")])
        self.assertEqual(
            (peer.heard, peer.visits[0].outcome, peer.visits[0].faults), (b"connected", Outcome.FINISHED, ())
        )

    def test_limitOfZeroBytes(self) -> None:
        """
        With a limit of 0 bytes the peer gets none.
        """
        for then, connected in (("fin", False), ("reset", False), ("hang", True)):
            peer = converse(Greet, faults=[Limit(0, then)])
            self.assertEqual((peer.heard, peer.transport.connected), (b"", connected), then)

    def test_refuseAndReset(self) -> None:
        """
        A connection is reset at once, after seconds, or after input, which is answered.
        """
        # The fault, the reply to 5 bytes, the seconds until the end, and the bytes received.
        cases: list[tuple[Fault, bytes, float, int]] = [
            (Refuse(), b"", 0, 0),
            (Reset(), b"", 0, 0),
            (Reset(2.5), b"hello", 2.5, 5),
            (Reset(afterBytes=3), b"hel", 0, 5),
        ]
        for fault, reply, seconds, received in cases:
            peer = converse(Echo, faults=[fault])
            self.assertEqual(peer.say(b"hello"), reply, fault)
            peer.wait(10)
            (visit,) = peer.visits
            self.assertEqual((visit.outcome, visit.seconds, visit.received), (Outcome.FAULT, seconds, received), fault)
            self.assertEqual(visit.faults, ((fault.word, 1),))
            self.assertTrue(peer.transport.disconnected)

    def test_refusedGreeting(self) -> None:
        """
        A refused connection gets no greeting.
        """
        self.assertEqual(converse(Greet, faults=[Refuse()]).heard, b"")

    def test_hang(self) -> None:
        """
        After a hang nothing passes in either direction, and no end. The deadlines of the service end it.
        """
        policy = Policy(idleTimeout=60, closeGrace=5)
        for fault, reply in ((Hang(), b""), (Hang(afterBytes=3), b"hel"), (Hang(10), b"hello")):
            peer = converse(Echo, faults=[fault], policy=policy)
            self.assertEqual(peer.say(b"hello"), reply)
            self.assertEqual((peer.wait(10), peer.say(b"more"), peer.wait(50)), (b"", b"", b""))
            self.assertFalse(peer.transport.disconnected)
            peer.wait(10)
            self.assertEqual(peer.outcome, Outcome.GRACE)
            self.assertEqual(peer.visits[0].faults, (("hang", 1),))

    def test_deadlinesUnderAHang(self) -> None:
        """
        The deadline of the service ends a hung connection, and the stop of the server does.
        """
        peer = converse(Welcome, faults=[Hang()])
        self.assertEqual(peer.wait(11), b"")
        self.assertEqual(peer.visits[0].seconds, 10.0)
        for seconds in (0, 2):
            peer = converse(Echo, faults=[Hang()])
            peer.protocol.factory.drain(seconds)
            peer.wait(seconds)
            self.assertEqual(peer.outcome, Outcome.DRAINED)

    def test_hungPeerLeaves(self) -> None:
        """
        A reset ends a hung connection at once. A FIN may be a half-close: no end follows for two seconds.
        """
        peer = converse(Echo, faults=[Hang()])
        peer.reset()
        self.assertEqual(peer.outcome, Outcome.FAULT)
        for faults, seconds in (([Hang()], 2.0), ([Latency(1), Hang(0.5)], 2.5)):
            peer = converse(Echo, faults=faults)
            peer.end()
            self.assertEqual((peer.wait(seconds - 0.1), peer.outcome), (b"", None))
            peer.wait(0.1)
            self.assertEqual(peer.outcome, Outcome.FAULT)

    def test_generatedOutput(self) -> None:
        """
        Endless output is generated only when all earlier output has passed, and stops at a limit.
        """
        peer = converse(Chargen, faults=[Bandwidth(65_000)])
        peer.hear()
        self.assertTrue(60_000 < len(peer.wait(1)) < 66_000)
        layer: Any = peer.protocol.transport
        self.assertLess(layer.userspaceBytes(), MAX_BUFFER)
        peer = converse(Chargen, faults=[Limit(100_000)])
        for _ in range(5):
            peer.hear()
        self.assertEqual(len(peer.heard), 100_000)

    def test_corrupt(self) -> None:
        """
        Each flipped bit is counted, in the visit and in the census.
        """
        peer = converse(Echo, faults=[Corrupt(1, direction="in")])
        reply = peer.say(b"hello")
        self.assertEqual([(one ^ other).bit_count() for one, other in zip(reply, b"hello", strict=True)], [1] * 5)
        self.assertEqual(peer.protocol.factory.census.faults, {"corrupt": 5})

    def test_sameSeedSameTruth(self) -> None:
        """
        The same seed gives the same bytes at the same times, and the same record; another seed gives others.
        """

        def run(seed: int) -> tuple[list[bytes], tuple[Any, ...]]:
            faults = [Latency(0.1, jitter=0.1), Corrupt(0.1), Slice(3, 0.01), Limit(50)]
            peer = converse(Echo, faults=faults, seed=seed)
            peer.say(b"one segment", b"and another one", bytes(40))
            pieces = [peer.wait(0.01) for _ in range(60)]
            peer.end()
            peer.wait(10)
            return pieces, peer.visits[0]

        self.assertEqual(run(7), run(7))
        self.assertNotEqual(run(7)[0], run(8)[0])

    @settings(deadline=None, max_examples=40)
    @given(st.lists(st.one_of(ORDER_KEEPING, BREAKING), min_size=1, max_size=5), st.integers())
    def test_anyFaultsRepeat(self, faults: list[Fault], seed: int) -> None:
        """
        Any combination of faults does the same again, and every conversation ends and is counted once.
        """
        runs = []
        for _ in range(2):
            peer = converse(Echo, faults=faults, seed=seed, policy=Policy(idleTimeout=20, stallTimeout=20))
            pieces = [peer.say(bytes(100), b"more"), *(peer.wait(0.1) for _ in range(20)), peer.end(), peer.wait(60)]
            runs.append((pieces, peer.visits, peer.protocol.factory.census.faults))
            self.assertEqual((len(peer.visits), peer.clock.getDelayedCalls()), (1, []))
        self.assertEqual(runs[0], runs[1])

    @settings(deadline=None, max_examples=60)
    @given(
        st.lists(ORDER_KEEPING, min_size=1, max_size=5), st.lists(st.binary(max_size=9000), max_size=6), st.integers()
    )
    def test_orderKeepingFaultsLoseNothing(self, faults: list[Fault], segments: list[bytes], seed: int) -> None:
        """
        Through any combination of faults that keep the order, every byte arrives, then the end.
        """
        peer = converse(Echo, faults=faults, seed=seed, policy=Policy(idleTimeout=0, stallTimeout=0, closeGrace=0))
        peer.say(*segments)
        peer.end()
        peer.wait(100)
        self.assertEqual(peer.heard, b"".join(segments))
        self.assertEqual(peer.outcome, Outcome.DONE)


@implementer(IStreamTransport)
class PausableTransport(StringTransport):
    """
    A transport that counts the bytes that are written to it while it is paused, and half-closes.
    """

    identifying = False
    halfCloses = True
    faults = ()
    discardedBytes = 0, 0
    limit = 0

    def limitBuffers(self, size: int) -> None:
        """
        Remember the limit.
        """
        self.limit = size

    limitReads = limitBuffers

    def loseWriteConnection(self) -> None:
        """
        Half-close.
        """

    def userspaceBytes(self) -> int:
        """
        The peer reads everything at once.
        """
        return 0

    unackedBytes = unsentBytes = userspaceBytes


class UnreadTransport(PausableTransport):
    """
    A transport whose peer does not read.

    @ivar checks: how often the pending bytes were counted.
    """

    pending, checks = 1000, 0

    def unackedBytes(self) -> int:
        """
        Count the pending bytes.
        """
        self.checks += 1
        return self.pending

    unsentBytes = unackedBytes


class LayerTests(SynchronousTestCase):
    """
    The layer between any transport and any protocol.
    """

    def connect(self, factory: Any, *faults: Fault, transport: Any = None) -> tuple[Any, Any, Clock]:
        """
        Connect the protocol of a factory through faults.
        """
        clock = Clock()
        faulty = FaultyFactory(factory, faults, seed=7, clock=clock)
        layer, transport = faulty.buildProtocol(PEER), transport or PausableTransport()
        layer.makeConnection(transport)
        return layer, transport, clock

    @settings(deadline=None, max_examples=15)
    @given(FAULTS, st.integers())
    def test_memory(self, faults: list[Fault], seed: int) -> None:
        """
        Whatever is delayed, a connection never holds 128 KiB: the peer is not read any more.
        """
        layer, transport, clock = self.connect(Factory.forProtocol(TwistedEcho), *faults)
        sent = 0
        for _ in range(20):
            while transport.producerState == "producing" and sent < 300_000:
                layer.dataReceived(bytes(transport.limit))
                sent += transport.limit
                # The transport buffers as much as it reads, and one piece more.
                self.assertLess(layer.userspaceBytes() + layer._inbound.held + 2 * transport.limit, MAX_BUFFER)
            clock.advance(0.01)
        self.assertEqual(len(transport.value()) + layer.userspaceBytes() + layer._inbound.held, sent)

    def test_memoryOfSmallSegments(self) -> None:
        """
        Small segments that are held take less than 128 KiB of memory too, in either direction.
        """
        for direction in ("in", "out"):
            layer, transport, _ = self.connect(Factory.forProtocol(TwistedEcho), Latency(60, direction=direction))
            tracemalloc.start()
            self.addCleanup(tracemalloc.stop)
            for number in range(10_000):
                if transport.producerState == "producing":
                    layer.dataReceived(b"%d" % number)
            used, _ = tracemalloc.get_traced_memory()
            self.assertLess(used, MAX_BUFFER)

    def test_peerThatDoesNotRead(self) -> None:
        """
        A fault that waits for the kernel to send checks rarely while the peer does not read, and soon after it reads.
        """
        for fault in (Slice(1), Limit(3, "reset")):
            layer, transport, clock = self.connect(Factory.forProtocol(TwistedEcho), fault, transport=UnreadTransport())
            layer.dataReceived(b"hello")
            clock.pump([0.001] * 1000)
            self.assertTrue(10 < transport.checks < 60, transport.checks)
            transport.pending = 0
            clock.pump([0.001] * 100)
            self.assertEqual(transport.value() + b"lo" * transport.disconnected, b"hello")

    def test_connectionMadeRaises(self) -> None:
        """
        A fault ends the connection of a protocol that raises in C{connectionMade}, too.
        """

        class Raising(Protocol):
            def connectionMade(self) -> None:
                raise ZeroDivisionError

        transport = StringTransport()
        factory = Factory.forProtocol(Raising)
        self.assertRaises(ZeroDivisionError, self.connect, factory, Refuse(), transport=transport)
        self.assertTrue(transport.disconnected)

    def test_endsOneAfterAnother(self) -> None:
        """
        A connection that a limit of any size has ended with a FIN is reset by a later fault.
        """
        for size in (0, 1):
            layer, transport, clock = self.connect(
                Factory.forProtocol(TwistedEcho), Limit(size), Reset(after=1), transport=StringTransport()
            )
            layer.dataReceived(b"hello")
            self.assertFalse(transport.disconnected)
            clock.advance(1)
            self.assertTrue(transport.disconnected)
            self.assertEqual(layer.faults, (("limit", 1), ("reset", 1)))

    def test_pausedProtocol(self) -> None:
        """
        A paused protocol gets nothing; when it resumes, it gets the delayed bytes.
        """
        received: list[bytes] = []
        protocol = Protocol()
        protocol.dataReceived = received.append  # type: ignore[method-assign, assignment]
        layer, transport, clock = self.connect(Factory.forProtocol(lambda: protocol), Latency(1))
        layer.dataReceived(b"one")
        layer.pauseProducing()
        clock.advance(2)
        self.assertEqual((received, transport.producerState), ([], "paused"))
        layer.resumeProducing()
        self.assertEqual((received, transport.producerState), ([b"one"], "producing"))

    def test_producers(self) -> None:
        """
        A push producer is paused when the transport is, or much is held, and resumed after it.
        """
        states: list[str] = []

        class Producer:
            def pauseProducing(self) -> None:
                states.append("paused")

            def resumeProducing(self) -> None:
                states.append("resumed")

        layer, transport, clock = self.connect(Factory.forProtocol(Protocol), Latency(1))
        layer.registerProducer(Producer(), True)
        transport.producer.pauseProducing()
        layer.write(b"held")
        clock.advance(2)
        self.assertEqual((states, transport.value()), (["paused"], b""))
        transport.producer.resumeProducing()
        self.assertEqual((states, transport.value()), (["paused", "resumed"], b"held"))
        layer.write(bytes(100_000))
        self.assertEqual(states, ["paused", "resumed", "paused"])
        clock.advance(1)
        self.assertEqual(states, ["paused", "resumed", "paused", "resumed"])

    def test_inputBeforeAnEndWithoutHalfClose(self) -> None:
        """
        On a transport without half-close, the protocol gets the bytes that the peer sent before it closed.
        """
        received: list[Any] = []
        protocol: Any = Protocol()
        protocol.dataReceived = protocol.connectionLost = received.append
        layer, _, clock = self.connect(Factory.forProtocol(lambda: protocol), Latency(1), transport=StringTransport())
        layer.dataReceived(b"one")
        layer.connectionLost(connectionDone)
        self.assertEqual((received, clock.getDelayedCalls()), ([b"one", connectionDone], []))

    def test_protocolRaises(self) -> None:
        """
        A protocol that raises has its connection reset, and the exception is logged, whether its call is delayed or
        comes before the end of the connection.
        """
        reasons: list[Any] = []

        class Raising(Protocol):
            def dataReceived(self, data: bytes) -> None:
                raise ZeroDivisionError

            def connectionLost(self, reason: Any = connectionDone) -> None:
                reasons.append(reason)

        for seconds, lost in ((0, False), (1, False), (1, True)):
            reasons.clear()
            layer, transport, clock = self.connect(
                Factory.forProtocol(Raising), Latency(seconds), transport=StringTransport()
            )
            layer.dataReceived(b"one")
            layer.dataReceived(b"two")
            if lost:
                layer.connectionLost(connectionDone)
            clock.advance(1)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
            self.assertEqual((transport.disconnected, clock.getDelayedCalls()), (True, []))
            self.assertEqual(reasons, [connectionDone] if lost else [])

    def test_noFaultsNoLayer(self) -> None:
        """
        A connection that no fault meets has its protocol itself.
        """
        factory = Factory.forProtocol(TwistedEcho)
        faulty = FaultyFactory(factory, [Refuse(first=1)], clock=Clock())
        built = [type(faulty.buildProtocol(PEER)).__name__ for _ in range(3)]
        self.assertEqual(built, ["FaultyStream", "Echo", "Echo"])
        faulty.faults = []
        self.assertIsInstance(faulty.buildProtocol(PEER), TwistedEcho)

    def test_newFaults(self) -> None:
        """
        New faults count conversations from 1.
        """
        faulty = FaultyFactory(Factory.forProtocol(TwistedEcho), [], clock=Clock())
        faulty.buildProtocol(PEER)
        faulty.faults = [Refuse(first=1)]
        built = [type(faulty.buildProtocol(PEER)).__name__ for _ in range(2)]
        self.assertEqual(built, ["FaultyStream", "Echo"])

    def test_wrongFault(self) -> None:
        """
        A fault of datagrams cannot be on connections.
        """
        error = self.assertRaises(ValueError, FaultyFactory, Factory(), [Loss(0.1)], clock=Clock())
        self.assertEqual(str(error), "loss,rate=0.1: expected a fault for connections")

    def test_refusedByTheFactory(self) -> None:
        """
        A factory that refuses a connection is called once, and no fault counts the connection.
        """
        factory = Factory.forProtocol(TwistedEcho)
        factory.buildProtocol = lambda addr: None  # type: ignore[method-assign]
        counts: Counter[str] = Counter()
        self.assertIsNone(FaultyFactory(factory, [Refuse()], clock=Clock(), counts=counts).buildProtocol(PEER))
        self.assertEqual(counts, {})

    def test_interface(self) -> None:
        """
        The layer is a stream transport.
        """
        layer, _, _ = self.connect(Factory.forProtocol(TwistedEcho), Latency(1))
        self.assertTrue(verifyObject(IStreamTransport, layer))
