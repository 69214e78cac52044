"""
Conversations over streams: what is said, when they end, and under which outcome.
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

#: The most bytes that the server may hold in user space for one peer.
BOUND = 128 * 1024


class Brief(Responder):
    """
    Talks, but not for ever.
    """

    name = "brief"
    port = 1

    def answer(self, message: bytes) -> bytes:
        """
        Never asked on a stream.
        """
        return b"an answer"

    def generate(self) -> Iterator[bytes]:
        """
        Some words.
        """
        return iter([b"once ", b"and ", b"no more"])


class Faulty(Responder):
    """
    Raises wherever it is told to.
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
            raise RuntimeError("as told\x1b[31m\n2026-11-21 forged")

    def greeting(self) -> None:
        """
        Raise, if here.
        """
        self._maybe("greeting")

    def answer(self, message: bytes) -> bytes:
        """
        Raise, if here.
        """
        self._maybe("answer")
        return message

    def generate(self) -> Iterator[bytes] | None:
        """
        Raise, if here or in the words.
        """
        self._maybe("generate")
        return self._words() if self.where == "words" else None

    def _words(self) -> Iterator[bytes]:
        yield PATTERN * 9
        self._maybe("words")


def faulty(where: str) -> type[Faulty]:
    """
    A responder that raises there.
    """
    return type("Told", (Faulty,), {"where": where})


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
    Tests for what is said, on a transport that keeps it.
    """

    def said(self, responder: type[Responder], *segments: bytes) -> tuple[bytes, bool]:
        """
        What is said to a peer that sends these segments, and whether the responder hangs up.
        """
        protocol, transport = self.connect(responder)
        for segment in segments:
            protocol.dataReceived(segment)
        return transport.value(), transport.disconnecting

    def test_thosewhoAnswer(self) -> None:
        """
        The services that answer do so segment by segment, and leave the end to the peer.
        """
        self.assertEqual(self.said(Echo, b"hi~", b"\0\xff"), (b"hi~\0\xff", False))
        self.assertEqual(self.said(Discard, b"hi~", b"\0\xff"), (b"", False))
        self.assertEqual(self.said(Upper, b"Hello \xc3", b"\xa4 world"), (b"HELLO \xc3\xa4 WORLD", False))
        self.assertEqual(self.said(Hello, b"hi~", b"hi~"), (b"hellohello", False))

    def test_welcome(self) -> None:
        """
        One word decides; then the server ends, and what comes after it is not answered.
        """
        for word in (b"1", b"1\n", b"1\r\n"):
            self.assertEqual(self.said(Welcome, word, b"1"), (b"welcome to server!", True))
        for word in (b"2", b"11", b" 1"):
            self.assertEqual(self.said(Welcome, word, b"1"), (b"please go out!", True))

    def test_thoseWhoOnlyOpen(self) -> None:
        """
        The services that have one thing to say say it unasked, and end.
        """
        self.assertEqual(self.said(Greet, b"hi~"), (b"connected", True))
        self.assertEqual(self.said(Daytime), (b"Sat Nov 21 00:26:40 2026\r\n", True))
        self.assertEqual(self.said(Time), ((1795220800 + 2208988800).to_bytes(4, "big"), True))
        self.assertEqual(self.said(Users), (b"ada\r\n", True))
        quote, ended = self.said(Quote)
        self.assertIn(quote, QUOTES)
        self.assertTrue(ended)

    def test_whoami(self) -> None:
        """
        The responder sees both addresses, the transport, and the conversation's number.
        """
        line, ended = self.said(Whoami)
        seen = {"peer": "192.0.2.7:40000", "host": "192.0.2.1:8007", "transport": "tcp", "serial": 1, "server": "here"}
        self.assertEqual((json.loads(line), ended), (seen, True))

    def test_unix(self) -> None:
        """
        A peer without an address comes by a Unix socket, and is recorded so.
        """
        protocol, transport = self.connect(Whoami, StringTransport(UNIXAddress("/run/whoami.sock"), UNIXAddress(None)))
        seen = {"peer": None, "host": "/run/whoami.sock", "transport": "unix", "serial": 1, "server": "here"}
        self.assertEqual(json.loads(transport.value()), seen)
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((self.visits[0].transport, self.visits[0].peer), ("unix", UNIXAddress(None)))

    def test_chargen(self) -> None:
        """
        Endless talk is written whenever the transport asks for more, as a pull producer; input is dropped.
        """
        protocol, transport = self.connect(Chargen)
        self.assertEqual((transport.producer, transport.streaming), (protocol, False))
        protocol.dataReceived(b"be quiet")
        for _ in range(3):
            transport.clear()
            protocol.resumeProducing()
            words = transport.value()
            self.assertTrue(len(words) >= 65536 and words == PATTERN * (len(words) // len(PATTERN)))
        self.assertFalse(transport.disconnecting)

    def test_aTalkThatEnds(self) -> None:
        """
        When the talk is over, so is the conversation: what comes then is not answered.
        """
        peer = self.peer(Brief)
        peer.say(b"and then?")
        self.assertEqual(peer.read(), b"once and no more")
        self.assertTrue(peer.sawEnd)
        peer.end()
        self.assertEqual(self.visits, [Visit("brief", "tcp", PEER, 1, 0.0, 9, 16, Outcome.FINISHED)])

    def test_aTalkOfWholePieces(self) -> None:
        """
        A talk is said to its end, also if that is where a piece is full.
        """
        peer = self.peer(type("Full", (Brief,), {"generate": lambda _: iter([bytes(65536)] * 5)}))
        self.assertEqual(len(peer.read()), 5 * 65536)
        self.assertTrue(peer.sawEnd)

    def test_whoHasFinishedDoesNotTalk(self) -> None:
        """
        An opening that ends the conversation leaves nothing to talk about.
        """
        peer = self.peer(type("Both", (Greet,), {"generate": Brief.generate}))
        self.assertEqual((peer.read(), peer.sawEnd), (b"connected", True))

    def test_aResponderThatIsCalled(self) -> None:
        """
        Anything that makes a responder of a conversation will do; the visit bears the responder's own name.
        """

        def make(conversation: Conversation) -> Responder:
            return Echo(conversation)

        protocol, transport = self.connect(make)
        protocol.dataReceived(b"hi~")
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((transport.value(), self.visits[0].service), (b"hi~", "echo"))

    def test_interfaces(self) -> None:
        """
        Transports find out that it can half-close, and that it is a producer of both kinds.
        """
        protocol, _ = self.connect(Echo)
        for interface in (IHalfCloseableProtocol, IPushProducer, IPullProducer):
            self.assertTrue(verifyObject(interface, protocol))

    def test_visit(self) -> None:
        """
        One visit says who came, by what, for how long, what went to and fro, and how it ended.
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
        Each conversation has the next number.
        """
        for _ in range(3):
            self.connect(Greet)[0].connectionLost(Failure(ConnectionDone()))
        self.assertEqual([visit.serial for visit in self.visits], [1, 2, 3])

    def test_transportsThatEndAtOnce(self) -> None:
        """
        A transport that is gone as soon as it is asked to close leaves no timer behind.
        """
        for responder in (Greet, Brief, Welcome):
            transport = StringTransportWithDisconnection(peerAddress=PEER)
            protocol = self.factory(responder).buildProtocol(PEER)
            assert isinstance(protocol, StreamProtocol)
            transport.protocol = protocol
            protocol.makeConnection(transport)
            if responder is Brief:
                protocol.resumeProducing()
            if transport.connected:
                protocol.dataReceived(b"1")
            self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.outcomes, [Outcome.FINISHED] * 3)


class FirstMessageTests(StreamCase):
    """
    Tests for a responder's own deadline.
    """

    def test_timeOut(self) -> None:
        """
        Five seconds of silence, and Welcome ends in good order, with nothing said.
        """
        protocol, transport = self.connect(Welcome)
        self.wait(4.875)
        self.assertFalse(transport.disconnecting)
        self.wait(0.125)
        self.assertEqual((transport.disconnecting, transport.disconnected, transport.value()), (True, False, b""))
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.visits, [Visit("welcome", "tcp", PEER, 1, 5.0, 0, 0, Outcome.TIMED_OUT)])

    def test_timeOutIsClean(self) -> None:
        """
        The peer sees a FIN; its word comes too late.
        """
        peer = self.peer(Welcome)
        self.wait(5)
        self.assertTrue(peer.sawEnd)
        peer.say(b"1")
        peer.end()
        self.assertEqual((peer.read(), peer.sawReset, self.outcomes), (b"", False, [Outcome.TIMED_OUT]))

    def test_inTime(self) -> None:
        """
        The first byte ends the deadline.
        """
        protocol, transport = self.connect(faulty("nowhere"))
        self.wait(4.875)
        protocol.dataReceived(b"x")
        self.wait(100)
        self.assertEqual((transport.disconnecting, transport.value()), (False, b"x"))

    def test_policy(self) -> None:
        """
        The policy may set it otherwise, for those that have one.
        """
        _, other = self.connect(Echo, timeout=2.0)
        _, transport = self.connect(Welcome, timeout=2.0)
        self.wait(1.875)
        self.assertFalse(transport.disconnecting)
        self.wait(0.125)
        self.assertTrue(transport.disconnecting)
        self.assertFalse(other.disconnecting)

    def test_off(self) -> None:
        """
        0 switches it off: then silence is idleness.
        """
        protocol, transport = self.connect(Welcome, timeout=0, idleTimeout=60.0)
        self.wait(59.875)
        self.assertFalse(transport.disconnecting)
        self.wait(0.125)
        self.assertTrue(transport.disconnecting)
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.outcomes, [Outcome.IDLE])

    def test_endWithoutAByte(self) -> None:
        """
        Who ends without a byte is answered as who says nothing, with the deadline switched off too.
        """
        for timeout in (None, 0.0, 60.0):
            peer = self.peer(Welcome, timeout=timeout)
            peer.end()
            self.assertEqual(peer.read(), b"please go out!")
            self.assertTrue(peer.sawEnd)
        self.assertEqual(self.outcomes, [Outcome.DONE] * 3)

    def test_onlyThoseWithADeadline(self) -> None:
        """
        Others are not asked about a peer that ends without a byte, nor about one that said something.
        """
        patient = type("Patient", (Hello,), {"deadline": 5.0})
        talking = type("Talking", (Brief,), {"deadline": 5.0, "generate": lambda _: iter([bytes(65536)] * 5)})
        for responder, segments, said in ((Hello, [], 0), (patient, [], 5), (patient, [b"x"], 5), (talking, [], 65536)):
            peer = self.peer(responder, room=1000)
            peer.say(*segments)
            peer.end()
            self.assertEqual((len(peer.read()), peer.sawEnd), (said, True))
        self.assertEqual(self.outcomes, [Outcome.DONE] * 4)


class IdleTests(StreamCase):
    """
    Tests for the idle timeout.
    """

    def test_idle(self) -> None:
        """
        A peer that sends nothing for so long is ended in good order.
        """
        peer = self.peer(Echo, idleTimeout=300.0)
        self.wait(299.875)
        self.assertFalse(peer.sawEnd)
        self.wait(0.125)
        self.assertTrue(peer.sawEnd)
        peer.end()
        self.assertEqual(self.visits, [Visit("echo", "tcp", PEER, 1, 300.0, 0, 0, Outcome.IDLE)])

    def test_bytesPostpone(self) -> None:
        """
        It is the bytes received that count.
        """
        protocol, transport = self.connect(Discard, idleTimeout=10.0)
        for _ in range(5):
            self.wait(9.875)
            protocol.dataReceived(b"x")
        self.wait(9.875)
        self.assertFalse(transport.disconnecting)
        self.wait(0.125)
        self.assertTrue(transport.disconnecting)

    def test_off(self) -> None:
        """
        0 switches it off.
        """
        _, transport = self.connect(Echo, idleTimeout=0)
        self.wait(3600)
        self.assertFalse(transport.disconnecting)

    def test_notWhileOwed(self) -> None:
        """
        A peer that slowly takes what it is owed is not idle; once it has all, its time begins anew.
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

    def test_withoutStallTimeout(self) -> None:
        """
        Where stalled peers have all the time in the world, one that was owed something is idle later all the same.
        """
        peer = self.peer(Echo, room=1000, idleTimeout=10.0, stallTimeout=0)
        peer.say(bytes(5000))
        self.wait(60)
        self.assertEqual(len(peer.read()), 5000)
        self.wait(11)
        self.assertTrue(peer.sawEnd)

    def test_aLateTimer(self) -> None:
        """
        When the whole process has slept, what was due is done at once, and only that.
        """
        _, idle = self.connect(Echo, idleTimeout=10.0)
        _, other = self.connect(Echo, idleTimeout=10_000.0)
        self.clock.advance(5000)
        self.assertEqual((idle.disconnecting, other.disconnecting), (True, False))


