"""
The driver of a responder, without any protocol.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sockservices import Conversation, Outcome, Policy, Responder
from sockservices.conversation.exchange import Exchange
from sockservices.conversation.phase import Phase
from sockservices.conversation.stream_exchange import StreamExchange
from sockservices.conversation.timeouts import Timeouts
from sockservices.responders import Chargen, Echo, Greet, Welcome


class Promise:
    """
    An awaitable of no library: the reply that it stands for is passed to the exchange by the test.
    """

    def __await__(self) -> Generator[Any, None, bytes]:
        raise NotImplementedError


class Later(Responder):
    """
    Replies later to the messages that begin with a capital letter, at once to the others; greets later.
    """

    name = "later"
    port = 1
    deadline = 5.0

    def greeting(self) -> Any:
        """
        Promise a greeting.
        """
        return Promise()

    def answer(self, message: bytes) -> Any:
        """
        Promise a reply, or give it. A full stop ends the conversation.
        """
        self.finished = message.endswith(b".")
        return Promise() if message[:1].isupper() else message


def stream(make: Any, **limits: Any) -> StreamExchange:
    """
    The exchange of a connection that begins at 100 seconds.
    """
    return StreamExchange(make, Timeouts(Policy(**limits), 100.0), 100.0)


class ExchangeTests(SynchronousTestCase):
    """
    Tests for replies.
    """

    def test_atOnce(self) -> None:
        """
        Each message has its reply; both are counted.
        """
        exchange = stream(Echo)
        self.assertIsNone(exchange.open(Conversation()))
        self.assertEqual([exchange.receive(message, 101.0) for message in (b"one", b"three")], [b"one", b"three"])
        self.assertEqual((exchange.received, exchange.sent, exchange.phase), (8, 8, Phase.OPEN))

    def test_later(self) -> None:
        """
        While a reply is awaited nothing is answered. Then messages are answered in their order, up to the next reply
        that comes later.
        """
        exchange = stream(Later)
        self.assertIsNone(exchange.open(Conversation()))
        self.assertIsInstance(exchange.awaiting, Awaitable)
        self.assertEqual([exchange.receive(message, 101.0) for message in (b"a", b"b", b"C", b"d")], [None] * 4)
        self.assertEqual((exchange.resume(b"hello ", 102.0), exchange.awaiting is None), (b"hello ab", False))
        self.assertEqual((exchange.resume(None, 103.0), exchange.awaiting), (b"d", None))
        self.assertEqual(exchange.receive(b"e", 104.0), b"e")
        self.assertEqual((exchange.received, exchange.sent), (5, 10))

    def test_endBehindALaterReply(self) -> None:
        """
        The peer's FIN takes effect when everything that came before it is answered.
        """
        exchange = stream(Later)
        exchange.open(Conversation())
        exchange.receive(b"last", 101.0)
        self.assertIsNone(exchange.end())
        self.assertEqual((exchange.phase, exchange.resume(b"hello ", 102.0)), (Phase.OPEN, b"hello last"))
        self.assertEqual((exchange.phase, exchange.outcome), (Phase.CLOSING, Outcome.DONE))

    def test_endWithoutAMessageBehindALaterGreeting(self) -> None:
        """
        A responder with a deadline is asked about a peer that ends without a byte, after its greeting.
        """
        exchange = stream(Later)
        exchange.open(Conversation())
        exchange.end()
        self.assertEqual((exchange.resume(b"hello", 102.0), exchange.phase), (b"hello", Phase.CLOSING))

    def test_finishedLater(self) -> None:
        """
        A responder may finish by a reply that comes later. What came behind its message is dropped.
        """
        exchange = stream(Later)
        exchange.open(Conversation())
        exchange.resume(None, 101.0)
        for message in (b"Bye.", b"more"):
            exchange.receive(message, 102.0)
        self.assertEqual((exchange.resume(b"bye", 103.0), exchange.outcome), (b"bye", Outcome.FINISHED))
        self.assertIsNone(exchange.receive(b"more", 104.0))

    def test_noTimeoutWhileAwaiting(self) -> None:
        """
        While a reply is awaited the peer is not idle; its time begins anew afterwards.
        """
        exchange = stream(Later, idleTimeout=10.0)
        exchange.open(Conversation())
        exchange.resume(None, 100.0)
        exchange.receive(b"Slowly", 101.0)
        exchange.check(500.0, 0, False)
        self.assertEqual((exchange.phase, exchange.nextCheck), (Phase.OPEN, float("inf")))
        exchange.resume(b"there", 500.0)
        exchange.check(509.0, 0, False)
        self.assertEqual((exchange.phase, exchange.nextCheck), (Phase.OPEN, 510.0))
        exchange.check(510.0, 0, False)
        self.assertEqual(exchange.outcome, Outcome.IDLE)

    def test_stalledWhileAwaiting(self) -> None:
        """
        A peer that does not take what is pending stalls, whether a reply is awaited or not.
        """
        exchange = stream(Later, stallTimeout=10.0)
        exchange.open(Conversation())
        exchange.receive(b"x", 100.0)
        exchange.resume(b"hello", 100.0)
        exchange.receive(b"Slowly", 100.0)
        exchange.check(101.0, 5, True)
        exchange.check(111.0, 5, True)
        self.assertEqual((exchange.phase, exchange.outcome), (Phase.ABORTED, Outcome.STALLED))

    def test_whatComesTooLate(self) -> None:
        """
        A reply that comes when the conversation is over is dropped.
        """
        for end in (lambda each: each.abort(Outcome.DRAINED), lambda each: each.lost(True, int)):
            exchange = stream(Later)
            exchange.open(Conversation())
            end(exchange)
            self.assertIsNone(exchange.resume(b"hello", 101.0))
            self.assertEqual(exchange.sent, 0)

    def test_exceptions(self) -> None:
        """
        Whatever a responder raises, wherever, aborts its conversation and no other: SystemExit and Ctrl-C too.
        """
        for kind in (ValueError, SystemExit, KeyboardInterrupt, GeneratorExit):

            def fail(*_: object, kind: type[BaseException] = kind) -> Any:
                raise kind

            for method in ("__init__", "greeting", "generate", "answer"):
                bad = type("Bad", (Echo,), {method: fail})
                for exchange in (stream(bad), Exchange(bad)):
                    exchange.open(Conversation())
                    exchange.receive(b"x", 101.0)
                    if method == "generate" and type(exchange) is Exchange:
                        continue
                    self.assertEqual((exchange.phase, exchange.outcome), (Phase.ABORTED, Outcome.ERROR), (kind, method))
                    self.assertIsInstance(exchange.exception, kind)

    def test_wrongTypes(self) -> None:
        """
        A reply of a wrong type is an error that names the method: also when it comes later.
        """
        for method, where in (("greeting", "greeting"), ("answer", "answer")):
            exchange = Exchange(type("Slow", (Echo,), {method: lambda *_: "text"}))
            exchange.open(Conversation())
            exchange.receive(b"x")
            self.assertEqual(str(exchange.exception), f"Slow.{where}() returned str, expected bytes or None")
        exchange = Exchange(Later)
        exchange.open(Conversation())
        exchange.resume(7)
        self.assertEqual(str(exchange.exception), "Later.greeting() returned int, expected bytes or None")

    def test_failedLater(self) -> None:
        """
        So does the failure of a reply that was awaited.
        """
        exchange = stream(Later)
        exchange.open(Conversation())
        exchange.fail(ValueError("no"))
        self.assertEqual((exchange.phase, exchange.outcome, exchange.awaiting), (Phase.ABORTED, Outcome.ERROR, None))


class PhaseTests(SynchronousTestCase):
    """
    Tests for the phases of a conversation on a stream.
    """

    def test_closing(self) -> None:
        """
        A responder that has finished closes; our FIN makes it linger; the peer's FIN ends it.
        """
        exchange = stream(Greet)
        self.assertEqual((exchange.open(Conversation()), exchange.phase), (b"connected", Phase.CLOSING))
        exchange.finSent(100.0)
        self.assertEqual((exchange.phase, exchange.nextCheck), (Phase.LINGERING, 101.0))
        exchange.end()
        self.assertEqual((exchange.phase, exchange.outcome), (Phase.CLOSED, Outcome.FINISHED))

    def test_lingering(self) -> None:
        """
        A peer that does not end its side is left after a second.
        """
        exchange = stream(Greet)
        exchange.open(Conversation())
        exchange.finSent(100.0)
        exchange.check(100.5, 0, False)
        self.assertEqual((exchange.phase, exchange.nextCheck), (Phase.LINGERING, 101.0))
        exchange.check(101.0, 0, False)
        self.assertEqual(exchange.phase, Phase.CLOSED)

    def test_lingeringWithUnackedOutput(self) -> None:
        """
        The linger is not longer for output that the peer has not acknowledged.
        """
        exchange = stream(Greet)
        exchange.open(Conversation())
        exchange.finSent(100.0)
        exchange.check(100.5, 9, False)
        self.assertEqual((exchange.phase, exchange.nextCheck), (Phase.LINGERING, 101.0))

    def test_trackProgress(self) -> None:
        """
        Output that was never acknowledged is no progress: the stall timeout counts from the time when tracking begins.
        """
        exchange = stream(Echo, stallTimeout=30.0)
        exchange.open(Conversation())
        exchange.receive(bytes(2000), 100.0)
        exchange.trackProgress(100.0, lambda: 2000)
        exchange.check(101.0, 2000, True)
        self.assertIs(exchange.phase, Phase.OPEN)
        exchange.check(130.0, 2000, True)
        self.assertIs(exchange.outcome, Outcome.STALLED)

    def test_noWayBack(self) -> None:
        """
        Once it is ending, nothing but an abort changes the outcome.
        """
        exchange = stream(Welcome)
        exchange.open(Conversation())
        exchange.receive(b"1", 101.0)
        for event in (exchange.end, exchange.drain, lambda: exchange.close(Outcome.IDLE)):
            event()
            self.assertEqual(exchange.outcome, Outcome.FINISHED)
        exchange.abort(Outcome.DRAINED)
        exchange.abort(Outcome.STALLED)
        self.assertEqual((exchange.phase, exchange.outcome), (Phase.ABORTED, Outcome.DRAINED))

    def test_changed(self) -> None:
        """
        The caller need look only when something changed: not after most messages.
        """
        exchange = stream(Echo)
        exchange.open(Conversation())
        exchange.changed = False
        exchange.receive(b"x", 101.0)
        self.assertEqual((exchange.changed, exchange.nextCheck), (True, 101.0 + Policy().stallTimeout / 10))
        exchange.changed = False
        exchange.receive(b"x", 102.0)
        self.assertFalse(exchange.changed)

    def test_generatedOutput(self) -> None:
        """
        Endless output comes in parts of some 64 KiB, whatever the peer sends; a drain ends it.
        """
        exchange = stream(Chargen)
        exchange.open(Conversation())
        self.assertIsNone(exchange.receive(b"be quiet", 101.0))
        for now in (101.0, 102.0):
            self.assertTrue(65536 <= len(exchange.generate(now)) < 2 * 65536)
        exchange.drain()
        self.assertEqual((exchange.outcome, exchange.generate(103.0)), (Outcome.DRAINED, b""))
