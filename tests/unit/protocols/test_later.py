"""
Replies that come later, on every transport.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Conversation, Outcome, Responder
from sockservices.protocols.awaitable import deferredOf
from sockservices.protocols.datagram import MAX_AWAITED
from sockservices.responders import Upper
from sockservices.testing import ResponderContract, converse
from tests.support.peer import StreamCase

#: By a transport that only the test knows.
anyConversation: Any = converse

CLOCK = Clock()


class Later(Upper):
    """
    Gives back every byte in upper case, a tenth of a second later.

    >>> Later.name
    'later'
    """

    name = "later"
    port = 8999
    clock: ClassVar[Clock] = CLOCK

    def answer(self, message: bytes) -> Any:
        """
        The message in upper case, later.
        """
        return deferLater(self.clock, 0.1, super().answer, message)


class Coroutine(Later):
    """
    The same by a coroutine.

    >>> Coroutine.name
    'coroutine'
    """

    name = "coroutine"

    async def answer(self, message: bytes) -> Any:  # type: ignore[override]
        """
        The message in upper case, later.
        """
        return await super().answer(message)


class LaterContractTests(ResponderContract, SynchronousTestCase):
    """
    A responder that replies later passes the contract tests.
    """

    responder = Later

    def settle(self) -> None:
        """
        Let a tenth of a second pass.
        """
        CLOCK.advance(0.1)


class EveryTransportTests(SynchronousTestCase):
    """
    Awaited replies on all transports in memory.
    """

    def test_reply(self) -> None:
        """
        The reply is sent when its Deferred or coroutine has its result, and not earlier.
        """
        for kind in (Later, Coroutine):
            for transport in ("tcp", "unix", "udp", "unixgram"):
                clock = Clock()
                peer = anyConversation(type("Timed", (kind,), {"clock": clock}), transport=transport, clock=clock)
                self.assertFalse(peer.say(b"hi~"))
                peer.wait(0.0625)
                self.assertFalse(peer.heard)
                peer.wait(0.0625)
                self.assertEqual(peer.heard, b"HI~" if transport in ("tcp", "unix") else [b"HI~"])
                self.assertEqual(clock.getDelayedCalls()[1:], [])


class LaterStreamTests(StreamCase):
    """
    Awaited replies on a TCP transport of Twisted's.
    """

    def responder(self) -> type[Responder]:
        """
        One whose replies the test fires.
        """
        self.replies: list[Deferred[bytes]] = []
        self.cancelled: list[Deferred[bytes]] = []

        def answer(_: Responder, message: bytes) -> Deferred[bytes]:
            self.replies.append(Deferred(self.cancelled.append))
            return self.replies[-1]

        return type("Fired", (Upper,), {"answer": answer})

    def test_readingPausesWhileAReplyIsAwaited(self) -> None:
        """
        No input is read while a reply is awaited.
        """
        peer = self.peer(self.responder())
        peer.say(b"one", b"two", b"three")
        self.assertEqual((len(self.replies), peer.unread), (1, 8))
        self.replies[0].callback(b"ONE")
        peer.turn()
        self.assertEqual((peer.read(), len(self.replies), peer.unread), (b"ONE", 2, 5))
        peer.reset()

    def test_halfClose(self) -> None:
        """
        A peer that has closed its side gets the reply and then the end of the stream.
        """
        peer = self.peer(self.responder())
        peer.say(b"one")
        peer.end()
        self.wait(600)
        self.assertEqual((peer.read(), self.outcomes), (b"", []))
        self.replies[0].callback(b"ONE")
        peer.turn()
        self.assertEqual((peer.read(), peer.sawEnd, self.outcomes), (b"ONE", True, [Outcome.DONE]))

    def test_lingeringAfterAnAwaitedReply(self) -> None:
        """
        After a last reply that was awaited the server reads the peer's input to its end, so that no reset destroys the
        reply.
        """

        def answer(responder: Responder, message: bytes) -> Deferred[bytes]:
            responder.finished = True
            self.replies.append(Deferred())
            return self.replies[-1]

        self.replies = []
        peer = self.peer(type("Last", (Upper,), {"answer": answer}))
        peer.say(b"one", b"two")
        self.replies[0].callback(b"ONE")
        peer.turn()
        peer.say(b"three")
        peer.end()
        self.assertEqual((peer.read(), peer.unread, peer.sawEnd), (b"ONE", 0, True))
        self.assertEqual(self.outcomes, [Outcome.FINISHED])

    def test_drainWaitsForTheReply(self) -> None:
        """
        A drain waits for the reply.
        """
        peer = self.peer(self.responder())
        peer.say(b"one")
        drained = peer.protocol.factory.drain(10)
        self.wait(2)
        self.assertNoResult(drained)
        self.replies[0].callback(b"ONE")
        self.wait(2)
        self.assertEqual(peer.read(), b"ONE")
        peer.end()
        self.successResultOf(drained)
        self.assertEqual(self.outcomes, [Outcome.DRAINED])

    def test_disconnectCancelsTheReply(self) -> None:
        """
        A peer that disconnects cancels the reply. Nothing remains, and nothing is logged.
        """
        lose = Failure(ConnectionLost())
        for leave in (lambda peer: peer.transport.connectionLost(lose), lambda peer: peer.protocol.factory.abortAll()):
            peer = self.peer(self.responder())
            peer.say(b"one")
            leave(peer)
            peer.turn()
            self.assertEqual(self.cancelled, self.replies)
        self.assertEqual((self.outcomes, self.lines()), ([Outcome.RESET, Outcome.DRAINED], []))

    def test_failedReplyResets(self) -> None:
        """
        A reply that fails resets the connection and logs one line.
        """
        peer = self.peer(self.responder())
        peer.say(b"one")
        self.replies[0].errback(ValueError("no"))
        peer.turn()
        self.assertTrue(peer.sawReset)
        (line,) = self.lines()
        self.assertIn("upper raised ValueError('no')", line)
        self.assertEqual(self.outcomes, [Outcome.ERROR])

    def test_awaitedGreeting(self) -> None:
        """
        A greeting may be awaited. Input is answered after it.
        """
        greetings: list[Deferred[bytes]] = []

        def greeting(_: Responder) -> Deferred[bytes]:
            greetings.append(Deferred())
            return greetings[-1]

        peer = self.peer(type("Fired", (Upper,), {"greeting": greeting}))
        peer.say(b"one")
        self.assertEqual(peer.read(), b"")
        greetings[0].callback(b"hello ")
        peer.turn()
        self.assertEqual(peer.read(), b"hello ONE")
        peer.end()


class LaterDatagramTests(SynchronousTestCase):
    """
    Awaited replies to datagrams in memory.
    """

    def test_limitOfAwaitedReplies(self) -> None:
        """
        The number of awaited replies per listener is limited. Further datagrams are dropped and counted.
        """
        peer = converse(type("Never", (Upper,), {"answer": lambda *_: Deferred()}), transport="udp")
        for _ in range(MAX_AWAITED + 2):
            peer.say(b"x")
        self.assertEqual([visit.outcome for visit in peer.visits], [Outcome.OVERLOADED] * 2)
        peer.protocol.doStop()
        self.assertEqual([visit.outcome for visit in peer.visits[2:]], [Outcome.UNSENT] * MAX_AWAITED)

    def test_awaitedReplyKeepsItsConversation(self) -> None:
        """
        An awaited responder keeps its conversation while other datagrams arrive.
        """
        waiting: list[tuple[Deferred[bytes], Conversation]] = []

        def answer(responder: Responder, message: bytes) -> Deferred[bytes]:
            waiting.append((Deferred(), responder.conversation))
            return waiting[-1][0]

        peer = converse(type("Fired", (Upper,), {"answer": answer}), transport="udp")
        for _ in range(3):
            peer.say(b"x")
        self.assertEqual([conversation.serial for _, conversation in waiting], [1, 2, 3])
        for reply, conversation in reversed(waiting):
            reply.callback(b"%d" % conversation.serial)
        self.assertEqual(peer.heard, [b"3", b"2", b"1"])

    def test_failedReplyIsAnError(self) -> None:
        """
        A reply that fails is not sent and counts as an error.
        """
        peer = converse(type("Failing", (Upper,), {"answer": lambda *_: deferLater(Clock(), 0)}), transport="udp")
        peer.say(b"x")
        self.assertEqual(peer.visits, [])
        peer.protocol.doStop()


class DeferredOfTests(SynchronousTestCase):
    """
    L{deferredOf}.
    """

    def test_anyAwaitable(self) -> None:
        """
        Deferreds, coroutines and other awaitables are accepted.
        """

        class Awaitable:
            def __await__(self) -> Generator[Any, None, bytes]:
                return b"reply"
                yield

        async def coroutine() -> bytes:
            return b"reply"

        fired: Deferred[bytes] = Deferred()
        fired.callback(b"reply")
        for reply in (fired, coroutine(), Awaitable()):
            self.assertEqual(self.successResultOf(deferredOf(reply)), b"reply")