class BackPressureTests(StreamCase):
    """
    Tests for peers that do not read, or slowly.
    """

    def test_pauseAndResume(self) -> None:
        """
        When the transport has enough to write the protocol stops its reading, until all is written.
        """
        protocol, transport = self.connect(Echo)
        self.assertEqual((transport.producer, transport.streaming), (protocol, True))
        protocol.pauseProducing()
        self.assertEqual(transport.producerState, "paused")
        protocol.resumeProducing()
        self.assertEqual(transport.producerState, "producing")

    def test_readingStops(self) -> None:
        """
        What a peer sends that does not read is left to the kernel, until it reads.
        """
        peer = self.peer(Echo, room=1000)
        peer.say(*[bytes(65536)] * 10)
        self.assertEqual(peer.unread, 8 * 65536)
        self.assertLessEqual(peer.buffered, BOUND)
        self.assertEqual(len(peer.read()), 655360)
        self.assertEqual(peer.unread, 0)

    def test_stalled(self) -> None:
        """
        A peer that takes nothing for so long is reset.
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

    def test_stalledOwedLittle(self) -> None:
        """
        So is one that is owed too little for the transport to pause anything, within twice the time, however long a
        silent peer that takes everything would be kept.
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

    def test_stalledPaused(self) -> None:
        """
        So is one whose transport only says that it is paused.
        """
        protocol, transport = self.connect(Echo, stallTimeout=30.0)
        protocol.pauseProducing()
        self.wait(31)
        self.assertTrue(transport.disconnected)
        protocol.connectionLost(Failure(ConnectionAborted()))
        self.assertEqual(self.outcomes, [Outcome.STALLED])

    def test_stalledTalk(self) -> None:
        """
        So is one that does not read an endless talk.
        """
        peer = self.peer(Chargen, room=1000, stallTimeout=30.0)
        peer.read(1_000_000)
        self.assertLessEqual(peer.buffered, BOUND)
        self.wait(31)
        self.assertTrue(peer.sawReset)
        self.assertEqual(self.outcomes, [Outcome.STALLED])

    def test_progressKeeps(self) -> None:
        """
        However slow a peer is, it is kept while it takes something in every such time.
        """
        for responder in (Echo, Chargen):
            peer = self.peer(responder, room=1000, stallTimeout=30.0)
            peer.say(bytes(65536), bytes(65536))
            for _ in range(20):
                self.wait(28)
                peer.read(100)
            self.assertFalse(peer.sawReset)
            peer.reset()

    def test_off(self) -> None:
        """
        0 switches it off.
        """
        peer = self.peer(Echo, room=1000, stallTimeout=0)
        peer.say(bytes(65536), bytes(65536))
        self.wait(3600)
        self.assertFalse(peer.sawReset)
        peer.reset()

    def test_aResumedPeerIsNotStalled(self) -> None:
        """
        Once it has taken all it has the whole time again.
        """
        peer = self.peer(Echo, room=1000, stallTimeout=30.0)
        for _ in range(5):
            peer.say(bytes(65536), bytes(65536))
            self.wait(28)
            self.assertEqual(len(peer.read()), 131072)
        self.assertFalse(peer.sawReset)


