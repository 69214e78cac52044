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
    A responder that replies later keeps the contract.
    """

    responder = Later

    def settle(self) -> None:
        """
        Let a tenth of a second pass.
        """
        CLOCK.advance(0.1)


class EveryTransportTests(SynchronousTestCase):
    """
    Tests over all transports, in memory.
    """

    def test_reply(self) -> None:
        """
        The reply comes when its time has come, and not before.
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
    Tests over a connection of Twisted's.
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

    def test_nothingIsReadMeanwhile(self) -> None:
        """
        Until the reply has come nothing more is read from the peer.
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
        A peer that ends its side gets the reply, and then the end.
        """
        peer = self.peer(self.responder())
        peer.say(b"one")
        peer.end()
        self.wait(600)
        self.assertEqual((peer.read(), self.outcomes), (b"", []))
        self.replies[0].callback(b"ONE")
        peer.turn()
        self.assertEqual((peer.read(), peer.sawEnd, self.outcomes), (b"ONE", True, [Outcome.DONE]))

    def test_lastReply(self) -> None:
        """
        Behind a last reply that comes later the peer's input is read to its end, so that no reset destroys the reply.
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

    def test_drain(self) -> None:
        """
        A stop waits for the reply.
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

    def test_cancelled(self) -> None:
        """
        A peer that leaves cancels the reply; nothing is left, and nothing is logged.
        """
        lose = Failure(ConnectionLost())
        for leave in (lambda peer: peer.transport.connectionLost(lose), lambda peer: peer.protocol.factory.cut()):
            peer = self.peer(self.responder())
            peer.say(b"one")
            leave(peer)
            peer.turn()
            self.assertEqual(self.cancelled, self.replies)
        self.assertEqual((self.outcomes, self.lines()), ([Outcome.RESET, Outcome.DRAINED], []))

    def test_failed(self) -> None:
        """
        A reply that fails resets the connection, with one line in the log.
        """
        peer = self.peer(self.responder())
        peer.say(b"one")
        self.replies[0].errback(ValueError("no"))
        peer.turn()
        self.assertTrue(peer.sawReset)
        (line,) = self.lines()
        self.assertIn("upper raised ValueError('no')", line)
        self.assertEqual(self.outcomes, [Outcome.ERROR])

    def test_greeting(self) -> None:
        """
        A greeting may come later; what the peer sends first is answered after it.
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
    Tests over datagrams, in memory.
    """

    def test_tooMany(self) -> None:
        """
        At most so many datagrams of a listener wait for their replies; another is dropped and counted.
        """
        peer = converse(type("Never", (Upper,), {"answer": lambda *_: Deferred()}), transport="udp")
        for _ in range(MAX_AWAITED + 2):
            peer.say(b"x")
        self.assertEqual([visit.outcome for visit in peer.visits], [Outcome.OVERLOADED] * 2)
        peer.protocol.doStop()
        self.assertEqual([visit.outcome for visit in peer.visits[2:]], [Outcome.UNSENT] * MAX_AWAITED)

    def test_ownConversation(self) -> None:
        """
        A responder that is awaited keeps its conversation, whatever datagrams come meanwhile.
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

    def test_failed(self) -> None:
        """
        A reply that fails is no reply, and counted as an error.
        """
        peer = converse(type("Failing", (Upper,), {"answer": lambda *_: deferLater(Clock(), 0)}), transport="udp")
        peer.say(b"x")
        self.assertEqual(peer.visits, [])
        peer.protocol.doStop()


class DeferredOfTests(SynchronousTestCase):
    """
    Tests for L{deferredOf}.
    """

    def test_anyAwaitable(self) -> None:
        """
        Deferreds, coroutines and other awaitables will do.
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
