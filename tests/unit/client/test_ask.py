"""
One question and its answer, on a stream.
"""

from __future__ import annotations

import contextlib
import socket
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IStreamClientEndpoint

from sockservices import Outcome, StreamFactory, Visit
from sockservices.client import Target, Verdict, ask, exchange
from sockservices.conversation.transport import Transport
from sockservices.registry import find, names
from sockservices.transports.bindings import InetBinding, UnixBinding
from sockservices.transports.endpoints import StreamEndpoint
from tests.unit.client.test_verdict import SHORTLY, FarCase

TCP, UDP, UNIX, UNIXGRAM = Transport

#: Ten megabytes of all bytes.
MUCH = bytes(range(256)) * 40_000


class ServiceTests(FarCase):
    """
    Asking our own services.
    """

    def served(self, name: str, transport: str = "tcp") -> IStreamClientEndpoint:
        """
        Serve one, and say the way there. When the test is over, it has lost nobody.
        """
        self.visits: list[Visit] = []
        factory = StreamFactory(find(name), record=self.visits.append, clock=self.reactor)
        path = str(self.folder / f"{name}.sock")
        binding = InetBinding(TCP, 0) if transport == "tcp" else UnixBinding(UNIX, path)
        port: Any = self.wait(StreamEndpoint(self.reactor, binding).listen(factory))
        self.addCleanup(lambda: self.wait(port.stopListening()))
        self.addCleanup(lambda: self.until(lambda: not factory.protocols))
        where = ("127.0.0.1", port.getHost().port) if transport == "tcp" else path
        return Target(transport, where).endpoint(self.reactor)

    def test_everyService(self) -> None:
        """
        All of them answer, and end, but the one that only listens, and the one that may have nothing to say.
        """
        for name in sorted({*names()} - {"discard", "users"}):
            for transport in ("tcp", "unix"):
                self.assertTrue(self.wait(ask(self.served(name, transport), b"1", reactor=self.reactor)), name)

    def test_discard(self) -> None:
        """
        That nothing is said can be what is expected.
        """
        endpoint = self.served("discard")
        self.assertEqual(self.wait(ask(endpoint, b"words", reactor=self.reactor, expect=b"")), b"")
        self.unanswered(ask(endpoint, b"words", reactor=self.reactor), Verdict.EOF)

    def test_noMessage(self) -> None:
        """
        Nothing can be asked, too.
        """
        self.assertEqual(self.wait(ask(self.served("welcome"), reactor=self.reactor)), b"please go out!")
        self.unanswered(ask(self.served("echo"), reactor=self.reactor), Verdict.EOF)

    def test_muchBothWays(self) -> None:
        """
        A long message, and an answer as long that comes meanwhile: neither waits for the other.
        """
        for transport in ("tcp", "unix"):
            endpoint = self.served("echo", transport)
            self.assertTrue(self.wait(ask(endpoint, MUCH, reactor=self.reactor, expect=MUCH)) == MUCH)
            self.until(lambda: self.visits)
            self.assertEqual(self.visits[0].outcome, Outcome.DONE, "it was ended, not cut off")

    def test_manyAtOnce(self) -> None:
        """
        As many as one likes can be asked at the same time.
        """
        endpoint = self.served("upper")
        asked = [ask(endpoint, b"words%d" % number, reactor=self.reactor) for number in range(50)]
        self.assertEqual(self.wait(gatherResults(asked)), [b"WORDS%d" % number for number in range(50)])

    def test_awaited(self) -> None:
        """
        It can be awaited.
        """
        endpoint = self.served("upper")

        async def twice() -> bytes:
            once = await ask(endpoint, b"words", reactor=self.reactor)
            return once + await ask(endpoint, b"more", reactor=self.reactor)

        self.assertEqual(self.wait(Deferred.fromCoroutine(twice())), b"WORDSMORE")

    def test_most(self) -> None:
        """
        No more of an answer is kept than one read beyond what was allowed.
        """
        fault = self.unanswered(ask(self.served("chargen"), reactor=self.reactor, most=1000), Verdict.CORRUPT)
        self.assertEqual(str(fault), "corrupt: the answer is longer than 1000 bytes")
        self.assertTrue(1000 < len(fault.answer) <= 1000 + 131072)
        self.assertTrue(fault.answer.startswith(b" !\"#$%&'()*"))
        line = self.wait(ask(self.served("daytime"), reactor=self.reactor, most=26))
        self.assertEqual(len(line), 26, "as much as was allowed")
        self.unanswered(ask(self.served("daytime"), reactor=self.reactor, most=25), Verdict.CORRUPT)


