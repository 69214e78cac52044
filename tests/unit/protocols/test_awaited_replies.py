"""
Awaited replies on every transport.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Conversation, Outcome
from sockservices.protocols.awaited_datagrams import MAX_AWAITED
from sockservices.responders import Upper
from sockservices.testing import ResponderContract, converse
from tests.support.peer import Peer, StreamCase


class Delayed(Upper):
    """
    Expects a first message, and replies in upper case a tenth of a second later.

    >>> Delayed.name
    'delayed'
    """

    name = "delayed"
    port = 8999
    deadline: ClassVar[float] = 20.0
    clock: ClassVar[Clock] = Clock()

    def answer(self, message: bytes) -> Any:
        """
        The message in upper case, later.
        """
        return deferLater(self.clock, 0.1, super().answer, message)


class DelayedContractTests(ResponderContract, SynchronousTestCase):
    """
    A responder that replies later passes the contract tests, also with a deadline for the first message.
    """

    responder = Delayed

    def settle(self) -> None:
        """
        Advance the clock by a tenth of a second.
        """
        Delayed.clock.advance(0.1)


class Awaitable:
    """
    An awaitable that is neither a Deferred nor a coroutine.
    """

    def __init__(self, deferred: Deferred[bytes]) -> None:
        self._deferred = deferred

    def __await__(self) -> Generator[Any, None, bytes]:
        return self._deferred.__await__()


async def coroutine(deferred: Deferred[bytes]) -> bytes:
    """
    Await a Deferred.
    """
    return await deferred


class EveryTransportTests(SynchronousTestCase):
    """
    Awaited replies on all transports in memory.
    """

    def test_reply(self) -> None:
        """
        The reply is sent when its Deferred, coroutine or other awaitable has its result, and not earlier.
        """
        for awaitable in (lambda deferred: deferred, coroutine, Awaitable):
            for transport, expected in {"tcp": b"HI~", "unix": b"HI~", "udp": [b"HI~"], "unixgram": [b"HI~"]}.items():
                clock = Clock()

                def answer(_: Any, message: bytes, clock: Clock = clock, awaitable: Any = awaitable) -> Any:
                    return awaitable(deferLater(clock, 0.1, message.upper))

                peer: Any = converse(type("Timed", (Upper,), {"answer": answer}), transport=transport, clock=clock)  # type: ignore[call-overload]
                self.assertFalse(peer.say(b"hi~"))
                peer.wait(0.0625)
                self.assertFalse(peer.heard)
                peer.wait(0.0625)
                self.assertEqual(peer.heard, expected)
                self.assertEqual(clock.getDelayedCalls()[1:], [])


class AwaitingCase(SynchronousTestCase):
    """
    A test of a responder whose replies the test fires.

    @ivar replies: the awaited replies, in their order.
    @ivar conversations: their conversations.
    @ivar cancelled: the replies that were cancelled.
    @ivar cancellerError: an exception that the canceller raises.
    """

    def setUp(self) -> None:
        """
        Make the responder.
        """
        super().setUp()
        self.replies: list[Deferred[Any]] = []
        self.conversations: list[Conversation] = []
        self.cancelled: list[Deferred[Any]] = []
        self.cancellerError: Exception | None = None

        def answer(responder: Upper, message: bytes) -> Deferred[Any]:
            self.replies.append(Deferred(self.cancel))
            self.conversations.append(responder.conversation)
            return self.replies[-1]

        self.responder: Any = type("Awaiting", (Upper,), {"answer": answer})

    def cancel(self, reply: Deferred[Any]) -> None:
        """
        Record the cancellation.
        """
        self.cancelled.append(reply)
        if self.cancellerError is not None:
            raise self.cancellerError


class AwaitedStreamTests(AwaitingCase, StreamCase):
    """
    Awaited replies on connections.
    """

    def reply(self, peer: Peer, data: Any, number: int = 0) -> bytes:
        """
        Fire a reply.

        @return: the bytes that the peer reads.
        """
        self.replies[number].callback(data)
        peer.turn()
        return peer.read()

    def test_readingPausesWhileAReplyIsAwaited(self) -> None:
        """
        No input is read while a reply is awaited.
        """
        peer = self.peer(self.responder)
        peer.send(b"one", b"two", b"three")
        self.assertEqual((len(self.replies), peer.unread), (1, 8))
        self.assertEqual(self.reply(peer, b"ONE"), b"ONE")
        self.assertEqual((len(self.replies), peer.unread), (2, 5))
        peer.reset()

    def test_halfClose(self) -> None:
        """
        A peer that has closed its side, after a message or without one, gets the reply and then the end of the stream.
        """
        waiting = type("Waiting", (self.responder,), {"deadline": 20.0})
        for number, segments in enumerate(([b"one"], [])):
            peer = self.peer(waiting)
            peer.send(*segments)
            peer.end()
            self.wait(600)
            self.assertEqual((len(self.replies), peer.read(), len(self.visits)), (number + 1, b"", number))
            self.assertEqual((self.reply(peer, b"ONE", number), peer.eofReceived), (b"ONE", True))
        self.assertEqual((self.outcomes, len(self.replies)), ([Outcome.DONE] * 2, 2))

    def test_lingeringAfterAnAwaitedReply(self) -> None:
        """
        After a last reply that was awaited the server reads the peer's input to its end, so that no reset destroys the
        reply.
        """

        def answer(responder: Any, message: bytes) -> Deferred[Any]:
            responder.finished = True
            self.replies.append(Deferred())
            return self.replies[-1]

        peer = self.peer(type("Last", (Upper,), {"answer": answer}))
        peer.send(b"one", b"two")
        self.replies[0].callback(b"ONE")
        peer.turn()
        peer.send(b"three")
        peer.end()
        self.assertEqual((peer.read(), peer.unread, peer.eofReceived), (b"ONE", 0, True))
        self.assertEqual(self.outcomes, [Outcome.FINISHED])

    def test_drainWaitsForTheReply(self) -> None:
        """
        A drain waits for the reply.
        """
        peer = self.peer(self.responder)
        peer.send(b"one")
        drained = peer.protocol.factory.drain(10)
        self.wait(2)
        self.assertNoResult(drained)
        self.assertEqual(self.reply(peer, b"ONE"), b"ONE")
        self.wait(2)
        peer.end()
        self.successResultOf(drained)
        self.assertEqual(self.outcomes, [Outcome.DRAINED])

    def test_disconnectCancelsTheReply(self) -> None:
        """
        A peer that disconnects cancels the reply. Nothing remains. Only an exception of the canceller is logged, in one
        line.
        """
        for number, lines in enumerate((0, 0, 1)):
            self.cancellerError = ValueError("not now") if lines else None
            peer = self.peer(self.responder)
            peer.send(b"one")
            if number:
                self.lose(peer.transport, ConnectionLost)
            else:
                peer.protocol.factory.abortAll()
            peer.turn()
            self.assertEqual(self.cancelled, self.replies)
            logged = self.lines()
            self.assertEqual(len(logged), lines)
        self.assertIn("upper raised ValueError('not now')", logged[0])
        self.assertEqual(self.outcomes, [Outcome.DRAINED, Outcome.RESET, Outcome.RESET])

    def test_failedReplyResets(self) -> None:
        """
        A reply that fails resets the connection and logs one line.
        """
        peer = self.peer(self.responder)
        peer.send(b"one")
        self.replies[0].errback(ValueError("no"))
        peer.turn()
        self.assertTrue(peer.resetReceived)
        (line,) = self.lines()
        self.assertIn("upper raised ValueError('no')", line)
        self.assertEqual(self.outcomes, [Outcome.ERROR])

    def test_replyOfTheWrongType(self) -> None:
        """
        A reply that aborts the conversation does not resume reading. A reply of a subclass of bytes is sent.
        """
        protocol, transport = self.connect(self.responder)
        protocol.dataReceived(b"one")
        self.replies[0].callback("no bytes")
        self.assertTrue(transport.disconnected)
        self.assertEqual((transport.producerState, len(self.lines())), ("paused", 1))
        peer = self.peer(self.responder)
        peer.send(b"one")
        self.assertEqual(self.reply(peer, type("Text", (bytes,), {})(b"ONE"), 1), b"ONE")
        peer.end()

    def test_awaitedGreeting(self) -> None:
        """
        A greeting may be awaited. Input is answered after it, and the deadline for the first message begins with it.
        """
        greetings: list[Deferred[bytes]] = []

        def greeting(_: Upper) -> Deferred[bytes]:
            greetings.append(Deferred())
            return greetings[-1]

        patient: Any = type("Patient", (Upper,), {"greeting": greeting, "deadline": 4.0})
        silent, peer = self.peer(patient), self.peer(patient)
        peer.send(b"one")
        self.wait(3)
        self.assertEqual(peer.read(), b"")
        for deferred in greetings:
            deferred.callback(b"hello ")
        silent.turn()
        peer.turn()
        self.assertEqual((silent.read(), peer.read()), (b"hello ", b"hello ONE"))
        peer.end()
        self.wait(3)
        self.assertFalse(silent.eofReceived)
        self.wait(2)
        silent.end()
        self.assertEqual(self.outcomes, [Outcome.DONE, Outcome.TIMED_OUT])

    def test_manyQueuedMessages(self) -> None:
        """
        However many messages are queued, their replies are sent in order and without recursion.
        """
        first: Deferred[bytes] = Deferred()

        def answer(_: Upper, message: bytes) -> Deferred[bytes]:
            return first if message == b"first" else succeed(message)

        protocol, transport = self.connect(type("Queued", (Upper,), {"answer": answer}))
        messages = [b"%d " % number for number in range(5000)]
        for message in (b"first", *messages):
            protocol.dataReceived(message)
        first.callback(b"first ")
        self.assertEqual(transport.value(), b"first " + b"".join(messages))


class AwaitedDatagramTests(AwaitingCase):
    """
    Awaited replies to datagrams in memory.
    """

    def setUp(self) -> None:
        """
        Make a client.
        """
        super().setUp()
        self.peer = converse(self.responder, transport="udp")

    def test_limitOfAwaitedReplies(self) -> None:
        """
        The number of awaited replies per listener is limited. The replies to further datagrams are cancelled, and the
        datagrams are counted. A stop cancels all replies.
        """
        for _ in range(MAX_AWAITED + 2):
            self.peer.say(b"x")
        self.assertEqual([visit.outcome for visit in self.peer.visits], [Outcome.OVERLOADED] * 2)
        self.assertEqual(len(self.cancelled), 2)
        self.peer.protocol.doStop()
        self.assertEqual([visit.outcome for visit in self.peer.visits[2:]], [Outcome.UNSENT] * MAX_AWAITED)
        self.assertEqual(len(self.cancelled), MAX_AWAITED + 2)

    def test_awaitedReplyKeepsItsConversation(self) -> None:
        """
        An awaited responder keeps its conversation while other datagrams arrive.
        """
        for _ in range(3):
            self.peer.say(b"x")
        serials = [conversation.serial for conversation in self.conversations]
        self.assertEqual(serials, [1, 2, 3])
        for reply, serial in zip(reversed(self.replies), reversed(serials), strict=True):
            reply.callback(b"%d" % serial)
        self.assertEqual(self.peer.heard, [b"3", b"2", b"1"])

    def test_awaitedGreeting(self) -> None:
        """
        An awaited greeting and the answer are sent in one datagram.
        """
        greeting: Deferred[bytes] = Deferred()
        peer = converse(type("Late", (Upper,), {"greeting": lambda _: greeting}), transport="udp")
        peer.say(b"x")
        self.assertEqual(peer.heard, [])
        greeting.callback(b"hello ")
        self.assertEqual(peer.heard, [b"hello X"])

    def test_failedReplyIsAnError(self) -> None:
        """
        A reply that fails is not sent and counts as an error.
        """
        self.peer.say(b"x")
        self.assertEqual(self.peer.visits, [])
        self.replies[0].errback(ValueError("no"))
        self.assertEqual((self.peer.heard, [visit.outcome for visit in self.peer.visits]), ([], [Outcome.ERROR]))

    def test_cancellerThatRaises(self) -> None:
        """
        An exception of one reply's canceller leaves no other reply awaited.
        """
        self.cancellerError = ValueError("not now")
        for _ in range(3):
            self.peer.say(b"x")
        self.peer.protocol.doStop()
        self.assertEqual(len(self.cancelled), 3)