class EndTests(StreamCase):
    """
    Tests for the ways out.
    """

    def test_peerEnds(self) -> None:
        """
        A peer that ends its side is given all it is owed, then the connection is closed.
        """
        peer = self.peer(Echo, room=1000)
        peer.say(bytes(50_000))
        peer.end()
        self.assertEqual(self.visits, [])
        self.assertEqual(len(peer.read()), 50_000)
        self.assertTrue(peer.sawEnd)
        self.assertEqual(self.visits, [Visit("echo", "tcp", PEER, 1, 0.0, 50_000, 50_000, Outcome.DONE)])

    def test_peerEndsATalk(self) -> None:
        """
        A peer ends an endless talk by ending its side; what was begun is still said.
        """
        peer = self.peer(Chargen, room=1000)
        peer.read(200_000)
        peer.end()
        self.assertEqual(self.visits, [])
        peer.read()
        self.assertTrue(peer.sawEnd)
        self.assertEqual((len(peer.heard), self.outcomes), (self.visits[0].sent, [Outcome.DONE]))

    def test_peerEndsWhileReadingIsPaused(self) -> None:
        """
        A FIN behind input that is not read yet is seen after that has been answered.
        """
        peer = self.peer(Echo, room=1000)
        peer.say(*[bytes(65536)] * 8)
        peer.end()
        self.assertEqual(len(peer.read()), 8 * 65536)
        self.assertEqual(self.outcomes, [Outcome.DONE])

    def test_lastWordsSurviveInput(self) -> None:
        """
        After its last words the server reads on for a second, as input unread would destroy them.
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

    def test_linger(self) -> None:
        """
        A peer that does not end its side too is left after a second.
        """
        peer = self.peer(Greet)
        self.assertEqual((peer.read(), peer.sawEnd, self.visits), (b"connected", True, []))
        self.wait(0.875)
        self.assertEqual(self.visits, [])
        self.wait(0.125)
        self.assertEqual(self.visits, [Visit("greet", "tcp", PEER, 1, 1.0, 0, 9, Outcome.FINISHED)])
        self.assertFalse(peer.sawReset)

    def test_lingerIsNoGrace(self) -> None:
        """
        A peer that has taken everything is not reset, however short the grace is.
        """
        peer = self.peer(Greet, closeGrace=0.25)
        self.wait(1)
        self.assertEqual((peer.read(), peer.sawEnd, self.outcomes), (b"connected", True, [Outcome.FINISHED]))

    def test_lastWordsWithReadingPaused(self) -> None:
        """
        Reading goes on even if the last words were so long that it had been paused.
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

    def test_grace(self) -> None:
        """
        A connection whose end does not come in time, although the peer has everything, is reset.
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
        A peer that has ended its side, or that the server ends, has the whole stall timeout for what is pending.
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
        A peer that has ended its side and goes on reading, however slowly, gets everything.
        """
        peer = self.peer(Echo, room=1000, closeGrace=1.0, stallTimeout=5.0)
        peer.say(bytes(60_000))
        peer.end()
        while not peer.sawEnd:
            self.wait(4)
            peer.read(1000)
        self.assertEqual((len(peer.heard), self.outcomes), (60_000, [Outcome.DONE]))

    def test_noGrace(self) -> None:
        """
        0 switches both timeouts off.
        """
        peer = self.peer(Echo, room=1000, closeGrace=0, stallTimeout=0)
        peer.say(bytes(5000))
        peer.end()
        self.wait(3600)
        self.assertEqual(len(peer.read()), 5000)
        self.assertEqual(self.outcomes, [Outcome.DONE])

    def test_closesHalfOnlyWhereItCan(self) -> None:
        """
        A transport without a half-close is closed.
        """
        protocol, transport = self.connect(Greet)
        self.assertEqual((transport.disconnecting, transport.producer), (True, None))
        protocol.readConnectionLost()
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.outcomes, [Outcome.FINISHED])

    def test_readsOnWhereItCannotHalfClose(self) -> None:
        """
        Reading that was paused goes on while such a transport closes: over TLS it could not end without.
        """
        protocol, transport = self.connect(Welcome)
        protocol.pauseProducing()
        protocol.dataReceived(b"1")
        self.assertEqual((transport.producerState, transport.disconnecting), ("producing", True))

    def test_tlsIsClosedWhole(self) -> None:
        """
        Over TLS there is no half-close: what looks like one would cut off what TLS still holds.
        """

        @implementer(ISSLTransport)
        class Secure(StringTransport):  # type: ignore[misc]
            def loseWriteConnection(self) -> None:
                raise AssertionError("it was cut off")

        _, transport = self.connect(Greet, Secure(HOST, PEER))
        self.assertTrue(transport.disconnecting)

    def test_nothingIsSaidAfterTheEnd(self) -> None:
        """
        Whatever a transport still delivers, once the connection is aborted or gone nothing is said.
        """
        for end in (lambda one: one.abort(Outcome.DRAINED), lambda one: one.connectionLost(Failure(ConnectionDone()))):
            protocol, transport = self.connect(Echo)
            end(protocol)
            protocol.dataReceived(b"hi~")
            self.assertEqual(transport.value(), b"")

    def test_lostConnections(self) -> None:
        """
        What the transport says of the end decides, unless the server ended it: closed, done; anything else, reset.
        """
        for reason in (ConnectionDone(), ConnectionLost(), ConnectionAborted(), OSError("no route")):
            protocol, _ = self.connect(Echo)
            protocol.dataReceived(b"hi~")
            protocol.connectionLost(Failure(reason))
        self.assertEqual(self.outcomes, [Outcome.DONE, Outcome.RESET, Outcome.RESET, Outcome.RESET])

    def test_ownResets(self) -> None:
        """
        When it was the server that cut it off, its reason is the outcome, whatever the transport calls it.
        """
        for reason in (ConnectionAborted(), ConnectionLost(), ConnectionDone()):
            protocol, transport = self.connect(Echo)
            protocol.abort(Outcome.STALLED)
            protocol.abort(Outcome.DRAINED)
            self.assertTrue(transport.disconnected)
            protocol.connectionLost(Failure(reason))
        self.assertEqual(self.outcomes, [Outcome.STALLED] * 3)

    def test_resetBeforeTheLastWordsAreOut(self) -> None:
        """
        A peer that resets before it was given the last words did not get them.
        """
        peer = self.peer(Greet, room=4)
        peer.reset()
        self.assertEqual(self.outcomes, [Outcome.RESET])

    def test_resetAfterTheLastWords(self) -> None:
        """
        One that resets after them has been served.
        """
        peer = self.peer(Greet)
        peer.reset()
        self.assertEqual(self.outcomes, [Outcome.FINISHED])

    def test_resetWhilePaused(self) -> None:
        """
        A reset is seen, and ends it all, while reading is paused too.
        """
        peer = self.peer(Echo, room=1000)
        peer.say(*[bytes(65536)] * 4)
        peer.reset()
        self.assertEqual(self.outcomes, [Outcome.RESET])