class AskTests(FarCase):
    """
    Asking plain sockets.
    """

    def asked(self, message: bytes = b"words", **how: Any) -> tuple[Deferred[bytes], socket.socket]:
        """
        Ask, and be asked.
        """
        place, listening = self.listening()
        return self.ask(place, message, **how), self.accepted(listening)

    def next(self, segments: Any) -> Any:
        """
        What comes next.
        """
        return self.wait(Deferred.fromCoroutine(anext(segments)))

    def pour(self, far: socket.socket) -> None:
        """
        Talk without end, until nobody hears it.
        """

        def deaf() -> bool:
            try:
                while True:
                    far.send(MUCH)
            except BlockingIOError:
                return False
            except ConnectionError:
                return True

        self.until(deaf)

    def close(self, segments: Any) -> None:
        """
        Want no more.
        """
        self.wait(Deferred.fromCoroutine(segments.aclose()))

    def test_answerAfterTheEnd(self) -> None:
        """
        A peer may wait for our end before it says anything.
        """
        asked, far = self.asked()
        self.assertEqual(self.hear(far, 10), b"words")
        self.turn(5)
        self.assertNoResult(asked)
        far.send(b"WORDS")
        self.turn(5)
        self.assertNoResult(asked)
        far.close()
        self.assertEqual(self.wait(asked), b"WORDS")

    def test_answerBeforeTheEnd(self) -> None:
        """
        A peer that has answered and ended before it was told all has answered; what it would not hear is not sent.
        """
        asked, far = self.asked(MUCH)
        far.send(b"enough")
        far.shutdown(socket.SHUT_WR)
        self.assertEqual(self.wait(asked), b"enough")
        self.assertRaises(ConnectionResetError, self.hear, far, len(MUCH))

    def test_closedBeforeTheEnd(self) -> None:
        """
        One that closes without hearing us out resets, whatever it has said: so much for its answer.
        """
        asked, far = self.asked(MUCH)
        self.turn(5)
        far.send(b"enough")
        far.close()
        self.assertEqual(self.unanswered(asked, Verdict.RESET).answer, b"enough")

    def test_cleanEnd(self) -> None:
        """
        The peer sees our message, and a clean end after it.
        """
        asked, far = self.asked()
        far.send(b"WORDS")
        far.shutdown(socket.SHUT_WR)
        self.assertEqual(self.wait(asked), b"WORDS")
        self.assertEqual(self.hear(far, 10), b"words")

    def test_cleanEndLater(self) -> None:
        """
        Nor is anything taken away that it has yet to read.
        """
        place, listening = self.listening()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        words = MUCH[:100_000]
        asked = self.ask(place, words)
        far = self.accepted(listening)
        self.turn(20)
        far.send(b"WORDS")
        far.shutdown(socket.SHUT_WR)
        self.assertEqual(self.wait(asked), b"WORDS")
        self.assertTrue(self.hear(far, len(MUCH)) == words)

    def test_corruptIsCutOff(self) -> None:
        """
        After the first wrong byte nothing is waited for.
        """
        asked, far = self.asked(MUCH, expect=b"WORDS")
        far.send(b"words")
        self.unanswered(asked, Verdict.CORRUPT)
        self.assertRaises(ConnectionResetError, self.hear, far, len(MUCH))

    def test_timeoutIsCutOff(self) -> None:
        """
        After the timeout too.
        """
        asked, far = self.asked(MUCH, timeout=SHORTLY)
        self.unanswered(asked, Verdict.TIMEOUT)
        self.assertRaises(ConnectionResetError, self.hear, far, len(MUCH))

    def test_cancel(self) -> None:
        """
        Who cancels is told that, and no verdict; the connection is cut off, and nothing is left.
        """
        asked, far = self.asked(MUCH)
        far.send(b"WO")
        self.turn(5)
        asked.cancel()
        self.assertRaises(CancelledError, self.wait, asked)
        self.assertRaises(ConnectionResetError, self.hear, far, len(MUCH))

    def test_cancelTwice(self) -> None:
        """
        Nor is it different when it is cancelled once more.
        """
        asked, _ = self.asked()
        asked.cancel()
        asked.cancel()
        self.assertRaises(CancelledError, self.wait, asked)

    def test_cancelWhileConnecting(self) -> None:
        """
        Nothing is left of a connection that was only begun.
        """
        place, listening = self.bound("tcp")
        listening.listen(0)
        self.far(socket.create_connection(listening.getsockname()))
        asked = self.ask(place)
        self.turn(5)
        asked.cancel()
        self.assertRaises((CancelledError, ConnectingCancelledError), self.wait, asked)

    def test_mostByDefault(self) -> None:
        """
        There is an end to what is kept, even where nobody has thought of one.
        """
        asked, far = self.asked(timeout=None)
        self.pour(far)
        fault = self.unanswered(asked, Verdict.CORRUPT)
        self.assertTrue(2**24 < len(fault.answer) <= 2**24 + 131072)

    def test_talkWithoutEnd(self) -> None:
        """
        A talk without end can be heard as long as one likes, in little memory.
        """
        place, listening = self.listening()

        async def listen() -> int:
            heard = 0
            async with contextlib.aclosing(exchange(place.endpoint(self.reactor), reactor=self.reactor)) as segments:
                async for segment in segments:
                    self.assertLessEqual(len(segment), 131072)
                    heard += len(segment)
                    if heard > 2**24:
                        break
            return heard

        listened = Deferred.fromCoroutine(listen())
        self.pour(self.accepted(listening))
        self.assertGreater(self.wait(listened), 2**24)

    def test_exchange(self) -> None:
        """
        The answer as it comes, and then its end.
        """
        place, listening = self.listening()
        segments = exchange(place.endpoint(self.reactor), b"words", reactor=self.reactor, expect=b"onetwo")
        first = Deferred.fromCoroutine(anext(segments))
        far = self.accepted(listening)
        far.send(b"one")
        self.assertEqual(self.wait(first), b"one")
        far.send(b"two")
        self.assertEqual(self.next(segments), b"two")
        self.assertEqual(self.hear(far, 10), b"words")
        far.close()
        self.assertRaises(StopAsyncIteration, self.next, segments)

    def test_exchangeFails(self) -> None:
        """
        In place of the end there may be a verdict.
        """
        place, listening = self.listening()
        segments = exchange(place.endpoint(self.reactor), b"words", reactor=self.reactor, expect=b"onetwo")
        first = Deferred.fromCoroutine(anext(segments))
        far = self.accepted(listening)
        far.send(b"one")
        self.assertEqual(self.wait(first), b"one")
        self.assertEqual(self.hear(far, 10), b"words")
        far.close()
        self.unanswered(Deferred.fromCoroutine(anext(segments)), Verdict.SHORT)

    def test_exchangeClosed(self) -> None:
        """
        Who wants no more cuts it off.
        """
        place, listening = self.listening()
        segments = exchange(place.endpoint(self.reactor), MUCH, reactor=self.reactor)
        first = Deferred.fromCoroutine(anext(segments))
        far = self.accepted(listening)
        far.send(b"one")
        self.assertEqual(self.wait(first), b"one")
        self.close(segments)
        self.assertRaises(ConnectionResetError, self.hear, far, len(MUCH))

    def test_exchangeNotBegun(self) -> None:
        """
        Who asks for nothing does not even connect.
        """
        place, listening = self.listening()
        self.close(exchange(place.endpoint(self.reactor), b"words", reactor=self.reactor))
        self.turn(5)
        self.assertRaises(BlockingIOError, listening.accept)


