"""
Services that are coroutines, over connections and datagrams in memory.
"""

from __future__ import annotations

import contextlib
import functools
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Outcome
from sockservices.faults import Latency, Slice
from sockservices.scripting import IncompleteRead, ReceiveTimeout, RemotePeer, TooLong
from sockservices.testing import converse, segmentations
from tests.support.peer import StreamCase


async def smtp(peer: RemotePeer) -> None:
    """
    Greet, wait for a line, wait, and reply.
    """
    await peer.send(b"220 ready\r\n")
    line = await peer.receiveUntil(b"\r\n")
    await peer.sleep(0.25)
    await peer.send(b"250 " + line)
    peer.finish()


async def echo(peer: RemotePeer) -> None:
    """
    Send back what comes.
    """
    while data := await peer.receive():
        await peer.send(data)


class ConversationTests(SynchronousTestCase):
    """
    Coroutines in C{converse}.
    """

    def test_steps(self) -> None:
        """
        A coroutine greets, receives, waits by the clock, sends and ends, however the peer cuts its line.
        """
        for segments in segmentations(b"HELO me\r\n"):
            peer = converse(smtp)
            self.assertEqual(peer.heard, b"220 ready\r\n")
            self.assertEqual(peer.say(*segments), b"")
            self.assertEqual(peer.wait(0.125), b"")
            self.assertEqual(peer.wait(0.125), b"250 HELO me\r\n")
            self.assertIs(peer.outcome, Outcome.FINISHED)
            self.assertEqual((peer.visits[0].service, peer.visits[0].received, peer.visits[0].sent), ("smtp", 9, 24))
            self.assertEqual(peer.clock.getDelayedCalls(), [])

    def test_name(self) -> None:
        """
        The attribute C{name} of the function names the service.
        """

        async def function(peer: RemotePeer) -> None:
            pass

        function.name = "other"  # type: ignore[attr-defined]
        self.assertEqual(converse(function).visits[0].service, "other")

    def test_whatIsTaken(self) -> None:
        """
        A service may be a C{functools.partial} of a coroutine function, or an object whose C{__call__} is one. A
        function of other arguments is an error, as is an asynchronous generator.
        """

        class Greeter:
            async def __call__(self, peer: RemotePeer) -> None:
                await peer.send(b"hello")

        async def says(word: bytes, peer: RemotePeer) -> None:
            await peer.send(word)

        async def none() -> None:
            pass

        async def generator(peer: RemotePeer) -> Any:
            yield b"x"

        self.assertEqual(converse(Greeter()).heard, b"hello")
        peer = converse(functools.partial(says, b"word"))
        self.assertEqual((peer.heard, peer.visits[0].service), (b"word", "says"))
        wrong: list[tuple[Any, str]] = [
            (none, "none: expected to be called with the peer alone"),
            (generator, r"generator\(\) returned async_generator, expected a Responder"),
        ]
        for service, message in wrong:
            with self.assertRaisesRegex(TypeError, message):
                converse(service)

    def test_faults(self) -> None:
        """
        Faults act on the conversation of a coroutine.
        """
        peer = converse(smtp, faults=[Latency(0.5), Slice(2)])
        self.assertEqual((peer.heard, peer.wait(0.5)), (b"", b"220 ready\r\n"))
        peer.say(b"HELO\r\n")
        self.assertEqual((peer.wait(2), peer.outcome), (b"250 HELO\r\n", Outcome.FINISHED))

    def test_conversation(self) -> None:
        """
        C{peer.conversation} is the conversation.
        """

        async def whoami(peer: RemotePeer) -> None:
            conversation = peer.conversation
            await peer.send(f"{conversation.transport} {conversation.serial} {conversation.server}".encode())

        self.assertEqual(converse(whoami).heard, b"tcp 1 here")
        self.assertEqual(converse(whoami, transport="udp").say(bytes(40)), b"udp 1 here")

    def test_endOfThePeer(self) -> None:
        """
        After the peer's FIN, C{receive} returns C{b""}. A receive of more raises IncompleteRead with what has come; not
        caught, it ends the conversation in good order.
        """
        peer = converse(echo)
        self.assertEqual((peer.say(b"a", b"b"), peer.end(), peer.outcome), (b"ab", b"", Outcome.DONE))

        received: list[bytes] = []

        async def line(peer: RemotePeer) -> None:
            try:
                await peer.receiveLine()
            except IncompleteRead as error:
                received.append(error.received)
                raise

        peer = converse(line)
        peer.say(b"HEL")
        peer.end()
        self.assertEqual((peer.outcome, received), (Outcome.DONE, [b"HEL"]))

    def test_lateReplies(self) -> None:
        """
        A coroutine may send after the peer's FIN.
        """
        peer = converse(smtp)
        peer.say(b"HELO\r\n")
        self.assertEqual(peer.end(), b"")
        self.assertEqual((peer.wait(1), peer.outcome), (b"250 HELO\r\n", Outcome.DONE))

    def test_receives(self) -> None:
        """
        C{receiveExactly} and C{receiveLine} leave what follows.
        """
        results: list[bytes] = []

        async def script(peer: RemotePeer) -> None:
            results.append(await peer.receiveExactly(2))
            results.append(await peer.receiveLine())
            results.append(await peer.receiveLine())
            results.append(await peer.receive())

        for segments in segmentations(b"abc\r\nd\ne"):
            results.clear()
            peer = converse(script)
            peer.say(*segments)
            self.assertEqual(results, [b"ab", b"c", b"d", b"e"])

    def test_timeout(self) -> None:
        """
        A timeout raises ReceiveTimeout, and what has come can still be received. Not caught, it ends the conversation
        with a FIN.
        """
        results: list[Any] = []

        async def script(peer: RemotePeer) -> None:
            try:
                await peer.receiveLine(timeout=2)
            except ReceiveTimeout as error:
                results.append(str(error))
            results.append(await peer.receive())
            await peer.receive(timeout=3)

        peer = converse(script)
        peer.say(b"HEL")
        peer.wait(2)
        self.assertEqual(results, ["no b'\\n' within 2 s", b"HEL"])
        peer.wait(3)
        self.assertEqual((peer.outcome, peer.visits[0].seconds), (Outcome.TIMED_OUT, 5))
        self.assertEqual(peer.clock.getDelayedCalls(), [])

    def test_endlessOutput(self) -> None:
        """
        A coroutine that sends without end, to a peer that takes everything, leaves the reactor its turns.
        """

        async def endless(peer: RemotePeer) -> None:
            while not peer.ended:
                await peer.send(bytes(1000))

        peer = converse(endless)
        heard = len(peer.heard)
        self.assertLess(heard, 10**5)
        self.assertGreater(len(peer.wait(1)), heard)
        peer.end()
        peer.wait(1)
        self.assertEqual((peer.outcome, peer.clock.getDelayedCalls()), (Outcome.DONE, []))

    def test_errors(self) -> None:
        """
        An exception of the coroutine resets the connection, and its outcome is C{error}. So does a wrong type.
        """

        async def fails(peer: RemotePeer) -> None:
            await peer.receive()
            raise ValueError("no")

        async def returns(peer: RemotePeer) -> Any:
            await peer.receive()
            return b"reply"

        async def text(peer: RemotePeer) -> None:
            await peer.receive()
            await peer.send("text")  # type: ignore[arg-type]

        async def late(peer: RemotePeer) -> None:
            await peer.receive()
            peer.finish()
            await peer.send(b"x")

        async def long(peer: RemotePeer) -> None:
            await peer.receiveExactly(65537)

        async def line(peer: RemotePeer) -> None:
            await peer.receiveLine()

        errors = [
            (fails, ValueError, "no"),
            (text, TypeError, "send() got str, expected bytes"),
            (late, RuntimeError, "send() after finish()"),
            (long, ValueError, "receiveExactly(65537): expected 0 to 65536 bytes"),
            (line, TooLong, "65536 bytes have come, and they are not all"),
        ]
        for service, kind, message in errors:
            peer = converse(service)
            peer.say(bytes(65536))
            self.assertEqual((peer.outcome, str(peer.exception)), (Outcome.ERROR, message))
            self.assertIsInstance(peer.exception, kind)
            self.assertIsNone(peer.visits[0].mismatch)
        with self.assertRaisesRegex(TypeError, r"returns\(\) returned bytes, expected None"):
            converse(returns).say(b"x")

    def test_abort(self) -> None:
        """
        C{abort} resets the connection. The coroutine is cancelled where it waits next, whatever that is.
        """
        events: list[str] = []

        async def script(peer: RemotePeer) -> None:
            await peer.receive()
            peer.abort()
            for wait in (
                peer.receive,
                lambda: peer.sleep(9),
                lambda: peer.send(b"x"),
                lambda: peer.conversation.sleep(9),
            ):
                try:
                    await wait()
                except CancelledError:
                    events.append("cancelled")
                else:
                    events.append("went on")

        peer = converse(script)
        peer.say(b"x")
        peer.wait(0)
        self.assertEqual((peer.outcome, peer.heard, events), (Outcome.FINISHED, b"", ["cancelled"] * 4))
        self.assertEqual(peer.clock.getDelayedCalls(), [])

    def test_datagrams(self) -> None:
        """
        A coroutine runs for each datagram: it receives the datagram, and then the end. When it returns, what it
        has sent is the reply, if that is not longer than allowed.
        """

        async def delayed(peer: RemotePeer) -> None:
            while data := await peer.receive():
                await peer.sleep(0.25)
                for part in (data, data.upper()):
                    await peer.send(part)

        async def aborted(peer: RemotePeer) -> None:
            await peer.send(b"x")
            peer.abort()

        async def empty(peer: RemotePeer) -> None:
            await peer.send(b"")

        async def endless(peer: RemotePeer) -> None:
            while True:
                await peer.send(b"x" * 1000)

        for transport in ("udp", "unixgram"):
            peer: Any = converse(delayed, transport=transport)
            self.assertIsNone(peer.say(b"one"))
            self.assertIsNone(peer.say(b"two"))
            peer.wait(0.25)
            self.assertEqual(peer.heard, [b"oneONE", b"twoTWO"])
            for service, reply, outcome in (
                (aborted, None, Outcome.DONE),
                (empty, b"", Outcome.DONE),
                (endless, None, Outcome.ERROR),
                (smtp, None, Outcome.DONE),
            ):
                peer = converse(service, transport=transport)
                self.assertEqual(
                    (peer.say(b"x"), peer.outcome),
                    (reply, outcome) if service is not smtp else (b"220 ready\r\n", outcome),
                )
        peer = converse(delayed, transport="udp")
        peer.say(bytes(50))
        peer.wait(1)
        self.assertIs(peer.outcome, Outcome.WITHHELD)


