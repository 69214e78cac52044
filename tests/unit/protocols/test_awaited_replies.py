"""
Awaited replies: the order of events that are rare.
"""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Outcome, Policy, Responder
from sockservices.conversation.phase import Phase
from sockservices.conversation.stream_exchange import StreamExchange
from sockservices.conversation.timeouts import Timeouts
from sockservices.protocols.datagram import MAX_AWAITED
from sockservices.responders import Upper
from sockservices.testing import ResponderContract, converse
from sockservices.testing.memory_exchange import conversation
from tests.support.peer import StreamCase

CLOCK = Clock()


class LateWelcome(Upper):
    """
    Expects a first message, and replies a tenth of a second later.

    >>> LateWelcome.name
    'late-welcome'
    """

    name = "late-welcome"
    port = 8998
    deadline: ClassVar[float] = 20.0

    def answer(self, message: bytes) -> Any:
        """
        The message in upper case, later.
        """
        return deferLater(CLOCK, 0.1, super().answer, message)


class LateWelcomeContractTests(ResponderContract, SynchronousTestCase):
    """
    A responder with a deadline may reply later, also to an end without a first message.
    """

    responder = LateWelcome

    def settle(self) -> None:
        """
        Let a tenth of a second pass.
        """
        CLOCK.advance(0.1)


class AwaitedRepliesTests(StreamCase):
    """
    Tests over a connection.
    """

    def responder(self, deadline: float | None = None, canceller: Any = None) -> type[Responder]:
        """
        A responder whose replies the test fires.
        """
        self.replies: list[Deferred[bytes]] = []

        def answer(_: Responder, message: bytes) -> Deferred[bytes]:
            self.replies.append(Deferred(canceller))
            return self.replies[-1]

        return type("Fired", (Upper,), {"answer": answer, "deadline": deadline})

    def test_endWithoutAMessage(self) -> None:
        """
        The reply to an end without a message is awaited once; then the conversation has ended.
        """
        peer = self.peer(self.responder(deadline=20.0))
        peer.end()
        self.assertEqual((len(self.replies), self.outcomes), (1, []))
        self.replies[0].callback(b"goodbye")
        peer.turn()
        self.assertEqual((peer.read(), len(self.replies)), (b"goodbye", 1))
        self.assertEqual(self.outcomes, [Outcome.DONE])

    def test_cancellerRaises(self) -> None:
        """
        An exception of a reply's canceller is one line in the log; the connection is released.
        """

        def refuse(_: Deferred[bytes]) -> None:
            raise ValueError("not now")

        peer = self.peer(self.responder(canceller=refuse))
        peer.say(b"one")
        peer.transport.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.outcomes, [Outcome.RESET])
        (line,) = self.lines()
        self.assertIn("upper raised ValueError('not now')", line)

    def test_firstMessageAfterALateGreeting(self) -> None:
        """
        The time for the first message begins when the greeting is sent.
        """
        greeting: Deferred[bytes] = Deferred()
        peer = self.peer(type("Late", (Upper,), {"greeting": lambda _: greeting, "deadline": 4.0}))
        self.wait(3)
        greeting.callback(b"hello")
        self.wait(3)
        self.assertEqual(self.outcomes, [])
        self.wait(2)
        peer.end()
        self.assertEqual(self.outcomes, [Outcome.TIMED_OUT])

    def test_manyQueuedMessages(self) -> None:
        """
        However many messages were queued, their replies come in order, and not by recursion.
        """
        first: Deferred[bytes] = Deferred()

        def answer(_: Responder, message: bytes) -> Deferred[bytes]:
            return first if message == b"first" else succeed(message)

        protocol, transport = self.connect(type("Queued", (Upper,), {"answer": answer}))
        messages = [b"%d " % number for number in range(5000)]
        for message in (b"first", *messages):
            protocol.dataReceived(message)
        first.callback(b"first ")
        self.assertEqual(transport.value(), b"first " + b"".join(messages))

    def test_failedReplyReadsNoMore(self) -> None:
        """
        After a reply that aborts the conversation nothing more is read.
        """
        reply: Deferred[Any] = Deferred()
        protocol, transport = self.connect(type("Wrong", (Upper,), {"answer": lambda *_: reply}))
        protocol.dataReceived(b"one")
        reply.callback("no bytes")
        self.assertTrue(transport.aborting if hasattr(transport, "aborting") else transport.disconnected)
        self.assertEqual(transport.producerState, "paused")
        self.assertEqual(len(self.lines()), 1)

    def test_bytesSubclass(self) -> None:
        """
        A reply may be of a subclass of bytes.
        """

        class Text(bytes):
            pass

        peer = self.peer(type("Sub", (Upper,), {"answer": lambda _, message: Text(message)}))
        peer.say(b"one")
        self.assertEqual(peer.read(), b"one")
        peer.end()