class PropertyTests(FarCase):
    """
    Any answer to any expectation.
    """

    def setUp(self) -> None:
        """
        Listen.
        """
        super().setUp()
        self.place, self.door = self.listening()

    #: What is said, and what is expected: much the same, more or less, or anything.
    PAIRS = st.one_of(
        st.tuples(st.binary(max_size=30), st.none() | st.binary(max_size=30)),
        st.binary(max_size=30).map(lambda words: (words, words)),
        st.tuples(st.binary(max_size=20), st.binary(min_size=1, max_size=10)).map(
            lambda two: (two[0], two[0] + two[1])
        ),
        st.tuples(st.binary(max_size=20), st.binary(min_size=1, max_size=10)).map(
            lambda two: (two[0] + two[1], two[0])
        ),
    )

    @settings(deadline=None, max_examples=150)
    @given(pair=PAIRS, cuts=st.sets(st.integers(0, 30), max_size=4), message=st.binary(max_size=10))
    def test_verdict(self, pair: tuple[bytes, bytes | None], cuts: set[int], message: bytes) -> None:
        """
        However an answer is cut, the verdict is what it is as a whole.
        """
        said, expect = pair
        asked = self.ask(self.place, message, expect=expect)
        far = self.accepted(self.door)
        for start, end in pairwise(sorted({0, len(said), *(cut for cut in cuts if cut < len(said))})):
            # Known to be wrong, it may be cut off before it is over.
            with contextlib.suppress(ConnectionError):
                far.send(said[start:end])
            self.turn(2)
        if expect is not None and not expect.startswith(said):
            fault = self.unanswered(asked, Verdict.CORRUPT)
            self.assertTrue(said.startswith(fault.answer) and not expect.startswith(fault.answer), fault.answer)
            return
        self.assertEqual(self.hear(far, 100), message)
        far.close()
        if said == expect or (said and expect is None):
            self.assertEqual(self.wait(asked), said)
        else:
            fault = self.unanswered(asked, Verdict.SHORT if said else Verdict.EOF)
            self.assertEqual(fault.answer, said)
