"""
Datagrams with faults, in memory and in virtual time.
"""

from __future__ import annotations

import contextlib
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import Clock
from twisted.internet.testing import FakeDatagramTransport
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Outcome
from sockservices.faults import (
    Bandwidth,
    Corrupt,
    Duplicate,
    Fault,
    FaultyDatagrams,
    Latency,
    Loss,
    Refuse,
    Reorder,
    Truncate,
)
from sockservices.responders import Echo, Upper
from sockservices.testing import converse

PEER = ("192.0.2.7", 40000)


class ServiceTests(SynchronousTestCase):
    """
    Faults of the datagrams of a service.
    """

    def test_latency(self) -> None:
        """
        A round trip takes the delays of its directions. Datagrams are delayed each by itself.
        """
        for transport in ("udp", "unixgram"):
            for direction, seconds in (("both", 0.4), ("in", 0.2), ("out", 0.2)):
                peer: Any = converse(Upper, transport=transport, faults=[Latency(0.2, direction=direction)])
                self.assertIsNone(peer.say(b"hello"))
                peer.wait(seconds - 0.01)
                self.assertEqual(peer.heard, [])
                peer.wait(0.01)
                self.assertEqual(peer.heard, [b"HELLO"])
                self.assertEqual(peer.visits[0].faults, (("latency", 2 if direction == "both" else 1),))

    def test_jitterReorders(self) -> None:
        """
        Jitter lets datagrams overtake each other; none is lost.
        """
        peer = converse(Echo, transport="udp", faults=[Latency(0.1, jitter=0.1)])
        sent = [b"%d" % number for number in range(50)]
        for datagram in sent:
            peer.say(datagram)
        peer.wait(1)
        self.assertNotEqual(peer.heard, sent)
        self.assertEqual(sorted(peer.heard), sorted(sent))

    def test_loss(self) -> None:
        """
        Lost datagrams get no reply. Each has a visit under an outcome of its own, in whichever direction it was lost,
        and the census counts them.
        """
        for direction in ("in", "out", "both"):
            peer = converse(Echo, transport="udp", faults=[Loss(0.3, direction=direction)], seed=7)
            lost = [number for number in range(200) if peer.say(b"%d" % number) is None]
            visits = [visit for visit in peer.visits if visit.outcome is Outcome.LOST]
            self.assertTrue(30 < len(lost) < 130)
            self.assertEqual([visit.serial for visit in visits], [number + 1 for number in lost])
            self.assertEqual({visit.faults for visit in visits}, {(("loss", 1),)})
            self.assertEqual({visit.sent for visit in visits}, {0})
            census = peer.protocol.census
            self.assertEqual((census.faults["loss"], census.outcomes[Outcome.LOST]), (len(lost), len(lost)))
            self.assertEqual(census.outcomes[Outcome.DONE], 200 - len(lost))

    def test_duplicateTruncateCorrupt(self) -> None:
        """
        A duplicate is the same reply again, and counts as one conversation. A cut and a flipped bit are recorded.
        """
        # The fault, the replies that the peer receives, and the record.
        cases: list[tuple[Fault, list[bytes], tuple[tuple[str, int], ...]]] = [
            (Duplicate(1), [b"hello", b"hello"], (("duplicate", 1),)),
            (Truncate(2), [b"he"], (("truncate", 1),)),
            (Truncate(5), [b"hello"], ()),
            (Corrupt(0), [b"hello"], ()),
            (Duplicate(0), [b"hello"], ()),
        ]
        for fault, heard, faults in cases:
            peer = converse(Echo, transport="udp", faults=[fault])
            peer.say(b"hello")
            self.assertEqual((peer.heard, [visit.faults for visit in peer.visits]), (heard, [faults]), fault)
            self.assertEqual(peer.outcome, Outcome.DONE)
        peer = converse(Echo, transport="udp", faults=[Corrupt(1, direction="out")])
        reply = peer.say(b"hello") or b""
        self.assertEqual([(one ^ other).bit_count() for one, other in zip(reply, b"hello", strict=True)], [1] * 5)
        self.assertEqual(peer.visits[0].faults, (("corrupt", 1),))

    def test_reorder(self) -> None:
        """
        A reply that is held back is overtaken.
        """
        peer = converse(Echo, transport="udp", faults=[Reorder(1, 0.05, first=1)])
        self.assertEqual((peer.say(b"one"), peer.say(b"two")), (None, b"two"))
        peer.wait(0.05)
        self.assertEqual(peer.heard, [b"two", b"one"])

    def test_bandwidth(self) -> None:
        """
        All datagrams of a listener share its bandwidth.
        """
        peer = converse(Echo, transport="udp", faults=[Bandwidth(100, direction="out")])
        for _ in range(3):
            peer.say(bytes(50))
        counts = []
        for _ in range(3):
            peer.wait(0.5)
            counts.append(len(peer.heard))
        self.assertEqual(counts, [1, 2, 3])

    def test_bandwidthAfterAFlood(self) -> None:
        """
        Datagrams that are lost because the listener holds too much take no bandwidth: when those that it holds have
        passed, the line is free.
        """
        for direction in ("in", "out"):
            for size in (2, 1000):
                peer = converse(Echo, transport="udp", faults=[Bandwidth(10_000, direction=direction)])
                held = (1 << 20) // (256 + size)
                for _ in range(held + 1_000):
                    peer.say(bytes(size))
                peer.wait(held * size / 10_000 + 1)
                self.assertEqual(len(peer.heard), held)
                self.assertEqual(peer.protocol.census.faults, {"bandwidth": held, "overflow": 1_000})
                peer.say(b"late")
                peer.wait(0.1)
                self.assertEqual(peer.heard[held:], [b"late"])

    def test_sizeRuleCountsBeforeFaults(self) -> None:
        """
        A reply that is too long for its request is withheld, even if a fault would cut it.
        """
        peer = converse(type("Long", (Echo,), {"answer": lambda *_: bytes(41)}), transport="udp", faults=[Truncate(1)])
        self.assertIsNone(peer.say(b"?"))
        self.assertEqual(peer.outcome, Outcome.WITHHELD)

    def test_selection(self) -> None:
        """
        Each datagram is a conversation for C{first}, C{skip} and C{every}.
        """
        for fault, lost in ((Loss(1, first=2), [0, 1]), (Loss(1, skip=3), [3, 4, 5]), (Loss(1, every=2), [1, 3, 5])):
            peer = converse(Echo, transport="udp", faults=[fault])
            self.assertEqual([number for number in range(6) if peer.say(b"x") is None], lost)

    def test_sameSeedSameTruth(self) -> None:
        """
        The same seed gives the same replies at the same times and the same record, another seed others.
        """

        def run(seed: int) -> tuple[list[list[bytes]], list[Any]]:
            faults = [Loss(0.2, burst=3), Latency(0.1, jitter=0.1), Corrupt(0.01), Duplicate(0.2), Reorder(0.1)]
            peer = converse(Echo, transport="udp", faults=faults, seed=seed)
            heard = []
            for number in range(100):
                peer.say(b"datagram %d" % number)
                peer.wait(0.01)
                heard.append(peer.heard)
            peer.wait(1)
            return heard, [(visit.outcome, visit.faults) for visit in peer.visits]

        self.assertEqual(run(7), run(7))
        self.assertNotEqual(run(7)[1], run(8)[1])

    def test_memory(self) -> None:
        """
        What is held for one listener is limited. The datagrams beyond it are lost, and recorded.
        """
        for direction in ("in", "out"):
            peer = converse(Echo, transport="udp", faults=[Latency(1, direction=direction)])
            for _ in range(40):
                peer.say(bytes(60_000))
            peer.wait(2)
            self.assertEqual(len(peer.heard), 17)  # of 60,256 bytes each, in 1 MiB
            self.assertEqual(peer.protocol.census.faults["overflow"], 23)
            self.assertEqual(peer.protocol.census.outcomes, {Outcome.DONE: 17, Outcome.LOST: 23})

    def test_stop(self) -> None:
        """
        When the port stops, the delayed datagrams are passed on, so that each is counted, and no timer stays.
        """
        peer = converse(Echo, transport="udp", faults=[Latency(1)])
        peer.say(b"hello")
        peer._outermost.doStop()
        self.assertEqual((len(peer.visits), peer.clock.getDelayedCalls()), (1, []))

    def test_replyAtStop(self) -> None:
        """
        A responder whose awaited reply is cancelled when the port stops may reply still. No timer stays.
        """

        class Late(Echo):
            async def answer(self, message: bytes) -> bytes:  # type: ignore[override]
                with contextlib.suppress(CancelledError):
                    await Deferred()
                return message

        peer = converse(Late, transport="udp", faults=[Latency(1, direction="out")])
        peer.say(b"hello")
        peer._outermost.doStop()
        self.assertEqual((len(peer.visits), peer.clock.getDelayedCalls()), (1, []))


