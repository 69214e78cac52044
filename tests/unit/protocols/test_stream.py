"""
Conversations over streams: replies, timeouts, back-pressure, ends and outcomes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import repeat
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import UNIXAddress
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IPullProducer, IPushProducer, ISSLTransport
from twisted.internet.testing import MemoryReactorClock, StringTransport, StringTransportWithDisconnection
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from sockservices import Census, Conversation, Outcome, Policy, Responder, StreamFactory, StreamProtocol, Visit
from sockservices.responders import (
    Chargen,
    Daytime,
    Discard,
    Echo,
    Greet,
    Hello,
    Quote,
    Time,
    Upper,
    Users,
    Welcome,
    Whoami,
)
from sockservices.responders.chargen import PATTERN
from sockservices.responders.quote import QUOTES
from sockservices.transports.interfaces import IStreamTransport
from tests.support.peer import HOST, PEER, LogCase, Peer, StreamCase, fixedEnvironment

#: The maximum number of bytes in user-space buffers for one peer.
BOUND = 128 * 1024


class FiniteOutput(Responder):
    """
    A responder whose generated output ends.
    """

    name = "finite"
    port = 1

    def answer(self, message: bytes) -> bytes:
        """
        Never called: a responder with generated output gets no messages on a stream.
        """
        return b"an answer"

    def generate(self) -> Iterator[bytes]:
        """
        Generate three pieces.
        """
        return iter([b"once ", b"and ", b"no more"])


class Faulty(Responder):
    """
    A responder that raises in one of its methods.
    """

    name = "faulty"
    port = 1
    deadline = 5.0
    where = ""

    def __init__(self, conversation: Conversation) -> None:
        super().__init__(conversation)
        self._maybe("constructor")

    def _maybe(self, where: str) -> None:
        if where == self.where:
            raise RuntimeError("on purpose\x1b[31m\n2026-11-21 forged")

    def greeting(self) -> None:
        """
        Raise, if requested.
        """
        self._maybe("greeting")

    def answer(self, message: bytes) -> bytes:
        """
        Raise, if requested.
        """
        self._maybe("answer")
        return message

    def generate(self) -> Iterator[bytes] | None:
        """
        Raise, if requested, or from the second step of the output.
        """
        self._maybe("generate")
        return self._output() if self.where == "output" else None

    def _output(self) -> Iterator[bytes]:
        yield PATTERN * 9
        self._maybe("output")


def faulty(where: str) -> type[Faulty]:
    """
    A responder class that raises in this place.
    """
    return type("FaultyResponder", (Faulty,), {"where": where})


@implementer(IStreamTransport)
class UnackedTransport(StringTransport):
    """
    A transport without half-close, whose kernel has taken all output, and whose peer acknowledges none.
    """

    identifying = halfCloses = False

    def loseWriteConnection(self) -> None:
        """
        A protocol does not call this without half-close.
        """
        raise NotImplementedError

    def userspaceBytes(self) -> int:
        """
        Nothing is pending in this process.
        """
        return 0

    def unackedBytes(self) -> int:
        """
        All output is pending in the kernel.
        """
        return len(self.value())


class ConversationTests(StreamCase):
    """
    The replies of responders, on a transport in memory.
    """

    def replyTo(self, responder: type[Responder], *segments: bytes) -> tuple[bytes, bool]:
        """
        The reply to these segments, and whether the responder closes.
        """
        protocol, transport = self.connect(responder)
        for segment in segments:
            protocol.dataReceived(segment)
        return transport.value(), transport.disconnecting

    def test_answeringServicesLeaveTheConnectionOpen(self) -> None:
        """
        Services that answer reply to each segment and leave it to the peer to close.
        """
        self.assertEqual(self.replyTo(Echo, b"hi~", b"\0\xff"), (b"hi~\0\xff", False))
        self.assertEqual(self.replyTo(Discard, b"hi~", b"\0\xff"), (b"", False))
        self.assertEqual(self.replyTo(Upper, b"Hello \xc3", b"\xa4 world"), (b"HELLO \xc3\xa4 WORLD", False))
        self.assertEqual(self.replyTo(Hello, b"hi~", b"hi~"), (b"hellohello", False))

    def test_welcomeAnswersTheFirstMessageOnly(self) -> None:
        """
        The first message decides the reply. Then the server closes and does not answer further input.
        """
        for word in (b"1", b"1\n", b"1\r\n"):
            self.assertEqual(self.replyTo(Welcome, word, b"1"), (b"welcome to server!", True))
        for word in (b"2", b"11", b" 1"):
            self.assertEqual(self.replyTo(Welcome, word, b"1"), (b"please go out!", True))

    def test_greetingServicesCloseAfterTheGreeting(self) -> None:
        """
        Services that only have a greeting send it at once and close.
        """
        self.assertEqual(self.replyTo(Greet, b"hi~"), (b"connected", True))
        self.assertEqual(self.replyTo(Daytime), (b"Sat Nov 21 00:26:40 2026\r\n", True))
        self.assertEqual(self.replyTo(Time), ((1795220800 + 2208988800).to_bytes(4, "big"), True))
        self.assertEqual(self.replyTo(Users), (b"ada\r\n", True))
        quote, ended = self.replyTo(Quote)
        self.assertIn(quote, QUOTES)
        self.assertTrue(ended)

    def test_responderKnowsTheConnection(self) -> None:
        """
        The responder knows both addresses, the transport and the serial number.
        """
        line, ended = self.replyTo(Whoami)
        seen = {"peer": "192.0.2.7:40000", "host": "192.0.2.1:8007", "transport": "tcp", "serial": 1, "server": "here"}
        self.assertEqual((json.loads(line), ended), (seen, True))

    def test_unixPeerWithoutAnAddress(self) -> None:
        """
        A Unix peer without an address is recorded under the transport C{unix}.
        """
        protocol, transport = self.connect(Whoami, StringTransport(UNIXAddress("/run/whoami.sock"), UNIXAddress(None)))
        seen = {"peer": None, "host": "/run/whoami.sock", "transport": "unix", "serial": 1, "server": "here"}
        self.assertEqual(json.loads(transport.value()), seen)
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((self.visits[0].transport, self.visits[0].peer), ("unix", UNIXAddress(None)))

    def test_generatedOutputIsPulled(self) -> None:
        """
        Endless output is written when the transport asks for more, as by a pull producer. Input is discarded.
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
        The connection closes when the generated output ends. Input is not answered.
        """
        peer = self.peer(FiniteOutput)
        peer.say(b"and then?")
        self.assertEqual(peer.read(), b"once and no more")
        self.assertTrue(peer.sawEnd)
        peer.end()
        self.assertEqual(self.visits, [Visit("finite", "tcp", PEER, 1, 0.0, 9, 16, Outcome.FINISHED)])

    def test_generatedOutputThatFillsWholeBlocks(self) -> None:
        """
        The last block of generated output is sent when it is exactly full, too.
        """
        peer = self.peer(type("Full", (FiniteOutput,), {"generate": lambda _: iter([bytes(65536)] * 5)}))
        self.assertEqual(len(peer.read()), 5 * 65536)
        self.assertTrue(peer.sawEnd)

    def test_noOutputAfterAFinishingGreeting(self) -> None:
        """
        A greeting that finishes the conversation is followed by no generated output.
        """
        peer = self.peer(type("Both", (Greet,), {"generate": FiniteOutput.generate}))
        self.assertEqual((peer.read(), peer.sawEnd), (b"connected", True))

    def test_anyCallableMakesResponders(self) -> None:
        """
        Any callable that takes a conversation makes responders. The visit has the name of the responder.
        """

        def make(conversation: Conversation) -> Responder:
            return Echo(conversation)

        protocol, transport = self.connect(make)
        protocol.dataReceived(b"hi~")
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((transport.value(), self.visits[0].service), (b"hi~", "echo"))

    def test_interfaces(self) -> None:
        """
        The protocol provides the interfaces for half-close and for both kinds of producer.
        """
        protocol, _ = self.connect(Echo)
        for interface in (IHalfCloseableProtocol, IPushProducer, IPullProducer):
            self.assertTrue(verifyObject(interface, protocol))

    def test_visit(self) -> None:
        """
        A visit records the service, the peer, the duration, the bytes in both directions and the outcome.
        """
        protocol, _ = self.connect(Hello)
        protocol.dataReceived(b"ab")
        self.wait(2.5)
        protocol.dataReceived(b"c")
        self.assertEqual(self.visits, [])
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.visits, [Visit("hello", "tcp", PEER, 1, 2.5, 3, 10, Outcome.DONE)])
        self.assertEqual(self.census.outcomes, {Outcome.DONE: 1})

    def test_serials(self) -> None:
        """
        Serial numbers are consecutive.
        """
        for _ in range(3):
            self.connect(Greet)[0].connectionLost(Failure(ConnectionDone()))
        self.assertEqual([visit.serial for visit in self.visits], [1, 2, 3])

    def test_synchronousCloseLeavesNoTimer(self) -> None:
        """
        A transport that disconnects within C{loseConnection} leaves no timer.
        """
        for responder in (Greet, FiniteOutput, Welcome):
            transport = StringTransportWithDisconnection(peerAddress=PEER)
            protocol = self.factory(responder).buildProtocol(PEER)
            assert isinstance(protocol, StreamProtocol)
            transport.protocol = protocol
            protocol.makeConnection(transport)
            if responder is FiniteOutput:
                protocol.resumeProducing()
            if transport.connected:
                protocol.dataReceived(b"1")
            self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.outcomes, [Outcome.FINISHED] * 3)


class FirstMessageTests(StreamCase):
    """
    The responder's own deadline for the first message.
    """

    def test_silentPeerIsClosedAtTheDeadline(self) -> None:
        """
        Welcome closes cleanly after five seconds without input, and sends nothing.
        """
        protocol, transport = self.connect(Welcome)
        self.wait(4.875)
        self.assertFalse(transport.disconnecting)
        self.wait(0.125)
        self.assertEqual((transport.disconnecting, transport.disconnected, transport.value()), (True, False, b""))
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.visits, [Visit("welcome", "tcp", PEER, 1, 5.0, 0, 0, Outcome.TIMED_OUT)])

    def test_peerSeesAFinAtTheDeadline(self) -> None:
        """
        At the deadline the peer receives a FIN. Later input is not answered.
        """
        peer = self.peer(Welcome)
        self.wait(5)
        self.assertTrue(peer.sawEnd)
        peer.say(b"1")
        peer.end()
        self.assertEqual((peer.read(), peer.sawReset, self.outcomes), (b"", False, [Outcome.TIMED_OUT]))

    def test_firstByteEndsTheDeadline(self) -> None:
        """
        The deadline no longer applies after the first byte.
        """
        protocol, transport = self.connect(faulty("nowhere"))
        self.wait(4.875)
        protocol.dataReceived(b"x")
        self.wait(100)
        self.assertEqual((transport.disconnecting, transport.value()), (False, b"x"))

    def test_policyReplacesTheDeadline(self) -> None:
        """
        The policy's timeout replaces the deadline of responders that have one, and only of these.
        """
        _, other = self.connect(Echo, timeout=2.0)
        _, transport = self.connect(Welcome, timeout=2.0)
        self.wait(1.875)
        self.assertFalse(transport.disconnecting)
        self.wait(0.125)
        self.assertTrue(transport.disconnecting)
        self.assertFalse(other.disconnecting)

    def test_zeroLeavesTheIdleTimeout(self) -> None:
        """
        A timeout of 0 disables the deadline. The idle timeout still applies.
        """
        protocol, transport = self.connect(Welcome, timeout=0, idleTimeout=60.0)
        self.wait(59.875)
        self.assertFalse(transport.disconnecting)
        self.wait(0.125)
        self.assertTrue(transport.disconnecting)
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.outcomes, [Outcome.IDLE])

    def test_emptyInputIsAnswered(self) -> None:
        """
        A peer that closes its side without a byte gets the reply to an empty message, whatever the timeout is.
        """
        for timeout in (None, 0.0, 60.0):
            peer = self.peer(Welcome, timeout=timeout)
            peer.end()
            self.assertEqual(peer.read(), b"please go out!")
            self.assertTrue(peer.sawEnd)
        self.assertEqual(self.outcomes, [Outcome.DONE] * 3)

    def test_emptyInputIsAnsweredByRespondersWithADeadline(self) -> None:
        """
        An empty message is passed only to a responder that has a deadline, has received nothing and generates no
        output.
        """
        patient = type("Patient", (Hello,), {"deadline": 5.0})
        talking = type("Talking", (FiniteOutput,), {"deadline": 5.0, "generate": lambda _: iter([bytes(65536)] * 5)})
        for responder, segments, length in (
            (Hello, [], 0),
            (patient, [], 5),
            (patient, [b"x"], 5),
            (talking, [], 65536),
        ):
            peer = self.peer(responder, room=1000)
            peer.say(*segments)
            peer.end()
            self.assertEqual((len(peer.read()), peer.sawEnd), (length, True))
        self.assertEqual(self.outcomes, [Outcome.DONE] * 4)


class IdleTests(StreamCase):
    """
    The idle timeout.
    """

    def test_silentPeerIsClosedCleanly(self) -> None:
        """
        A peer that sends nothing until the idle timeout is closed cleanly.
        """
        peer = self.peer(Echo, idleTimeout=300.0)
        self.wait(299.875)
        self.assertFalse(peer.sawEnd)
        self.wait(0.125)
        self.assertTrue(peer.sawEnd)
        peer.end()
        self.assertEqual(self.visits, [Visit("echo", "tcp", PEER, 1, 300.0, 0, 0, Outcome.IDLE)])

    def test_inputPostponesTheTimeout(self) -> None:
        """
        The idle time starts at the last input.
        """
        protocol, transport = self.connect(Discard, idleTimeout=10.0)
        for _ in range(5):
            self.wait(9.875)
            protocol.dataReceived(b"x")
        self.wait(9.875)
        self.assertFalse(transport.disconnecting)
        self.wait(0.125)
        self.assertTrue(transport.disconnecting)

    def test_zeroDisablesTheTimeout(self) -> None:
        """
        A timeout of 0 disables it.
        """
        _, transport = self.connect(Echo, idleTimeout=0)
        self.wait(3600)
        self.assertFalse(transport.disconnecting)

    def test_notIdleWhileOutputIsPending(self) -> None:
        """
        A peer that reads slowly is not idle. The idle time starts when it has all pending output.
        """
        peer = self.peer(Echo, room=1000, idleTimeout=5.0)
        peer.say(bytes(65536), bytes(65536))
        for _ in range(60):
            self.wait(1)
            peer.read(1000)
        self.assertFalse(peer.sawReset)
        peer.read()
        self.wait(4.875)
        self.assertFalse(peer.sawEnd)
        self.wait(1.125)
        self.assertTrue(peer.sawEnd)
        peer.end()
        self.assertEqual(self.outcomes, [Outcome.IDLE])

    def test_idleAfterPendingOutputWithoutAStallTimeout(self) -> None:
        """
        Without a stall timeout, a peer that had pending output becomes idle later.
        """
        peer = self.peer(Echo, room=1000, idleTimeout=10.0, stallTimeout=0)
        peer.say(bytes(5000))
        self.wait(60)
        self.assertEqual(len(peer.read()), 5000)
        self.wait(11)
        self.assertTrue(peer.sawEnd)

    def test_lateTimer(self) -> None:
        """
        A timer that fires late checks every timeout against the current time.
        """
        _, idle = self.connect(Echo, idleTimeout=10.0)
        _, other = self.connect(Echo, idleTimeout=10_000.0)
        self.clock.advance(5000)
        self.assertEqual((idle.disconnecting, other.disconnecting), (True, False))


class BackPressureTests(StreamCase):
    """
    Peers that read slowly or not at all.
    """

    def test_readingPausesWhileOutputIsPending(self) -> None:
        """
        The protocol stops reading when the transport pauses it, and resumes when all output is written.
        """
        protocol, transport = self.connect(Echo)
        self.assertEqual((transport.producer, transport.streaming), (protocol, True))
        protocol.pauseProducing()
        self.assertEqual(transport.producerState, "paused")
        protocol.resumeProducing()
        self.assertEqual(transport.producerState, "producing")

    def test_unreadInputStaysInTheKernel(self) -> None:
        """
        The input of a peer that does not read stays in the kernel until the peer reads.
        """
        peer = self.peer(Echo, room=1000)
        peer.say(*[bytes(65536)] * 10)
        self.assertEqual(peer.unread, 8 * 65536)
        self.assertLessEqual(peer.buffered, BOUND)
        self.assertEqual(len(peer.read()), 655360)
        self.assertEqual(peer.unread, 0)

    def test_stalledPeerIsReset(self) -> None:
        """
        A peer that acknowledges nothing until the stall timeout is reset.
        """
        peer = self.peer(Echo, room=1000, stallTimeout=30.0)
        self.wait(10)
        peer.say(bytes(65536), bytes(65536), b"never read")
        self.wait(29.875)
        self.assertFalse(peer.sawReset)
        self.wait(1.125)
        self.assertTrue(peer.sawReset)
        seconds = self.visits[0].seconds
        self.assertTrue(40 <= seconds <= 41)
        self.assertEqual(self.visits, [Visit("echo", "tcp", PEER, 1, seconds, 131072, 131072, Outcome.STALLED)])

    def test_stalledWithLittlePendingOutput(self) -> None:
        """
        A peer stalls within twice the timeout even if its pending output is too little to pause the transport, whatever
        the idle timeout is.
        """
        peers = [self.peer(Echo, room=1000, stallTimeout=30.0, idleTimeout=idle) for idle in (0, 300.0)]
        for peer in peers:
            peer.say(bytes(2000))
        self.wait(62)
        self.assertEqual([peer.sawReset for peer in peers], [True, True])

    def test_stalledLater(self) -> None:
        """
        A peer that has taken every reply so far is reset when it stops reading.
        """
        peer = self.peer(Echo, room=1000, stallTimeout=30.0, idleTimeout=0)
        peer.say(b"taken")
        peer.read()
        self.wait(10)
        peer.say(bytes(2000))
        self.wait(34)
        self.assertEqual(self.outcomes, [Outcome.STALLED])

    def test_stalledWithoutHalfClose(self) -> None:
        """
        The stall timeout counts from the close, although the transport cannot half-close and the kernel has all output.
        """
        protocol, transport = self.connect(Greet, UnackedTransport(HOST, PEER), stallTimeout=1.0)
        self.wait(0.875)
        self.assertFalse(transport.disconnected)
        self.wait(0.375)
        self.assertTrue(transport.disconnected)
        protocol.connectionLost(Failure(ConnectionAborted()))
        self.assertEqual(self.outcomes, [Outcome.STALLED])

    def test_stalledWhilePaused(self) -> None:
        """
        A peer stalls on a transport that only reports that it is paused.
        """
        protocol, transport = self.connect(Echo, stallTimeout=30.0)
        protocol.pauseProducing()
        self.wait(31)
        self.assertTrue(transport.disconnected)
        protocol.connectionLost(Failure(ConnectionAborted()))
        self.assertEqual(self.outcomes, [Outcome.STALLED])

    def test_stalledGeneratedOutput(self) -> None:
        """
        A peer that does not read generated output stalls.
        """
        peer = self.peer(Chargen, room=1000, stallTimeout=30.0)
        peer.read(1_000_000)
        self.assertLessEqual(peer.buffered, BOUND)
        self.wait(31)
        self.assertTrue(peer.sawReset)
        self.assertEqual(self.outcomes, [Outcome.STALLED])

    def test_progressPostponesTheStall(self) -> None:
        """
        A peer that reads something within each timeout is kept, however slow it is.
        """
        for responder in (Echo, Chargen):
            peer = self.peer(responder, room=1000, stallTimeout=30.0)
            peer.say(bytes(65536), bytes(65536))
            for _ in range(20):
                self.wait(28)
                peer.read(100)
            self.assertFalse(peer.sawReset)
            peer.reset()

    def test_zeroDisablesTheStallTimeout(self) -> None:
        """
        A timeout of 0 disables it.
        """
        peer = self.peer(Echo, room=1000, stallTimeout=0)
        peer.say(bytes(65536), bytes(65536))
        self.wait(3600)
        self.assertFalse(peer.sawReset)
        peer.reset()

    def test_resumedPeerHasTheWholeTimeout(self) -> None:
        """
        A peer that has read everything has the whole timeout for the next output.
        """
        peer = self.peer(Echo, room=1000, stallTimeout=30.0)
        for _ in range(5):
            peer.say(bytes(65536), bytes(65536))
            self.wait(28)
            self.assertEqual(len(peer.read()), 131072)
        self.assertFalse(peer.sawReset)


class EndTests(StreamCase):
    """
    The ways in which a connection ends.
    """

    def test_finIsFollowedByAllPendingOutput(self) -> None:
        """
        A peer that closes its side gets all pending output, then the connection closes.
        """
        peer = self.peer(Echo, room=1000)
        peer.say(bytes(50_000))
        peer.end()
        self.assertEqual(self.visits, [])
        self.assertEqual(len(peer.read()), 50_000)
        self.assertTrue(peer.sawEnd)
        self.assertEqual(self.visits, [Visit("echo", "tcp", PEER, 1, 0.0, 50_000, 50_000, Outcome.DONE)])

    def test_finEndsGeneratedOutput(self) -> None:
        """
        The peer's FIN ends generated output. The block that was begun is sent.
        """
        peer = self.peer(Chargen, room=1000)
        peer.read(200_000)
        peer.end()
        self.assertEqual(self.visits, [])
        peer.read()
        self.assertTrue(peer.sawEnd)
        self.assertEqual((len(peer.heard), self.outcomes), (self.visits[0].sent, [Outcome.DONE]))

    def test_finBehindUnreadInput(self) -> None:
        """
        A FIN behind unread input takes effect after this input is answered.
        """
        peer = self.peer(Echo, room=1000)
        peer.say(*[bytes(65536)] * 8)
        peer.end()
        self.assertEqual(len(peer.read()), 8 * 65536)
        self.assertEqual(self.outcomes, [Outcome.DONE])

    def test_inputDoesNotDestroyTheLastOutput(self) -> None:
        """
        After its last output the server reads for another second, because unread input would reset the connection.
        """
        peer = self.peer(Welcome)
        peer.say(b"1")
        for _ in range(7):
            self.wait(0.125)
            peer.say(bytes(100_000))
        self.assertFalse(peer.sawReset)
        self.assertEqual((peer.read(), peer.sawEnd), (b"welcome to server!", True))
        peer.end()
        self.assertEqual(self.visits, [Visit("welcome", "tcp", PEER, 1, 0.875, 700_001, 18, Outcome.FINISHED)])

    def test_lingeringEndsAfterASecond(self) -> None:
        """
        The connection closes after a second if the peer does not close its side.
        """
        peer = self.peer(Greet)
        self.assertEqual((peer.read(), peer.sawEnd, self.visits), (b"connected", True, []))
        self.wait(0.875)
        self.assertEqual(self.visits, [])
        self.wait(0.125)
        self.assertEqual(self.visits, [Visit("greet", "tcp", PEER, 1, 1.0, 0, 9, Outcome.FINISHED)])
        self.assertFalse(peer.sawReset)

    def test_closeGraceDoesNotApplyWhileLingering(self) -> None:
        """
        A peer that has all output is not reset while the server lingers, however short the close grace is.
        """
        peer = self.peer(Greet, closeGrace=0.25)
        self.wait(1)
        self.assertEqual((peer.read(), peer.sawEnd, self.outcomes), (b"connected", True, [Outcome.FINISHED]))

    def test_lingeringResumesReading(self) -> None:
        """
        Lingering resumes reading that the last output had paused.
        """

        class Long(Responder):
            name = "long"
            port = 1

            def answer(self, message: bytes) -> bytes:
                self.finished = len(message) == 1
                return bytes(100_000)

        peer = self.peer(Long, room=1000)
        peer.say(b"12", b"1")
        self.assertEqual(len(peer.read(150_000)), 150_000)
        peer.say(b"more")
        peer.end()
        self.assertEqual((peer.unread, len(peer.read())), (0, 50_000))
        self.assertEqual(self.outcomes, [Outcome.FINISHED])

    def test_closeGraceEndsInAReset(self) -> None:
        """
        A peer that has all output, and whose connection does not end within the close grace, is reset.
        """
        protocol, transport = self.connect(Greet, closeGrace=5.0)
        self.wait(4.875)
        self.assertFalse(transport.disconnected)
        self.wait(0.625)
        self.assertTrue(transport.disconnected)
        protocol.connectionLost(Failure(ConnectionAborted()))
        self.assertEqual(self.outcomes, [Outcome.GRACE])

    def test_stalledWhileClosing(self) -> None:
        """
        While the connection closes, the stall timeout applies to the pending output.
        """
        for responder, start in ((Greet, bytes), (Echo, lambda: bytes(5000))):
            peer = self.peer(responder, room=4, closeGrace=5.0, stallTimeout=60.0)
            peer.say(start())
            peer.end()
            self.wait(59.875)
            self.assertFalse(peer.sawReset)
            self.wait(1.125)
            self.assertTrue(peer.sawReset)
        self.assertEqual(self.outcomes, [Outcome.STALLED] * 2)

    def test_progressWhileClosing(self) -> None:
        """
        A peer that has closed its side and reads slowly gets all output.
        """
        peer = self.peer(Echo, room=1000, closeGrace=1.0, stallTimeout=5.0)
        peer.say(bytes(60_000))
        peer.end()
        while not peer.sawEnd:
            self.wait(4)
            peer.read(1000)
        self.assertEqual((len(peer.heard), self.outcomes), (60_000, [Outcome.DONE]))

    def test_zeroDisablesBothTimeouts(self) -> None:
        """
        A value of 0 disables the close grace and the stall timeout.
        """
        peer = self.peer(Echo, room=1000, closeGrace=0, stallTimeout=0)
        peer.say(bytes(5000))
        peer.end()
        self.wait(3600)
        self.assertEqual(len(peer.read()), 5000)
        self.assertEqual(self.outcomes, [Outcome.DONE])

    def test_transportWithoutHalfClose(self) -> None:
        """
        A transport without half-close is closed.
        """
        protocol, transport = self.connect(Greet)
        self.assertEqual((transport.disconnecting, transport.producer), (True, None))
        protocol.readConnectionLost()
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.outcomes, [Outcome.FINISHED])

    def test_closingResumesReadingWithoutHalfClose(self) -> None:
        """
        Closing resumes paused reading on a transport without half-close: TLS needs the peer's answer.
        """
        protocol, transport = self.connect(Welcome)
        protocol.pauseProducing()
        protocol.dataReceived(b"1")
        self.assertEqual((transport.producerState, transport.disconnecting), ("producing", True))

    def test_tlsIsNotHalfClosed(self) -> None:
        """
        TLS has no half-close: closing only the write side would cut off data that TLS still buffers.
        """

        @implementer(ISSLTransport)
        class Secure(StringTransport):  # type: ignore[misc]
            def loseWriteConnection(self) -> None:
                raise AssertionError("it was cut off")

        _, transport = self.connect(Greet, Secure(HOST, PEER))
        self.assertTrue(transport.disconnecting)

    def test_noReplyAfterTheEnd(self) -> None:
        """
        Input after an abort or after C{connectionLost} is not answered.
        """
        for end in (lambda one: one.abort(Outcome.DRAINED), lambda one: one.connectionLost(Failure(ConnectionDone()))):
            protocol, transport = self.connect(Echo)
            end(protocol)
            protocol.dataReceived(b"hi~")
            self.assertEqual(transport.value(), b"")

    def test_outcomeOfALostConnection(self) -> None:
        """
        If the server has not ended the connection, a clean end is DONE and any other is RESET.
        """
        for reason in (ConnectionDone(), ConnectionLost(), ConnectionAborted(), OSError("no route")):
            protocol, _ = self.connect(Echo)
            protocol.dataReceived(b"hi~")
            protocol.connectionLost(Failure(reason))
        self.assertEqual(self.outcomes, [Outcome.DONE, Outcome.RESET, Outcome.RESET, Outcome.RESET])

    def test_outcomeOfTheServersReset(self) -> None:
        """
        If the server has aborted the connection, the outcome is its own reason.
        """
        for reason in (ConnectionAborted(), ConnectionLost(), ConnectionDone()):
            protocol, transport = self.connect(Echo)
            protocol.abort(Outcome.STALLED)
            protocol.abort(Outcome.DRAINED)
            self.assertTrue(transport.disconnected)
            protocol.connectionLost(Failure(reason))
        self.assertEqual(self.outcomes, [Outcome.STALLED] * 3)

    def test_resetBeforeTheLastOutputIsWritten(self) -> None:
        """
        A reset before the last output is written gives the outcome RESET.
        """
        peer = self.peer(Greet, room=4)
        peer.reset()
        self.assertEqual(self.outcomes, [Outcome.RESET])

    def test_resetAfterTheLastOutput(self) -> None:
        """
        A reset after the last output gives the outcome FINISHED.
        """
        peer = self.peer(Greet)
        peer.reset()
        self.assertEqual(self.outcomes, [Outcome.FINISHED])

    def test_resetWhilePaused(self) -> None:
        """
        A reset ends the conversation while reading is paused.
        """
        peer = self.peer(Echo, room=1000)
        peer.say(*[bytes(65536)] * 4)
        peer.reset()
        self.assertEqual(self.outcomes, [Outcome.RESET])


class FaultTests(StreamCase):
    """
    Responders and recorders that raise.
    """

    def test_responderThatRaises(self) -> None:
        """
        A responder that raises has its conversation reset. One printable line names the exception, the place and the
        peer.
        """
        for where in ("constructor", "greeting", "generate", "output", "answer"):
            peer = self.peer(faulty(where))
            peer.say(b"hi~")
            peer.read()
            self.assertTrue(peer.sawReset, where)
            (line,) = self.lines()
            self.assertIn("faulty raised RuntimeError", line)
            self.assertIn("with 192.0.2.7:40000 is reset", line)
            self.assertIn("test_stream.py:", line)
            self.assertTrue(line.isprintable())
        self.assertEqual(self.outcomes, [Outcome.ERROR] * 5)
        self.assertEqual(self.census.outcomes, {Outcome.ERROR: 5})

    def test_peerWithoutAnAddress(self) -> None:
        """
        A peer without an address is a dash in this line.
        """
        protocol, _ = self.connect(faulty("answer"), StringTransport(peerAddress=UNIXAddress(None)))
        protocol.dataReceived(b"hi~")
        self.assertIn("with - is reset", self.lines()[0])

    def test_answerToAnEmptyMessageRaises(self) -> None:
        """
        A responder that raises in the answer to an empty message has its conversation reset.
        """
        peer = self.peer(faulty("answer"))
        peer.end()
        self.assertTrue(peer.sawReset)
        self.assertEqual((self.outcomes, len(self.lines())), ([Outcome.ERROR], 1))

    def test_repliesOfTheWrongType(self) -> None:
        """
        A reply that is not bytes is an error of the responder.
        """
        for where in ("greeting", "answer", "generate"):
            data = {"greeting": "hi", "answer": "hi", "generate": ["hi"]}[where]
            responder = type("Mistaken", (Echo,), {where: lambda *_, data=data: data})
            peer = self.peer(responder)
            peer.say(b"hi~")
            self.assertTrue(peer.sawReset, where)
            (line,) = self.lines()
            self.assertIn("echo raised TypeError", line)
        self.assertEqual(self.outcomes, [Outcome.ERROR] * 3)

    def test_otherConversationsContinue(self) -> None:
        """
        An error in one conversation ends no other.
        """
        well = self.peer(Echo)
        self.peer(faulty("greeting"))
        well.say(b"hi~")
        self.assertEqual(well.read(), b"hi~")
        self.lines()

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
        peer.say(b"hi~")
        peer.end()
        self.assertEqual((peer.read(), peer.sawEnd), (b"hi~", True))
        lines = self.lines()
        self.assertEqual(len(lines), 2)
        self.assertIn("recording a visit raised RuntimeError", lines[0])
        self.assertEqual(self.census.outcomes, {Outcome.REFUSED: 1, Outcome.DONE: 1})
        self.census.outcomes.clear()


class InvariantTests(StreamCase):
    """
    What holds in every conversation.
    """

    def test_noByteLost(self) -> None:
        """
        All input before the peer's FIN is answered, however the peer segments it and reads.
        """
        data = bytes(range(256)) * 1024
        for size in (1013, 4096, 65536):
            for room in (700, 65536, 2**20):
                segments = [data[at : at + size] for at in range(0, len(data), size)]
                peer = self.peer(Echo, room=room)
                for number, segment in enumerate(segments):
                    peer.say(segment)
                    if number % 7 == 0:
                        self.wait(0.125)
                        peer.read(size)
                peer.end()
                peer.read()
                self.assertEqual(peer.heard, data)
                self.assertTrue(peer.sawEnd)

    def test_whatCannotBeDeliveredIsReset(self) -> None:
        """
        A peer that has not got all output never sees a clean end.
        """
        for end in (Peer.end, lambda _: self.wait(60), lambda peer: peer.protocol.factory.drain(5)):
            peer = self.peer(Echo, room=1000, stallTimeout=30.0)
            peer.say(bytes(3000))
            end(peer)
            self.wait(40)
            peer.read()
            self.assertTrue(peer.sawReset)
            self.assertFalse(peer.sawEnd)
        self.assertEqual(self.outcomes, [Outcome.STALLED, Outcome.STALLED, Outcome.DRAINED])

    def test_inputAfterTheServersCloseIsReset(self) -> None:
        """
        A peer whose input arrives after the server has closed for idleness or a drain is reset.
        """
        for stops in (False, True):
            peer = self.peer(Echo, idleTimeout=10.0)
            if stops:
                peer.protocol.factory.drain(5)
            self.wait(0.5 if stops else 10)
            peer.say(b"x")
            peer.end()
            self.wait(0.1)
            self.assertTrue(peer.sawReset)
        self.assertEqual(self.outcomes, [Outcome.IDLE, Outcome.DRAINED])

    def test_emptyGeneratedOutputYields(self) -> None:
        """
        Generated output of endless empty pieces does not block the reactor.
        """

        class Mute(Chargen):
            def generate(self) -> Iterator[bytes]:
                return repeat(b"")

        self.peer(Mute, idleTimeout=10.0)
        self.wait(11)
        self.assertEqual(self.outcomes, [Outcome.IDLE])

    def test_boundedMemory(self) -> None:
        """
        At most 128 KiB are buffered for a peer, whatever it sends and does not read.
        """
        for responder in (Echo, Upper, Chargen):
            peer = self.peer(responder, room=1000)
            for _ in range(30):
                peer.say(bytes(65536), bytes(50_000))
                peer.read(77_777)
                self.assertLessEqual(peer.buffered, BOUND)
            peer.reset()

    def test_everyConversationEnds(self) -> None:
        """
        With the default policy every peer is gone after some minutes.
        """
        for responder in (Echo, Discard, Chargen, Welcome, Greet, Hello):
            for segments in ((), (bytes(65536), bytes(65536))):
                peer = self.peer(responder, room=5)
                peer.say(*segments)
                self.wait(362)
                self.assertEqual(len(self.visits), 1, responder.name)
                self.visits.clear()
                self.census.outcomes.clear()

    def test_oneTimerForAConversation(self) -> None:
        """
        One delayed call serves all timeouts. Segments do not move it.
        """
        peer = self.peer(Welcome, timeout=60.0)
        protocol, _ = self.connect(Echo)
        protocol.dataReceived(b"x")
        timers = self.clock.getDelayedCalls()
        due = [timer.getTime() for timer in timers]
        self.assertEqual(len(timers), 2)
        for _ in range(400):
            protocol.dataReceived(b"x")
            self.clock.advance(0.001)
        self.assertEqual(self.clock.getDelayedCalls(), timers)
        self.assertEqual([timer.getTime() for timer in timers], due)
        peer.say(b"1")
        self.assertEqual(len(self.clock.getDelayedCalls()), 2)

    def test_sameReplyOnEveryTransport(self) -> None:
        """
        The protocol replies in the same way on Twisted's TCP transport and on one in memory.
        """
        for responder in (Echo, Upper, Hello, Welcome, Greet, Daytime, Users, Discard, Time):
            peer = self.peer(responder)
            protocol, transport = self.connect(responder)
            for segment in (b"1", b"and more"):
                peer.say(segment)
                protocol.dataReceived(segment)
            self.assertEqual(peer.read(), transport.value())
            self.assertEqual(peer.sawEnd, transport.disconnecting)


#: What a peer, the network, the clock and the server may do to a conversation.
EVENTS = st.one_of(
    st.tuples(st.just("say"), st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("say"), st.integers(1, 200_000).map(bytes)),
    st.tuples(st.just("read"), st.integers(1, 300_000)),
    st.tuples(st.just("wait"), st.floats(0, 40)),
    st.sampled_from([("end",), ("reset",), ("drain",), ("cut",)]),
)


class ArbitraryTests(LogCase):
    """
    Arbitrary events in arbitrary order.
    """

    RESPONDERS = (Echo, Discard, Hello, Welcome, Greet, Chargen, FiniteOutput, faulty("answer"), faulty("output"))

    @settings(deadline=None, max_examples=300)
    @given(responder=st.sampled_from(RESPONDERS), events=st.lists(EVENTS, max_size=12), room=st.integers(1, 300_000))
    def test_anyEvents(self, responder: type[Responder], events: list[tuple[Any, ...]], room: int) -> None:
        """
        Nothing raises, a conversation ends and is counted once, no timer remains, the buffer is bounded, and a peer
        that sees a clean end has all output.
        """
        clock, census, visits = MemoryReactorClock(), Census(fixedEnvironment()), list[Visit]()
        factory = StreamFactory(responder, Policy(idleTimeout=50.0), visits.append, clock, census)
        peer = Peer(factory, clock, room)
        sent, ended = b"", False
        for kind, *what in events:
            if kind == "wait":
                clock.advance(what[0])
            elif kind == "drain":
                factory.drain(10)
            elif kind == "cut":
                factory.abortAll()
            elif kind != "say":
                ended = ended or kind == "end"
                getattr(peer, kind)(*what)
            elif not ended:
                sent += what[0]
                peer.say(*what)
            peer.turn()
            self.assertLessEqual(peer.buffered, BOUND)
        for _ in range(400):
            clock.advance(0.25)
            peer.turn()
        peer.read()
        (visit,) = visits
        self.assertEqual((census.connections, census.outcomes), (0, {visit.outcome: 1}))
        self.assertEqual(clock.getDelayedCalls(), [])
        self.assertLessEqual(visit.received, len(sent))
        if peer.sawEnd and ("reset",) not in events:
            self.assertEqual(len(peer.heard), visit.sent)
            if responder is Echo:
                # What comes after the server has ended a quiet connection is dropped.
                self.assertEqual(peer.heard, sent if visit.outcome is Outcome.DONE else sent[: visit.sent])

    @settings(deadline=None, max_examples=200)
    @given(events=st.lists(st.sampled_from(["pause", "resume", "say", "end", "wait", "lost"]), max_size=12))
    def test_anyOrderOfCalls(self, events: list[str]) -> None:
        """
        A transport in memory may call the protocol in any order.
        """
        clock, census, visits = MemoryReactorClock(), Census(fixedEnvironment()), list[Visit]()
        protocol = StreamFactory(Welcome, Policy(), visits.append, clock, census).buildProtocol(PEER)
        assert isinstance(protocol, StreamProtocol)
        transport = StringTransport(peerAddress=PEER)
        protocol.makeConnection(transport)
        for event in [*events, "lost"]:
            producer: Any = transport.producer
            if event == "lost":
                protocol.connectionLost(Failure(ConnectionLost()))
                break
            if event == "say":
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