class FaultTests(StreamCase):
    """
    Tests for responders and recorders that raise.
    """

    def test_responders(self) -> None:
        """
        Wherever a responder raises, its conversation is reset, and one line says so, where, and to whom. It cannot
        forge another.
        """
        for where in ("constructor", "greeting", "generate", "words", "answer"):
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

    def test_unnamed(self) -> None:
        """
        A peer without an address is a dash in that line.
        """
        protocol, _ = self.connect(faulty("answer"), StringTransport(peerAddress=UNIXAddress(None)))
        protocol.dataReceived(b"hi~")
        self.assertIn("with - is reset", self.lines()[0])

    def test_answerToTheEnd(self) -> None:
        """
        So it is when it raises on being asked about a peer that ended without a byte.
        """
        peer = self.peer(faulty("answer"))
        peer.end()
        self.assertTrue(peer.sawReset)
        self.assertEqual((self.outcomes, len(self.lines())), ([Outcome.ERROR], 1))

    def test_noBytes(self) -> None:
        """
        Words that are no bytes, every beginner's mistake, are a fault like another.
        """
        for where in ("greeting", "answer", "generate"):
            words = {"greeting": "hi", "answer": "hi", "generate": ["hi"]}[where]
            responder = type("Mistaken", (Echo,), {where: lambda *_, words=words: words})
            peer = self.peer(responder)
            peer.say(b"hi~")
            self.assertTrue(peer.sawReset, where)
            (line,) = self.lines()
            self.assertIn("echo raised TypeError", line)
        self.assertEqual(self.outcomes, [Outcome.ERROR] * 3)

    def test_othersGoOn(self) -> None:
        """
        One conversation's fault is its own.
        """
        well = self.peer(Echo)
        self.peer(faulty("greeting"))
        well.say(b"hi~")
        self.assertEqual(well.read(), b"hi~")
        self.lines()

    def test_recorder(self) -> None:
        """
        A recorder that raises ends nothing; one line says so.
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
    Tests for what is always true.
    """

    def test_noByteLost(self) -> None:
        """
        What a peer sent before its FIN is answered in full, however it cuts, delays and reads.
        """
        words = bytes(range(256)) * 1024
        for size in (1013, 4096, 65536):
            for room in (700, 65536, 2**20):
                segments = [words[at : at + size] for at in range(0, len(words), size)]
                peer = self.peer(Echo, room=room)
                for number, segment in enumerate(segments):
                    peer.say(segment)
                    if number % 7 == 0:
                        self.wait(0.125)
                        peer.read(size)
                peer.end()
                peer.read()
                self.assertEqual(peer.heard, words)
                self.assertTrue(peer.sawEnd)

    def test_whatCannotBeDeliveredIsReset(self) -> None:
        """
        A peer that did not get everything never sees a clean end.
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

    def test_whatComesTooLateIsReset(self) -> None:
        """
        A peer that speaks when it has just been ended for its silence can tell that it was not heard.
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

    def test_aTalkOfNothingEndsItsTurn(self) -> None:
        """
        A responder that says nothing, over and over, keeps nobody else waiting.
        """

        class Mute(Chargen):
            def generate(self) -> Iterator[bytes]:
                return repeat(b"")

        self.peer(Mute, idleTimeout=10.0)
        self.wait(11)
        self.assertEqual(self.outcomes, [Outcome.IDLE])

    def test_boundedMemory(self) -> None:
        """
        Whatever the peer sends and does not read, no more than 128 KiB is held for it in user space.
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
        By default a peer that does nothing, takes nothing, or never ends is gone after some minutes.
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
        One delayed call serves all deadlines. No segment moves it.
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

    def test_sameWordsOnEveryTransport(self) -> None:
        """
        The same protocol says the same on a transport of Twisted's and on one that only keeps the words.
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
    Tests with whatever may happen, in any order.
    """

    RESPONDERS = (Echo, Discard, Hello, Welcome, Greet, Chargen, Brief, faulty("answer"), faulty("words"))

    @settings(deadline=None, max_examples=300)
    @given(responder=st.sampled_from(RESPONDERS), events=st.lists(EVENTS, max_size=12), room=st.integers(1, 300_000))
    def test_nothingRaises(self, responder: type[Responder], events: list[tuple[Any, ...]], room: int) -> None:
        """
        Nothing raises, every conversation ends and is counted once, no timer is left, the buffer is bounded, and a
        peer that sees a clean end has been told everything.
        """
        clock, census, visits = MemoryReactorClock(), Census(fixedEnvironment()), list[Visit]()
        factory = StreamFactory(responder, Policy(idleTimeout=50.0), visits.append, clock, census)
        peer = Peer(factory, clock, room)
        said, ended = b"", False
        for kind, *what in events:
            if kind == "wait":
                clock.advance(what[0])
            elif kind == "drain":
                factory.drain(10)
            elif kind == "cut":
                factory.cut()
            elif kind != "say":
                ended = ended or kind == "end"
                getattr(peer, kind)(*what)
            elif not ended:
                said += what[0]
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
        self.assertLessEqual(visit.received, len(said))
        if peer.sawEnd and ("reset",) not in events:
            self.assertEqual(len(peer.heard), visit.sent)
            if responder is Echo:
                # What comes after the server has ended a quiet connection is dropped.
                self.assertEqual(peer.heard, said if visit.outcome is Outcome.DONE else said[: visit.sent])

    @settings(deadline=None, max_examples=200)
    @given(events=st.lists(st.sampled_from(["pause", "resume", "say", "end", "wait", "lost"]), max_size=12))
    def test_anyOrderOfCalls(self, events: list[str]) -> None:
        """
        A transport that only keeps the words may call in any order, too.
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