class AwaitedDatagramTests(SynchronousTestCase):
    """
    Tests over datagrams.
    """

    def test_overloadCancels(self) -> None:
        """
        A reply that is awaited beyond the limit is cancelled.
        """
        cancelled: list[Deferred[bytes]] = []
        never = type("Never", (Upper,), {"answer": lambda *_: Deferred(cancelled.append)})
        peer = converse(never, transport="udp")
        for _ in range(MAX_AWAITED + 2):
            peer.say(b"x")
        self.assertEqual(len(cancelled), 2)
        peer.protocol.doStop()
        self.assertEqual(len(cancelled), MAX_AWAITED + 2)

    def test_cancellerRaises(self) -> None:
        """
        An exception of one reply's canceller leaves no other reply awaited.
        """
        cancelled: list[Deferred[bytes]] = []

        def refuse(deferred: Deferred[bytes]) -> None:
            cancelled.append(deferred)
            raise ValueError("not now")

        peer = converse(type("Never", (Upper,), {"answer": lambda *_: Deferred(refuse)}), transport="udp")
        for _ in range(3):
            peer.say(b"x")
        peer.protocol.doStop()
        self.assertEqual(len(cancelled), 3)


class TimeTests(SynchronousTestCase):
    """
    Tests of the time, by the exchange alone.
    """

    def exchange(self, responder: Any, **limits: Any) -> StreamExchange:
        """
        An open exchange.
        """
        exchange = StreamExchange(responder, Timeouts(Policy(**limits), 0.0), 0.0)
        exchange.open(conversation())
        return exchange

    def test_waitIsNoGap(self) -> None:
        """
        The time in which a reply is awaited does not extend the stall timeout.
        """
        exchange = self.exchange(type("Never", (Upper,), {"answer": lambda *_: Deferred()}), stallTimeout=10.0)
        exchange.receive(b"one", 0.0)
        exchange.trackProgress(0.0, lambda: 5)
        exchange.check(1.0, 0, False)
        exchange.resume(b"x" * 1000, 100.0)
        for second in range(100, 111):
            exchange.check(float(second), 1000, True)
        self.assertEqual(exchange.outcome, Outcome.STALLED)

    def test_abortedStaysAborted(self) -> None:
        """
        A check after an abort changes nothing.
        """
        exchange = self.exchange(Upper)
        exchange.receive(b"one", 0.0)
        exchange.close(Outcome.DONE)
        exchange.finSent(0.0)
        exchange.abort(Outcome.STALLED)
        exchange.check(100.0, 0, False)
        self.assertEqual(exchange.phase, Phase.ABORTED)

    def test_lostKeepsNoException(self) -> None:
        """
        A conversation that is over holds no traceback.
        """
        exchange = self.exchange(type("Failing", (Upper,), {"answer": lambda *_: 1 / 0}))
        exchange.receive(b"one", 0.0)
        self.assertIsInstance(exchange.exception, ZeroDivisionError)
        exchange.lost(False, int)
        self.assertIsNone(exchange.exception)
