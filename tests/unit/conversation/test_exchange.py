"""
L{StreamExchange}, which drives a responder, without a protocol.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Generator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sockservices import Conversation, Outcome, Policy, Responder
from sockservices.conversation.phase import Phase
from sockservices.conversation.stream_exchange import StreamExchange
from sockservices.responders import Echo, Greet, Welcome


class Promise:
    """
    An awaitable of no library. The test passes its result to the exchange.
    """

    def __await__(self) -> Generator[Any, None, bytes]:
        raise NotImplementedError


class Later(Responder):
    """
    A responder with an awaited greeting. It replies later to messages that begin with a capital letter, and at once to
    others.
    """

    name = "later"
    port = 1
    deadline = 5.0

    def greeting(self) -> Any:
        """
        Return an awaitable.
        """
        return Promise()

    def answer(self, message: bytes) -> Any:
        """
        Return an awaitable or a reply.
        """
        return Promise() if message[:1].isupper() else message


def stream(make: Any, **limits: Any) -> StreamExchange:
    """
    The exchange of a connection that was opened at 100 seconds.
    """
    exchange = StreamExchange(make, Policy(**limits), 100.0)
    exchange.open(Conversation())
    return exchange


class ExceptionTests(SynchronousTestCase):
    """
    Exceptions of responders.
    """

    def test_exceptionIsReleased(self) -> None:
        """
        The end of a conversation releases the exception of its responder, and with it the traceback.
        """
        exchange = stream(type("Raising", (Echo,), {"answer": lambda *_: 1 / 0}))
        exchange.receive(b"one", 101.0)
        self.assertIsInstance(exchange.exception, ZeroDivisionError)
        exchange.lost(False, int)
        self.assertIsNone(exchange.exception)


class AwaitedReplyTests(SynchronousTestCase):
    """
    Awaited replies on a stream.
    """

    def test_order(self) -> None:
        """
        While a reply is awaited nothing is answered. Then messages are answered in their order, up to the next awaited
        reply.
        """
        exchange = stream(Later)
        self.assertIsInstance(exchange.awaiting, Awaitable)
        self.assertEqual([exchange.receive(message, 101.0) for message in (b"a", b"b", b"C", b"d")], [None] * 4)
        self.assertEqual((exchange.resume(b"hello ", 102.0), exchange.awaiting is None), (b"hello ab", False))
        self.assertEqual((exchange.resume(None, 103.0), exchange.awaiting), (b"d", None))
        self.assertEqual(exchange.receive(b"e", 104.0), b"e")
        self.assertEqual((exchange.received, exchange.sent), (5, 10))

    def test_finTakesEffectAfterTheReplies(self) -> None:
        """
        The peer's FIN takes effect when all input before it is answered. Without input, the responder has a deadline
        and gets an empty message after its greeting.
        """
        for messages, replies in (([b"last"], b"hello last"), ([], b"hello ")):
            exchange = stream(Later)
            for message in messages:
                exchange.receive(message, 101.0)
            self.assertIsNone(exchange.end())
            self.assertEqual((exchange.phase, exchange.resume(b"hello ", 102.0)), (Phase.OPEN, replies))
            self.assertEqual((exchange.phase, exchange.outcome), (Phase.CLOSING, Outcome.DONE))

    def test_notIdleWhileAwaiting(self) -> None:
        """
        While a reply is awaited the peer is not idle. The idle time starts anew with the reply.
        """
        exchange = stream(Later, idleTimeout=10.0)
        exchange.resume(None, 100.0)
        exchange.receive(b"Slowly", 101.0)
        exchange.check(500.0, 0, False)
        self.assertEqual((exchange.phase, exchange.nextCheck), (Phase.OPEN, math.inf))
        exchange.resume(b"there", 500.0)
        exchange.check(509.0, 0, False)
        self.assertEqual((exchange.phase, exchange.nextCheck), (Phase.OPEN, 510.0))
        exchange.check(510.0, 0, False)
        self.assertEqual(exchange.outcome, Outcome.IDLE)

    def test_stalledWhileAwaiting(self) -> None:
        """
        A peer that does not acknowledge pending output stalls while a reply is awaited, too.
        """
        exchange = stream(Later, stallTimeout=10.0)
        exchange.receive(b"x", 100.0)
        exchange.resume(b"hello", 100.0)
        exchange.receive(b"Slowly", 100.0)
        exchange.check(101.0, 5, True)
        exchange.check(111.0, 5, True)
        self.assertEqual((exchange.phase, exchange.outcome), (Phase.ABORTED, Outcome.STALLED))

    def test_awaitedTimeDoesNotExtendTheStallTimeout(self) -> None:
        """
        The time in which a reply is awaited is no pause of the peer, which would extend the stall timeout.
        """
        exchange = stream(Later, stallTimeout=10.0)
        exchange.trackProgress(100.0, lambda: 5)
        exchange.check(101.0, 0, False)
        exchange.resume(b"x" * 1000, 200.0)
        for second in range(200, 211):
            exchange.check(float(second), 1000, True)
        self.assertEqual(exchange.outcome, Outcome.STALLED)

    def test_lateReplyIsDropped(self) -> None:
        """
        A reply after the end of the conversation is dropped.
        """
        for end in (lambda each: each.abort(Outcome.DRAINED), lambda each: each.lost(True, int)):
            exchange = stream(Later)
            end(exchange)
            self.assertIsNone(exchange.resume(b"hello", 101.0))
            self.assertEqual(exchange.sent, 0)


class PhaseTests(SynchronousTestCase):
    """
    The phases of a conversation on a stream.
    """

    def test_closing(self) -> None:
        """
        A responder that has finished closes. The server's FIN begins the linger, and the peer's FIN or the linger
        timeout ends it: pending output does not extend it.
        """
        for unacked in (0, 9):
            exchange = stream(Greet)
            self.assertEqual((exchange.sent, exchange.phase), (9, Phase.CLOSING))
            exchange.finSent(100.0)
            self.assertEqual((exchange.phase, exchange.nextCheck), (Phase.LINGERING, 101.0))
            exchange.check(100.5, unacked, False)
            self.assertEqual((exchange.phase, exchange.nextCheck), (Phase.LINGERING, 101.0))
            if unacked:
                exchange.end()
            else:
                exchange.check(101.0, 0, False)
            self.assertEqual((exchange.phase, exchange.outcome), (Phase.CLOSED, Outcome.FINISHED))

    def test_trackProgress(self) -> None:
        """
        Output that was never acknowledged is no progress: the stall timeout counts from the time when tracking begins.
        """
        exchange = stream(Echo, stallTimeout=30.0)
        exchange.receive(bytes(2000), 100.0)
        exchange.trackProgress(100.0, lambda: 2000)
        exchange.check(101.0, 2000, True)
        self.assertIs(exchange.phase, Phase.OPEN)
        exchange.check(130.0, 2000, True)
        self.assertIs(exchange.outcome, Outcome.STALLED)

    def test_onlyAnAbortChangesTheOutcome(self) -> None:
        """
        While a conversation is closing, only an abort changes the outcome. After an abort, nothing does.
        """
        exchange = stream(Welcome)
        exchange.receive(b"1", 101.0)
        for event in (exchange.end, exchange.drain, lambda: exchange.close(Outcome.IDLE)):
            event()
            self.assertEqual(exchange.outcome, Outcome.FINISHED)
        exchange.finSent(101.0)
        exchange.abort(Outcome.DRAINED)
        exchange.abort(Outcome.STALLED)
        exchange.check(200.0, 0, False)
        self.assertEqual((exchange.phase, exchange.outcome), (Phase.ABORTED, Outcome.DRAINED))

    def test_changed(self) -> None:
        """
        C{changed} is true after the first message, which schedules a check, and not after most others.
        """
        exchange = stream(Echo)
        exchange.changed = False
        exchange.receive(b"x", 101.0)
        self.assertEqual((exchange.changed, exchange.nextCheck), (True, 101.0 + Policy().stallTimeout / 10))
        exchange.changed = False
        exchange.receive(b"x", 102.0)
        self.assertFalse(exchange.changed)
