"""
Conversations over streams: replies, visits, errors of responders, and invariants.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import UNIXAddress
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IPullProducer, IPushProducer
from twisted.internet.testing import MemoryReactorClock, StringTransport, StringTransportWithDisconnection
from zope.interface.verify import verifyObject

from sockservices import Census, Outcome, Policy, StreamFactory, Visit
from sockservices.protocols.timer import START_DELAY
from sockservices.responders import Chargen, Daytime, Discard, Echo, Greet, Hello, Time, Upper, Users, Welcome, Whoami
from sockservices.responders.chargen import PATTERN
from tests.support.peer import PEER, LogCase, Peer, StreamCase, fixedEnvironment

#: The maximum number of bytes in user-space buffers for one peer.
MAX_BUFFER = 128 * 1024

#: A responder whose generated output ends. A responder with generated output gets no messages on a stream.
FiniteOutput: Any = type(
    "Finite", (Echo,), {"name": "finite", "generate": lambda _: iter([b"once ", b"and ", b"over"])}
)


def raising(method: str, kind: type[BaseException] = RuntimeError) -> Any:
    """
    A responder class whose method raises; C{"output"} stands for the second step of its generated output.
    """

    def fail(*_: object) -> Any:
        raise kind("on purpose\x1b[31m\n2026-11-21 forged")

    def output(_: object) -> Iterator[bytes]:
        yield PATTERN * 9
        fail()

    return type("Raising", (Echo,), {"generate": output} if method == "output" else {method: fail})


class ReplyTests(StreamCase):
    """
    The replies of responders, and the visits.
    """

    def test_replies(self) -> None:
        """
        Each service replies to the segments of a peer, on a transport in memory as on Twisted's TCP transport. A
        service that has finished closes the connection and does not answer further input.
        """
        for responder, segments, reply, closes in (
            (Echo, [b"hi~", b"\0\xff"], b"hi~\0\xff", False),
            (Discard, [b"hi~", b"\0\xff"], b"", False),
            (Upper, [b"Hello \xc3", b"\xa4 world"], b"HELLO \xc3\xa4 WORLD", False),
            (Hello, [b"hi~", b"hi~"], b"hellohello", False),
            *((Welcome, [first, b"1"], b"welcome to server!", True) for first in (b"1", b"1\n", b"1\r\n")),
            *((Welcome, [first, b"1"], b"please go out!", True) for first in (b"2", b"11", b" 1")),
            (Greet, [b"hi~"], b"connected", True),
            (Daytime, [], b"Sat Nov 21 00:26:40 2026\r\n", True),
            (Time, [], (1795220800 + 2208988800).to_bytes(4, "big"), True),
            (Users, [], b"ada\r\n", True),
        ):
            peer = self.peer(responder)
            protocol, transport = self.connect(responder)
            for segment in segments:
                peer.send(segment)
                protocol.dataReceived(segment)
            self.assertEqual((transport.value(), transport.disconnecting), (reply, closes), (responder, segments))
            self.assertEqual((peer.read(), peer.eofReceived), (reply, closes), (responder, segments))

    def test_responderKnowsTheConnection(self) -> None:
        """
        The responder and the visit have both addresses, the transport and the serial number. A Unix peer has no
        address.
        """
        unix = StringTransport(UNIXAddress("/run/whoami.sock"), UNIXAddress(None))
        for serial, (transport, peer, host, name) in enumerate(
            ((None, "192.0.2.7:40000", "192.0.2.1:8007", "tcp"), (unix, None, "/run/whoami.sock", "unix")), 1
        ):
            protocol, connected = self.connect(Whoami, transport)
            expected = {"peer": peer, "host": host, "transport": name, "serial": serial, "server": "here"}
            self.assertEqual(json.loads(connected.value()), expected)
            self.lose(protocol)
            visit = self.visits[-1]
            self.assertEqual((visit.transport, visit.peer, visit.serial), (name, connected.getPeer(), serial))

    def test_generatedOutputIsPulled(self) -> None:
        """
        Endless output is written at each C{resumeProducing}, as by a pull producer. Input is discarded.
        """
        protocol, transport = self.connect(Chargen)
        self.assertEqual((transport.producer, transport.streaming), (protocol, False))
        protocol.dataReceived(b"be quiet")
        for _ in range(3):
            transport.clear()
            protocol.resumeProducing()
            data = transport.value()
            self.assertTrue(len(data) >= 65536 and data == PATTERN * (len(data) // len(PATTERN)))
        self.assertFalse(transport.disconnecting)

    def test_endOfGeneratedOutputCloses(self) -> None:
        """
        The connection closes when the generated output ends, also where the last block is exactly full. Input is not
        answered, and a greeting that finishes the conversation is followed by no generated output.
        """
        blocks = type("Blocks", (FiniteOutput,), {"generate": lambda _: iter([bytes(65536)] * 5)})
        both = type("Both", (Greet,), {"generate": FiniteOutput.generate})
        for responder, output in ((FiniteOutput, b"once and over"), (blocks, bytes(5 * 65536)), (both, b"connected")):
            peer = self.peer(responder)
            peer.send(b"input")
            self.assertTrue(peer.read() == output, responder)
            self.assertTrue(peer.eofReceived)
            peer.end()
        self.assertEqual(self.visits[0], Visit("finite", "tcp", PEER, 1, 0.0, 5, 13, Outcome.FINISHED))

    def test_interfaces(self) -> None:
        """
        The protocol provides the interfaces for half-close and for both kinds of producer.
        """
        protocol, _ = self.connect(Echo)
        for interface in (IHalfCloseableProtocol, IPushProducer, IPullProducer):
            self.assertTrue(verifyObject(interface, protocol))

    def test_visit(self) -> None:
        """
        A visit records the service, the peer, the duration, the bytes in both directions and the outcome. Any callable
        that takes a conversation makes responders, and serial numbers are consecutive.
        """
        for serial in (1, 2):
            protocol, _ = self.connect(lambda conversation: Hello(conversation))
            protocol.dataReceived(b"ab")
            self.wait(2.5)
            protocol.dataReceived(b"c")
            self.assertEqual(len(self.visits), serial - 1)
            self.lose(protocol)
            self.assertEqual(self.visits[-1], Visit("hello", "tcp", PEER, serial, 2.5, 3, 10, Outcome.DONE))
            self.assertEqual(self.census.outcomes, {Outcome.DONE: serial})

    def test_outcomeOfALostConnection(self) -> None:
        """
        The outcome of a lost connection is DONE if the end is clean and RESET otherwise. If the server has aborted the
        connection, it is the server's first reason.
        """
        for reason in (ConnectionDone, ConnectionLost, ConnectionAborted, OSError):
            protocol, _ = self.connect(Echo)
            protocol.dataReceived(b"hi~")
            self.lose(protocol, reason)
            self.assertEqual(self.outcomes[-1], Outcome.DONE if reason is ConnectionDone else Outcome.RESET)
            protocol, transport = self.connect(Echo)
            protocol.abort(Outcome.STALLED)
            protocol.abort(Outcome.DRAINED)
            self.assertTrue(transport.disconnected)
            self.lose(protocol, reason)
            self.assertEqual(self.outcomes[-1], Outcome.STALLED)

    def test_noReplyAfterTheEnd(self) -> None:
        """
        Input after an abort or after C{connectionLost} is not answered.
        """
        for end in (lambda protocol: protocol.abort(Outcome.DRAINED), self.lose):
            protocol, transport = self.connect(Echo)
            end(protocol)
            protocol.dataReceived(b"hi~")
            self.assertEqual(transport.value(), b"")

    def test_synchronousCloseLeavesNoTimer(self) -> None:
        """
        A transport that disconnects within C{loseConnection} leaves no timer.
        """
        for responder in (Greet, FiniteOutput, Welcome):
            protocol: Any = self.factory(responder).buildProtocol(PEER)
            transport = StringTransportWithDisconnection(peerAddress=PEER)
            transport.protocol = protocol
            protocol.makeConnection(transport)
            if responder is FiniteOutput:
                protocol.resumeProducing()
            if transport.connected:
                protocol.dataReceived(b"1")
            self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.outcomes, [Outcome.FINISHED] * 3)


class ExceptionTests(StreamCase):
    """
    Responders and recorders that raise.
    """

    def test_responderThatRaises(self) -> None:
        """
        A responder that raises any exception has its conversation reset, and no other. One printable line names the
        exception, the place and the peer.
        """
        other = self.peer(Echo)
        for kind in (RuntimeError, SystemExit, KeyboardInterrupt, GeneratorExit):
            for method in ("__init__", "greeting", "generate", "output", "answer"):
                peer = self.peer(raising(method, kind))
                peer.send(b"hi~")
                peer.read()
                self.assertTrue(peer.resetReceived, method)
                (line,) = self.lines()
                place = rf"echo raised {kind.__name__}.*test_stream.py:.*with 192\.0\.2\.7:40000 is reset"
                self.assertRegex(line, place)
                self.assertTrue(line.isprintable())
        self.assertEqual((self.outcomes, self.census.outcomes), ([Outcome.ERROR] * 20, {Outcome.ERROR: 20}))
        other.send(b"hi~")
        self.assertEqual(other.read(), b"hi~")

    def test_answerToAnEmptyMessageRaises(self) -> None:
        """
        A responder that raises in the answer to an end without a message has its conversation reset. The log shows a
        peer without an address as a dash.
        """
        responder = type("Patient", (raising("answer"),), {"deadline": 5.0})
        peer = self.peer(responder)
        peer.end()
        self.assertTrue(peer.resetReceived)
        self.assertEqual((self.outcomes, len(self.lines())), ([Outcome.ERROR], 1))
        self.connect(responder, StringTransport(peerAddress=UNIXAddress(None)))[0].readConnectionLost()
        self.assertIn("with - is reset", self.lines()[0])

    def test_repliesOfTheWrongType(self) -> None:
        """
        A reply that is not bytes is an error of the responder.
        """
        replies: dict[str, Any] = {"greeting": "hi", "answer": "hi", "generate": ["hi"]}
        for method, reply in replies.items():
            peer = self.peer(type("Wrong", (Echo,), {method: lambda *_, reply=reply: reply}))
            peer.send(b"hi~")
            self.assertTrue(peer.resetReceived, method)
            (line,) = self.lines()
            self.assertIn(f"echo raised ResponderTypeError('Wrong.{method}() ", line)
        self.assertEqual(self.outcomes, [Outcome.ERROR] * 3)

    def test_recorderThatRaises(self) -> None:
        """
        A recorder that raises ends no conversation. One line is logged for each call.
        """

        def record(visit: Visit) -> None:
            raise RuntimeError("the disk is full")

        factory = self.factory(Echo, maxConnections=1)
        factory.record = record
        peer = Peer(factory, self.clock, 1000)
        self.assertIsNone(factory.buildProtocol(PEER))
        peer.send(b"hi~")
        peer.end()
        self.assertEqual((peer.read(), peer.eofReceived), (b"hi~", True))
        lines = self.lines()
        self.assertEqual(len(lines), 2)
        self.assertIn("recording a visit raised RuntimeError", lines[0])
        self.assertEqual(self.census.outcomes, {Outcome.REFUSED: 1, Outcome.DONE: 1})
        self.census.outcomes.clear()


class InvariantTests(StreamCase):
    """
    Tests for the invariants of all conversations.
    """

    def test_noByteLost(self) -> None:
        """
        All input before the peer's FIN is answered, for any segmentation and any pace of the peer's reading.
        """
        data = bytes(range(256)) * 1024
        for size in (1013, 4096, 65536):
            for window in (700, 65536, 2**20):
                peer = self.peer(Echo, window=window)
                for number, start in enumerate(range(0, len(data), size)):
                    peer.send(data[start : start + size])
                    if number % 7 == 0:
                        self.wait(0.125)
                        peer.read(size)
                peer.end()
                peer.read()
                self.assertTrue(peer.received == data)
                self.assertTrue(peer.eofReceived)

    def test_undeliveredOutputIsReset(self) -> None:
        """
        A peer that has not read all output never sees a clean end.
        """
        ends: list[Callable[[Peer], object]] = [
            Peer.end,
            lambda _: self.wait(60),
            lambda peer: peer.protocol.factory.drain(5),
        ]
        for end in ends:
            peer = self.peer(Echo, window=1000, stallTimeout=30.0)
            peer.send(bytes(3000))
            end(peer)
            self.wait(40)
            peer.read()
            self.assertEqual((peer.resetReceived, peer.eofReceived), (True, False))
        self.assertEqual(self.outcomes, [Outcome.STALLED, Outcome.STALLED, Outcome.DRAINED])

    def test_emptyGeneratedOutputYields(self) -> None:
        """
        Generated output of endless empty pieces does not block the reactor.
        """
        self.peer(type("Empty", (Chargen,), {"generate": lambda _: repeat(b"")}), idleTimeout=10.0)
        self.wait(11)
        self.assertEqual(self.outcomes, [Outcome.IDLE])

    def test_boundedMemory(self) -> None:
        """
        At most 128 KiB are buffered for a peer that sends without reading.
        """
        for responder in (Echo, Upper, Chargen):
            peer = self.peer(responder, window=1000)
            for _ in range(30):
                peer.send(bytes(65536), bytes(50_000))
                peer.read(77_777)
                self.assertLessEqual(peer.buffered, MAX_BUFFER)
            peer.reset()

    def test_everyConversationEnds(self) -> None:
        """
        With the default policy every peer is disconnected after some minutes.
        """
        for responder in (Echo, Discard, Chargen, Welcome, Greet, Hello):
            for segments in ([], [bytes(65536)] * 2):
                self.peer(responder, window=5).send(*segments)
        self.wait(362)
        self.assertEqual(len(self.visits), 12)

    def test_oneTimerForAConversation(self) -> None:
        """
        One delayed call serves all timeouts. Segments do not move it. At first all new conversations share one.
        """
        peer = self.peer(Welcome, timeout=60.0)
        for _ in range(10):
            self.peer(Welcome).reset()
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        protocol, _ = self.connect(Echo)
        protocol.dataReceived(b"x")
        self.clock.advance(START_DELAY)
        timers = self.clock.getDelayedCalls()
        due = [timer.getTime() for timer in timers]
        self.assertEqual(len(timers), 2)
        for _ in range(200):
            protocol.dataReceived(b"x")
            self.clock.advance(0.001)
        self.assertEqual(self.clock.getDelayedCalls(), timers)
        self.assertEqual([timer.getTime() for timer in timers], due)
        peer.send(b"1")
        self.assertEqual(len(self.clock.getDelayedCalls()), 2)


#: What a peer, the network, the clock and the server may do to a conversation.
EVENTS = st.one_of(
    st.tuples(st.just("send"), st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("send"), st.integers(1, 200_000).map(bytes)),
    st.tuples(st.just("read"), st.integers(1, 300_000)),
    st.tuples(st.just("wait"), st.floats(0, 40)),
    st.sampled_from([("end",), ("reset",), ("drain",), ("abortAll",)]),
)


class ArbitraryTests(LogCase):
    """
    Arbitrary events in arbitrary order.
    """

    RESPONDERS = (Echo, Discard, Hello, Welcome, Greet, Chargen, FiniteOutput, raising("answer"), raising("output"))

    @settings(deadline=None, max_examples=300)
    @given(responder=st.sampled_from(RESPONDERS), events=st.lists(EVENTS, max_size=12), window=st.integers(1, 300_000))
    def test_anyEvents(self, responder: Any, events: list[tuple[Any, ...]], window: int) -> None:
        """
        Nothing raises, a conversation ends and is counted once, no timer remains, the buffer is bounded, and a peer
        that sees a clean end has all output.
        """
        clock, census, visits = MemoryReactorClock(), Census(fixedEnvironment()), list[Visit]()
        factory = StreamFactory(responder, Policy(idleTimeout=50.0), visits.append, clock, census)
        peer = Peer(factory, clock, window)
        sent, ended = b"", False
        for kind, *arguments in events:
            if kind == "wait":
                clock.advance(arguments[0])
            elif kind == "drain":
                factory.drain(10)
            elif kind == "abortAll":
                factory.abortAll()
            elif kind != "send":
                ended = ended or kind == "end"
                getattr(peer, kind)(*arguments)
            elif not ended:
                sent += arguments[0]
                peer.send(*arguments)
            peer.turn()
            self.assertLessEqual(peer.buffered, MAX_BUFFER)
        # Longer than any stall timeout: a peer that still gets generated output now would be read without end.
        for _ in range(400):
            clock.advance(1)
            peer.turn()
        peer.read()
        (visit,) = visits
        self.assertEqual((census.connections, census.outcomes), (0, {visit.outcome: 1}))
        self.assertEqual(clock.getDelayedCalls(), [])
        self.assertLessEqual(visit.received, len(sent))
        if peer.eofReceived and ("reset",) not in events:
            self.assertEqual(len(peer.received), visit.sent)
            if responder is Echo:
                # Input that arrives after the server has ended a quiet connection is dropped.
                self.assertEqual(peer.received, sent if visit.outcome is Outcome.DONE else sent[: visit.sent])

    @settings(deadline=None, max_examples=200)
    @given(events=st.lists(st.sampled_from(["pause", "resume", "send", "end", "wait", "lose"]), max_size=12))
    def test_anyOrderOfCalls(self, events: list[str]) -> None:
        """
        A transport in memory may call the protocol in any order.
        """
        clock, census, visits = MemoryReactorClock(), Census(fixedEnvironment()), list[Visit]()
        protocol: Any = StreamFactory(Welcome, Policy(), visits.append, clock, census).buildProtocol(PEER)
        transport = StringTransport(peerAddress=PEER)
        protocol.makeConnection(transport)
        for event in [*events, "lose"]:
            producer: Any = transport.producer
            if event == "lose":
                StreamCase.lose(protocol, ConnectionLost)
                break
            if event == "send":
                protocol.dataReceived(b"1")
            elif event == "end":
                protocol.readConnectionLost()
            elif event == "wait":
                clock.advance(3)
            elif producer is not None and not transport.disconnecting:
                (producer.pauseProducing if event == "pause" else producer.resumeProducing)()
        self.assertEqual((len(visits), census.connections, clock.getDelayedCalls()), (1, 0, []))
        self.assertEqual(sum(census.outcomes.values()), 1)
        self.assertIn(transport.value(), (b"", b"welcome to server!", b"please go out!"))
