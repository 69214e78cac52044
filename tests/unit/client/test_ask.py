"""
Requests and answers over streams.
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
from tests.support.client import SHORT_TIMEOUT, ClientCase

#: Ten megabytes, with every byte value: more than all socket buffers hold.
LARGE = bytes(range(256)) * 40_000

#: The longest read of a Twisted transport, in bytes.
MAX_READ = 131072


class ServiceTests(ClientCase):
    """
    Requests to the project's own services.
    """

    def serve(self, name: str, transport: str = "tcp") -> IStreamClientEndpoint:
        """
        Serve one service, and give the client endpoint to it. After the test, all its connections are closed.
        """
        self.visits: list[Visit] = []
        factory = StreamFactory(find(name), record=self.visits.append, clock=self.reactor)
        path = str(self.folder / f"{name}.sock")
        binding = InetBinding(Transport.TCP, 0) if transport == "tcp" else UnixBinding(Transport.UNIX, path)
        port: Any = self.wait(StreamEndpoint(self.reactor, binding).listen(factory))
        self.addCleanup(lambda: self.wait(port.stopListening()))
        self.addCleanup(lambda: self.until(lambda: not factory.protocols))
        address = ("127.0.0.1", port.getHost().port) if transport == "tcp" else path
        return Target(transport, address).endpoint(self.reactor)

    def test_everyService(self) -> None:
        """
        Every service answers and closes, except C{discard}, and C{users}, whose answer may be empty.
        """
        for name in sorted({*names()} - {"discard", "users"}):
            for transport in ("tcp", "unix"):
                self.assertTrue(self.wait(ask(self.serve(name, transport), b"1", reactor=self.reactor)), name)

    def test_empty(self) -> None:
        """
        An empty answer is good only if it is expected. The message may be empty too: the FIN makes C{welcome} answer.
        """
        self.assertEqual(self.wait(ask(self.serve("welcome"), reactor=self.reactor)), b"please go out!")
        endpoint = self.serve("discard")
        self.assertEqual(self.wait(ask(endpoint, b"data", reactor=self.reactor, expect=b"")), b"")
        self.assertFails(ask(endpoint, b"data", reactor=self.reactor), Verdict.EOF)
        self.assertFails(ask(self.serve("echo"), reactor=self.reactor), Verdict.EOF)

    def test_largeMessageAndAnswer(self) -> None:
        """
        Sending and receiving go on at the same time, and the connection ends cleanly.
        """
        for transport in ("tcp", "unix"):
            endpoint = self.serve("echo", transport)
            self.assertTrue(self.wait(ask(endpoint, LARGE, reactor=self.reactor, expect=LARGE)) == LARGE)
            self.until(lambda: self.visits)
            self.assertEqual(self.visits[0].outcome, Outcome.DONE)

    def test_concurrentRequests(self) -> None:
        """
        Many requests may run at the same time.
        """
        endpoint = self.serve("upper")
        answers = [ask(endpoint, b"data%d" % number, reactor=self.reactor) for number in range(50)]
        self.assertEqual(self.wait(gatherResults(answers)), [b"DATA%d" % number for number in range(50)])

    def test_maximumLength(self) -> None:
        """
        An answer longer than the maximum fails, with no more than one read beyond the maximum in memory.
        """
        failure = self.assertFails(ask(self.serve("chargen"), reactor=self.reactor, most=1000), Verdict.CORRUPT)
        self.assertEqual(str(failure), "corrupt: the answer is longer than 1000 bytes")
        self.assertTrue(1000 < len(failure.answer) <= 1000 + MAX_READ)
        self.assertTrue(failure.answer.startswith(b" !\"#$%&'()*"))
        self.assertEqual(len(self.wait(ask(self.serve("daytime"), reactor=self.reactor, most=26))), 26)
        self.assertFails(ask(self.serve("daytime"), reactor=self.reactor, most=25), Verdict.CORRUPT)


class AskTests(ClientCase):
    """
    Requests to plain sockets.
    """

    def request(self, message: bytes = b"data", **options: Any) -> tuple[Deferred[bytes], socket.socket]:
        """
        Send a request, and accept its connection.
        """
        target, listener = self.listening()
        return self.ask(target, message, **options), self.accepted(listener)

    def exchange(self, message: bytes = b"data", **options: Any) -> tuple[Any, socket.socket]:
        """
        Begin an exchange, and answer with its first segment, C{one}.
        """
        target, listener = self.listening()
        segments = exchange(target.endpoint(self.reactor), message, reactor=self.reactor, **options)
        first = Deferred.fromCoroutine(anext(segments))
        remote = self.accepted(listener)
        remote.send(b"one")
        self.assertEqual(self.wait(first), b"one")
        return segments, remote

    def sendUntilClosed(self, remote: socket.socket) -> None:
        """
        Send data until the client closes.
        """

        def closed() -> bool:
            try:
                while True:
                    remote.send(LARGE)
            except BlockingIOError:
                return False
            except ConnectionError:
                return True

        self.until(closed)

    def test_answerAfterFin(self) -> None:
        """
        The server may wait for our FIN before it answers; the request ends only with the server's FIN.
        """
        answer, remote = self.request()
        self.assertEqual(self.receive(remote, 10), b"data")
        self.turn(5)
        self.assertNoResult(answer)
        remote.send(b"DATA")
        self.turn(5)
        self.assertNoResult(answer)
        remote.close()
        self.assertEqual(self.wait(answer), b"DATA")

    def test_answerBeforeEndOfMessage(self) -> None:
        """
        A server that sends a FIN before it has read the message has answered; the client sends no more of the message.
        A server that closes with unread data resets the connection, so its answer may be incomplete.
        """
        for closes in (False, True):
            answer, remote = self.request(LARGE)
            self.turn(5)
            remote.send(b"enough")
            if closes:
                remote.close()
                self.assertEqual(self.assertFails(answer, Verdict.RESET).answer, b"enough")
            else:
                remote.shutdown(socket.SHUT_WR)
                self.assertEqual(self.wait(answer), b"enough")
                self.assertRaises(ConnectionResetError, self.receive, remote, len(LARGE))

    def test_cleanClose(self) -> None:
        """
        After the answer, the server can still read the whole message and a FIN.
        """
        target, listener = self.listening()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for message in (b"data", LARGE[:100_000]):
            answer = self.ask(target, message)
            remote = self.accepted(listener)
            self.turn(20)
            remote.send(b"DATA")
            remote.shutdown(socket.SHUT_WR)
            self.assertEqual(self.wait(answer), b"DATA")
            self.assertTrue(self.receive(remote, len(LARGE)) == message)

    def test_failureAborts(self) -> None:
        """
        A wrong byte, the timeout and a cancellation abort the connection, and the attempt to connect.
        """
        for options, verdict in (
            ({"expect": b"DATA"}, Verdict.CORRUPT),
            ({"timeout": SHORT_TIMEOUT}, Verdict.INCOMPLETE),
            ({}, None),
        ):
            answer, remote = self.request(LARGE, **options)
            remote.send(b"data")
            self.turn(5)
            if verdict is None:
                answer.cancel()
                answer.cancel()
                self.assertRaises(CancelledError, self.wait, answer)
            else:
                self.assertFails(answer, verdict)
            self.assertRaises(ConnectionResetError, self.receive, remote, len(LARGE))
        connecting = self.ask(self.withFullQueue("tcp")[0])
        self.turn(5)
        connecting.cancel()
        self.assertRaises((CancelledError, ConnectingCancelledError), self.wait, connecting)

    def test_defaultMaximumLength(self) -> None:
        """
        By default an answer has at most 16 MiB. An exchange has no maximum length, and yields segments of bounded
        length.
        """
        answer, remote = self.request(timeout=None)
        self.sendUntilClosed(remote)
        failure = self.assertFails(answer, Verdict.CORRUPT)
        self.assertTrue(2**24 < len(failure.answer) <= 2**24 + MAX_READ)
        target, listener = self.listening()

        async def receive() -> int:
            received = 0
            async with contextlib.aclosing(exchange(target.endpoint(self.reactor), reactor=self.reactor)) as segments:
                async for segment in segments:
                    self.assertLessEqual(len(segment), MAX_READ)
                    received += len(segment)
                    if received > 2**24:
                        break
            return received

        received = Deferred.fromCoroutine(receive())
        self.sendUntilClosed(self.accepted(listener))
        self.assertGreater(self.wait(received), 2**24)

    def test_exchange(self) -> None:
        """
        An exchange yields segments as they arrive, and ends with the server's FIN: with a failure if the answer is
        short.
        """
        for rest in (b"two", b""):
            segments, remote = self.exchange(expect=b"onetwo")
            if rest:
                remote.send(rest)
                self.assertEqual(self.wait(Deferred.fromCoroutine(anext(segments))), rest)
            self.assertEqual(self.receive(remote, 10), b"data")
            remote.close()
            end = Deferred.fromCoroutine(anext(segments))
            if rest:
                self.assertRaises(StopAsyncIteration, self.wait, end)
            else:
                self.assertFails(end, Verdict.SHORT)

    def test_closeExchange(self) -> None:
        """
        An exchange connects when its first segment is requested, and not before. Closing it early aborts its
        connection.
        """
        target, listener = self.listening()
        segments: Any = exchange(target.endpoint(self.reactor), b"data", reactor=self.reactor)
        self.wait(Deferred.fromCoroutine(segments.aclose()))
        self.turn(5)
        self.assertRaises(BlockingIOError, listener.accept)
        segments, remote = self.exchange(LARGE)
        self.wait(Deferred.fromCoroutine(segments.aclose()))
        self.assertRaises(ConnectionResetError, self.receive, remote, len(LARGE))


class PropertyTests(ClientCase):
    """
    Any answer, compared with any expectation.
    """

    def setUp(self) -> None:
        """
        Listen.
        """
        super().setUp()
        self.target, self.listener = self.listening()

    #: Answers and expectations: unrelated, equal, or one a prefix of the other.
    PAIRS = st.one_of(
        st.tuples(st.binary(max_size=30), st.none() | st.binary(max_size=30)),
        st.binary(max_size=30).map(lambda answer: (answer, answer)),
        st.builds(lambda a, b: (a, a + b), st.binary(max_size=20), st.binary(min_size=1, max_size=10)),
        st.builds(lambda a, b: (a + b, a), st.binary(max_size=20), st.binary(min_size=1, max_size=10)),
    )

    @settings(deadline=None, max_examples=150)
    @given(pair=PAIRS, cuts=st.sets(st.integers(0, 30), max_size=4), message=st.binary(max_size=10))
    def test_segmentation(self, pair: tuple[bytes, bytes | None], cuts: set[int], message: bytes) -> None:
        """
        The verdict does not depend on how the network divides the answer into segments.
        """
        sent, expect = pair
        answer = self.ask(self.target, message, expect=expect)
        remote = self.accepted(self.listener)
        for start, end in pairwise(sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})):
            # The client aborts at the first wrong byte.
            with contextlib.suppress(ConnectionError):
                remote.send(sent[start:end])
            self.turn(2)
        if expect is not None and not expect.startswith(sent):
            failure = self.assertFails(answer, Verdict.CORRUPT)
            self.assertTrue(sent.startswith(failure.answer) and not expect.startswith(failure.answer), failure.answer)
            return
        self.assertEqual(self.receive(remote, 100), message)
        remote.close()
        if sent == expect or (sent and expect is None):
            self.assertEqual(self.wait(answer), sent)
        else:
            failure = self.assertFails(answer, Verdict.SHORT if sent else Verdict.EOF)
            self.assertEqual(failure.answer, sent)