class ConnectionTests(StreamCase):
    """
    Coroutines over Twisted's transport, with a peer that reads when the test says so.
    """

    def test_halfClose(self) -> None:
        """
        After C{finish} the peer reads the end, and the coroutine goes on receiving.
        """
        received: list[bytes] = []

        async def script(peer: RemotePeer) -> None:
            await peer.send(b"bye")
            peer.finish()
            while data := await peer.receive():
                received.append(data)

        peer = self.peer(script)
        self.assertEqual((peer.read(), peer.eofReceived, self.visits), (b"bye", True, []))
        peer.send(b"one", b"two")
        self.wait(60)
        self.assertEqual((received, self.visits), ([b"one", b"two"], []))
        peer.end()
        self.assertEqual(self.outcomes, [Outcome.DONE])

    def test_halfCloseAndReturn(self) -> None:
        """
        A coroutine that returns after C{finish}, at once or later, leaves the peer the time to read, and then closes.
        """

        async def now(peer: RemotePeer) -> None:
            await peer.send(bytes(10**5))
            peer.finish()

        async def later(peer: RemotePeer) -> None:
            await peer.send(bytes(10**4))
            peer.finish()
            await peer.sleep(3)

        for script, size in ((now, 10**5), (later, 10**4)):
            peer = self.peer(script, window=5000)
            peer.send(b"unread")
            self.wait(4)
            self.assertEqual((len(peer.read()), peer.eofReceived), (size, True))
            self.wait(2)
        self.assertEqual(self.outcomes, [Outcome.FINISHED] * 2)

    def test_sendWaits(self) -> None:
        """
        While 64 KiB wait to be sent, a send waits, until the peer has read. Input still comes.
        """
        sent: list[int] = []

        async def script(peer: RemotePeer) -> None:
            for number in range(100):
                await peer.send(bytes(10**4))
                sent.append(number)

        peer = self.peer(script, window=1000)
        self.wait(1)
        self.assertLessEqual(peer.buffered, 65536 + 10**4)
        self.assertLess(len(sent), 8)
        peer.send(b"input")
        self.assertEqual(peer.unread, 0)
        peer.read()
        self.wait(3)
        peer.read()
        self.assertEqual((len(peer.received), self.outcomes), (10**6, [Outcome.FINISHED]))

    def test_stalledPeer(self) -> None:
        """
        A peer that does not read for the stall timeout is reset, and the coroutine is cancelled.
        """
        events: list[str] = []

        async def script(peer: RemotePeer) -> None:
            try:
                await peer.send(bytes(10**5))
            except CancelledError:
                events.append("cancelled")

        self.peer(script, window=1000, stallTimeout=5)
        self.wait(7)
        self.assertEqual((events, self.outcomes), (["cancelled"], [Outcome.STALLED]))

    def test_heldInput(self) -> None:
        """
        While a coroutine sleeps, 64 KiB and one read of input are held. Then the peer waits. A receive lets it go on.
        """

        async def script(peer: RemotePeer) -> None:
            await peer.sleep(10)
            total = 0
            while data := await peer.receive():
                total += len(data)
            await peer.send(b"%d" % total)

        peer = self.peer(script)
        peer.send(*[bytes(10_000)] * 100)
        self.assertLessEqual(10**6 - peer.unread, 65536 + 16384)
        self.wait(10)
        peer.end()
        self.assertEqual((peer.read(), self.outcomes), (b"1000000", [Outcome.DONE]))

    def test_idle(self) -> None:
        """
        A coroutine that waits for the peer too long is cancelled, and the connection ends with a FIN. One that waits
        for something else is not idle.
        """
        events: list[str] = []

        async def script(peer: RemotePeer) -> None:
            await peer.sleep(100)
            await peer.send(b"now")
            try:
                await peer.receive()
            finally:
                events.append("cancelled")

        peer = self.peer(script, idleTimeout=10)
        self.wait(108)
        self.assertEqual((peer.read(), peer.eofReceived), (b"now", False))
        self.wait(4)
        self.assertEqual((peer.eofReceived, events), (True, ["cancelled"]))
        peer.end()
        self.assertEqual(self.outcomes, [Outcome.IDLE])

    def test_drain(self) -> None:
        """
        A drain waits for a coroutine that does not wait for its peer, and ends one that does.
        """

        async def script(peer: RemotePeer) -> None:
            await peer.sleep(5)
            await peer.send(b"done")
            await peer.receive()

        peer = self.peer(script)
        drained = peer.protocol.factory.drain(60)
        self.wait(4)
        self.assertNoResult(drained)
        self.wait(2)
        self.assertEqual((peer.read(), peer.eofReceived), (b"done", True))
        peer.end()
        self.successResultOf(drained)
        self.assertEqual(self.outcomes, [Outcome.DRAINED])

    def test_closedWithoutHalfClose(self) -> None:
        """
        On a transport without half-close, such as TLS, the end of the connection is the end of the input.
        """
        received: list[bytes] = []

        async def script(peer: RemotePeer) -> None:
            received.append(await peer.receive())
            received.append(await peer.receive())

        protocol, _ = self.connect(script)
        protocol.dataReceived(b"one")
        self.lose(protocol, ConnectionDone)
        self.assertEqual((received, self.outcomes), ([b"one", b""], [Outcome.DONE]))

    def test_stubbornCoroutine(self) -> None:
        """
        A coroutine that goes on after its cancellation is closed at last. What it raises then is logged.
        """

        async def stubborn(peer: RemotePeer) -> None:
            while True:
                with contextlib.suppress(CancelledError):
                    await Deferred()

        async def fails(peer: RemotePeer) -> None:
            try:
                await peer.receive()
            finally:
                raise ValueError("in the end")

        peers = [self.peer(stubborn), self.peer(fails)]
        for peer in peers:
            peer.reset()
        self.assertEqual(self.outcomes, [Outcome.RESET] * 2)
        (line,) = self.lines()
        self.assertIn("fails raised ValueError('in the end')", line)
        self.assertIn("after conversation 2 with", line)

    def test_cancelledAtShutdown(self) -> None:
        """
        A server that aborts its connections cancels the coroutines.
        """
        peer = self.peer(smtp)
        peer.protocol.factory.abortAll()
        peer.turn()
        self.assertEqual((self.outcomes, peer.resetReceived), ([Outcome.DRAINED], True))