class Answering(DatagramProtocol):
    """
    One of Twisted's datagram protocols: sends back every datagram, at once or when the test calls it.
    """

    def __init__(self) -> None:
        self.received: list[tuple[bytes, Any]] = []

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """
        Reply.
        """
        self.received.append((datagram, addr))
        assert self.transport is not None
        self.transport.write(datagram, addr)


class PlainProtocolTests(SynchronousTestCase):
    """
    Faults around any of Twisted's datagram protocols.
    """

    def connect(self, *faults: Fault) -> tuple[Answering, Any, Any, Clock]:
        """
        Connect a protocol through faults.
        """
        clock, protocol, transport = Clock(), Answering(), FakeDatagramTransport()
        layer = FaultyDatagrams(protocol, faults, seed=7, clock=clock)
        layer.makeConnection(transport)
        return protocol, layer, transport, clock

    def test_bothDirections(self) -> None:
        """
        Requests and replies have the faults, and the faults are counted.
        """
        protocol, layer, transport, clock = self.connect(Latency(0.2), Duplicate(1))
        layer.datagramReceived(b"hello", PEER)
        clock.advance(0.2)
        self.assertEqual((protocol.received, transport.written), ([(b"hello", PEER)], []))
        clock.advance(0.2)
        self.assertEqual(transport.written, [(b"hello", PEER)] * 2)
        self.assertEqual(layer.counts, {"latency": 2, "duplicate": 1})

    def test_unsolicited(self) -> None:
        """
        A datagram that the protocol sends by itself is a conversation of its own.
        """
        protocol, _, transport, _ = self.connect(Loss(1, first=2))
        for _ in range(3):
            protocol.transport.write(b"news", PEER)  # type: ignore[union-attr]
        self.assertEqual(transport.written, [(b"news", PEER)])

    def test_connectionRefused(self) -> None:
        """
        The protocol of a connected transport is informed that its peer refuses datagrams.
        """
        protocol, layer, _, _ = self.connect(Latency(1))
        refusals: list[None] = []
        protocol.connectionRefused = lambda: refusals.append(None)  # type: ignore[method-assign]
        layer.connectionRefused()
        self.assertEqual(len(refusals), 1)

    def test_waysToWrite(self) -> None:
        """
        Pieces and mutable buffers have the faults too. A later change of a buffer changes no datagram.
        """
        protocol, _, transport, clock = self.connect(Latency(1))
        buffer: Any = bytearray(b"two")
        port: Any = protocol.transport
        port.writeSequence([b"o", b"ne"], PEER)
        port.write(buffer, PEER)
        buffer[:] = b"TWO"
        self.assertEqual(transport.written, [])
        clock.advance(1)
        self.assertEqual(transport.written, [(b"one", PEER), (b"two", PEER)])

    def test_protocolRaisesAtStop(self) -> None:
        """
        A protocol that raises for a datagram that was held gets the others, and the stop. The exceptions are logged.
        """
        protocol, layer, _, clock = self.connect(Latency(1, direction="in"))
        stops: list[None] = []
        protocol.stopProtocol = lambda: stops.append(None)  # type: ignore[method-assign]
        layer.transport.write = lambda datagram, address: 1 / 0
        layer.datagramReceived(b"one", PEER)
        layer.datagramReceived(b"two", PEER)
        layer.doStop()
        self.assertEqual(([datagram for datagram, _ in protocol.received], len(stops)), ([b"one", b"two"], 1))
        self.assertEqual((len(self.flushLoggedErrors(ZeroDivisionError)), clock.getDelayedCalls()), (2, []))

    def test_wrongFault(self) -> None:
        """
        A fault of connections cannot be on datagrams.
        """
        error = self.assertRaises(ValueError, FaultyDatagrams, Answering(), [Refuse()], clock=Clock())
        self.assertEqual(str(error), "refuse: expected a fault for datagrams")

    def test_newFaults(self) -> None:
        """
        New faults hold from the next datagram on.
        """
        _, layer, transport, _ = self.connect()
        layer.datagramReceived(b"one", PEER)
        layer.faults = [Loss(1, first=1)]
        layer.datagramReceived(b"two", PEER)
        layer.datagramReceived(b"three", PEER)
        self.assertEqual([datagram for datagram, _ in transport.written], [b"one", b"three"])

    def test_newFaultsWhileADatagramIsHeld(self) -> None:
        """
        A datagram that came before the change keeps its faults until its reply is sent.
        """
        protocol, layer, transport, clock = self.connect(Duplicate(0), Latency(1))
        layer.datagramReceived(b"one", PEER)
        layer.faults = []
        clock.advance(1)
        self.assertEqual((protocol.received, transport.written), ([(b"one", PEER)], []))
        clock.advance(1)
        self.assertEqual(transport.written, [(b"one", PEER)])
