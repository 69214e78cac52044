"""
Conversations from their client's side.
"""

from __future__ import annotations

import socket
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import twisted.test
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError, ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from sockservices import Responder, StreamFactory
from sockservices.client import ClientFactory, ClientProtocol, Target, Unanswered, Verdict, ask, connect
from sockservices.conversation.transport import Transport
from sockservices.responders import Daytime, Echo, Upper, Welcome
from sockservices.transports.bindings import InetBinding
from sockservices.transports.endpoints import StreamEndpoint
from tests.unit.client.test_verdict import RESETTING, FarCase

TCP, UDP, UNIX, UNIXGRAM = Transport

tls: ModuleType | None
try:
    from twisted.internet import ssl
    from twisted.protocols import tls
except ImportError:
    tls = None

#: More than any kernel takes before the peer reads.
MUCH = 1 << 23

#: The most that waits to be received: what may wait before the peer has to, and one read more.
BOUND = 131072

#: What may happen in a conversation.
EVENTS = ["data", "receive", "wait", "cancel", "send", "pause", "resume", "finish", "end", "abort"]
EVENTS += ["readLost", "lost", "reset"]


def lost(reason: Exception) -> Failure:
    """
    How a transport says that the connection is gone.
    """
    return Failure(reason)


class MemoryTests(SynchronousTestCase):
    """
    In memory, on a clock that the test moves.
    """

    def setUp(self) -> None:
        """
        Connect one.
        """
        self.clock = Clock()
        self.transport = StringTransport()
        self.conversation = ClientFactory(self.clock).buildProtocol(None)
        self.conversation.makeConnection(self.transport)

    def tearDown(self) -> None:
        """
        No timer is left.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def fails(self, deferred: Deferred[Any], verdict: Verdict) -> str:
        """
        Require a verdict.

        @return: it, and what happened.
        """
        fault = self.failureResultOf(deferred, Unanswered).value
        self.assertIs(fault.verdict, verdict)
        return str(fault)

    def test_interfaces(self) -> None:
        """
        It provides what transports look for.
        """
        for interface in (IHalfCloseableProtocol, IPushProducer):
            verifyObject(interface, self.conversation)

    def test_factory(self) -> None:
        """
        A factory may make other ones.
        """

        class Other(ClientProtocol):
            pass

        factory = ClientFactory(self.clock)
        factory.protocol = Other
        self.assertIsInstance(factory.buildProtocol(None), Other)

    def test_receivesWhatHasCome(self) -> None:
        """
        All that has come, in one piece; not twice.
        """
        for word in (b"one", b"two"):
            self.conversation.dataReceived(word)
        self.assertEqual(self.successResultOf(self.conversation.receive()), b"onetwo")
        self.assertNoResult(self.conversation.receive())

    def test_receivesWhatComes(self) -> None:
        """
        What comes next, if nothing has: at once, however little it is.
        """
        received = self.conversation.receive()
        self.assertNoResult(received)
        self.conversation.dataReceived(b"o")
        self.assertEqual(self.successResultOf(received), b"o")
        self.conversation.dataReceived(b"ne")
        self.assertEqual(self.successResultOf(self.conversation.receive()), b"ne")

    def test_oneReceives(self) -> None:
        """
        Two at once could not know who gets what.
        """
        self.conversation.receive()
        self.assertRaises(AssertionError, self.conversation.receive)

    def test_receiveTimesOut(self) -> None:
        """
        After the timeout the conversation goes on, and nothing is lost.
        """
        received = self.conversation.receive(5)
        self.clock.advance(4.9)
        self.assertNoResult(received)
        self.clock.advance(0.1)
        self.assertEqual(self.fails(received, Verdict.TIMEOUT), "timeout: nothing was said within 5 s")
        self.conversation.dataReceived(b"late")
        self.assertEqual(self.successResultOf(self.conversation.receive(5)), b"late")
        received = self.conversation.receive(5)
        self.conversation.dataReceived(b"in time")
        self.assertEqual(self.successResultOf(received), b"in time")
        self.assertEqual(self.transport.disconnecting, False)

    def test_receiveIsCancelled(self) -> None:
        """
        Who does not want to wait any longer cancels; nothing is lost.
        """
        received = self.conversation.receive(5)
        received.cancel()
        self.failureResultOf(received, CancelledError)
        self.conversation.dataReceived(b"late")
        self.assertEqual(self.successResultOf(self.conversation.receive()), b"late")

    def test_receivesInAnAnswer(self) -> None:
        """
        Who is given something may receive and send at once, from there.
        """
        heard: list[bytes] = []

        def again(said: bytes) -> None:
            heard.append(said)
            self.conversation.send(said.upper())
            self.conversation.receive().addCallback(again)

        self.conversation.receive().addCallback(again)
        for word in (b"one", b"two"):
            self.conversation.dataReceived(word)
        self.assertEqual((heard, self.transport.value()), ([b"one", b"two"], b"ONETWO"))

    def test_pausesThePeer(self) -> None:
        """
        When 64 KiB wait to be received the peer has to wait, until they are.
        """
        self.conversation.dataReceived(bytes(65535))
        self.assertEqual(self.transport.producerState, "producing")
        self.conversation.dataReceived(b"!")
        self.assertEqual(self.transport.producerState, "paused")
        self.assertEqual(self.successResultOf(self.conversation.receive()), bytes(65535) + b"!")
        self.assertEqual(self.transport.producerState, "producing")

    def test_manySegments(self) -> None:
        """
        What waits costs the same, in however many segments it came.
        """
        began = time.process_time()
        for _ in range(65536):
            self.conversation.dataReceived(b"?")
        self.assertLess(time.process_time() - began, 5)
        self.assertEqual(self.transport.producerState, "paused")
        self.assertEqual(self.successResultOf(self.conversation.receive()), b"?" * 65536)

    def test_receivesAfterTheEnd(self) -> None:
        """
        What has come before the end is received first. Then, there is the end, as often as it is asked for.
        """
        for told in (lambda one: one.readConnectionLost(), lambda one: one.connectionLost(lost(ConnectionDone()))):
            self.setUp()
            self.conversation.dataReceived(b"last words")
            told(self.conversation)
            self.assertEqual(self.successResultOf(self.conversation.receive()), b"last words")
            for _ in range(2):
                self.assertEqual(self.successResultOf(self.conversation.receive(5)), b"")

    def test_receivesAfterAReset(self) -> None:
        """
        What has come before a reset is received first.
        """
        self.conversation.dataReceived(b"last words")
        self.conversation.connectionLost(lost(ConnectionLost()))
        self.assertEqual(self.successResultOf(self.conversation.receive()), b"last words")
        for _ in range(2):
            self.assertEqual(
                self.fails(self.conversation.receive(5), Verdict.RESET), "reset: the peer cut the connection off"
            )

    def test_endWhileReceiving(self) -> None:
        """
        Who waits learns of the end, or of the reset.
        """
        received = self.conversation.receive(5)
        self.conversation.readConnectionLost()
        self.assertEqual(self.successResultOf(received), b"")
        self.setUp()
        received = self.conversation.receive(5)
        self.conversation.connectionLost(lost(ConnectionLost()))
        self.fails(received, Verdict.RESET)

    def test_resetAfterTheEnd(self) -> None:
        """
        A reset after the peer's end takes nothing away of what it had said.
        """
        self.conversation.readConnectionLost()
        self.conversation.connectionLost(lost(ConnectionLost()))
        self.assertEqual(self.successResultOf(self.conversation.receive()), b"")

    def test_resetOfWhatIsSentAfterTheEnd(self) -> None:
        """
        But what still waited to be sent is lost, and who sent it is told.
        """
        self.conversation.readConnectionLost()
        producer: Any = self.transport.producer
        producer.pauseProducing()
        sent = self.conversation.send(b"words")
        self.conversation.connectionLost(lost(ConnectionLost()))
        self.assertIs(self.failureResultOf(sent, Unanswered).value.verdict, Verdict.RESET)

    def test_send(self) -> None:
        """
        While the transport takes more there is room for more.
        """
        self.successResultOf(self.conversation.send(b"one"))
        producer: Any = self.transport.producer
        producer.pauseProducing()
        waiting = [self.conversation.send(b"two") for _ in range(3)]
        waiting[1].cancel()
        self.failureResultOf(waiting[1], CancelledError)
        for sent in (waiting[0], waiting[2]):
            self.assertNoResult(sent)
        self.assertEqual(self.transport.value(), b"onetwotwotwo")
        producer.resumeProducing()
        for sent in (waiting[0], waiting[2], self.conversation.send(b"three")):
            self.successResultOf(sent)

    def test_sendAfterTheEnd(self) -> None:
        """
        Nothing can be sent after our end, nor when the connection is gone.
        """
        self.conversation.end()
        self.fails(self.conversation.send(b"more"), Verdict.EOF)
        for reason, verdict in ((ConnectionDone(), Verdict.EOF), (ConnectionLost(), Verdict.RESET)):
            self.setUp()
            self.conversation.connectionLost(lost(reason))
            self.fails(self.conversation.send(b"more"), verdict)
            self.assertEqual(self.transport.value(), b"")

    def test_notConnected(self) -> None:
        """
        Before there is a connection nothing can be sent, and there is nothing to end.
        """
        conversation = ClientProtocol(self.clock)
        self.fails(conversation.send(b"more"), Verdict.EOF)
        conversation.finish()
        self.successResultOf(conversation.end())
        self.successResultOf(conversation.abort())

    def test_ways(self) -> None:
        """
        There is one way to end, and one to cut off; both are waited for, by any number.
        """
        for way, flag in (("end", "disconnecting"), ("abort", "disconnected")):
            self.setUp()
            gone = [getattr(self.conversation, way)() for _ in range(3)]
            gone[1].cancel()
            self.failureResultOf(gone[1], CancelledError)
            self.assertTrue(getattr(self.transport, flag))
            for each in (gone[0], gone[2]):
                self.assertNoResult(each)
            self.conversation.connectionLost(lost(ConnectionDone()))
            for each in (gone[0], gone[2], self.conversation.end(), self.conversation.abort()):
                self.successResultOf(each)

    def test_endAfterAbort(self) -> None:
        """
        Who has cut it off may end it too, and can send no more.
        """
        gone = self.conversation.abort(), self.conversation.end()
        self.conversation.finish()
        self.fails(self.conversation.send(b"more"), Verdict.EOF)
        self.conversation.connectionLost(lost(ConnectionAborted()))
        for each in gone:
            self.successResultOf(each)

    def test_connectTimesOut(self) -> None:
        """
        There is a limit on how long it takes to connect, beside the endpoint's own.
        """

        @implementer(IStreamClientEndpoint)
        class Slow:
            def connect(self, _: object) -> Deferred[Any]:
                return Deferred()

        connecting = connect(Slow(), reactor=self.clock, timeout=5)
        self.clock.advance(4.9)
        self.assertNoResult(connecting)
        self.clock.advance(0.1)
        self.assertEqual(self.fails(connecting, Verdict.TIMEOUT), "timeout: no connection within 5 s")

    @settings(deadline=None, max_examples=200)
    @given(
        events=st.lists(
            st.sampled_from(EVENTS),
            max_size=20,
        )
    )
    def test_anyOrder(self, events: list[str]) -> None:
        """
        In whatever order things happen, nothing raises, what is received is what came before our end, in order, and
        when the connection is gone nobody is left waiting.
        """
        self.setUp()
        conversation: Any = self.conversation
        everything: list[Deferred[Any]] = []
        received: list[bytes] = []
        said = b""
        read = gone = ended = False
        for number, event in enumerate([*events, "lost"]):
            producer: Any = self.transport.producer
            if event == "data" and not (read or gone):
                said += b"" if ended else b"%d" % number
                conversation.dataReceived(b"%d" % number)
            elif event == "receive" and all(each.called for each in everything if hasattr(each, "receives")):
                waiting: Any = conversation.receive(5)
                waiting.receives = True
                everything.append(waiting.addCallback(received.append))
            elif event == "wait":
                self.clock.advance(3)
            elif event == "cancel" and everything:
                everything[-1].cancel()
            elif event in ("end", "abort"):
                ended = True
                everything.append(getattr(conversation, event)())
            elif event == "send":
                everything.append(conversation.send(b"words"))
            elif event in ("pause", "resume") and producer is not None:
                getattr(producer, f"{event}Producing")()
            elif event == "finish":
                conversation.finish()
            elif event == "readLost" and not (read or gone):
                read = True
                conversation.readConnectionLost()
            elif event in ("lost", "reset") and not gone:
                gone = True
                conversation.connectionLost(lost(ConnectionDone() if event == "lost" else ConnectionLost()))
        for each in everything:
            self.assertTrue(each.called, "nobody waits any longer")
            each.addErrback(lambda failure: failure.trap(Unanswered, CancelledError))
        while not received or received[-1]:
            rest = conversation.receive()
            rest.addCallback(received.append).addErrback(lambda _: received.append(b""))
            self.assertTrue(rest.called)
        self.assertEqual(b"".join(received), said)


class ConversationCase(FarCase):
    """
    A test of a conversation over a real connection.
    """

    def connected(self, transport: str = "tcp") -> tuple[ClientProtocol, socket.socket]:
        """
        Both ends of one.
        """
        place, listening = self.listening(transport)
        conversation = self.wait(connect(place.endpoint(self.reactor), reactor=self.reactor))
        far = self.accepted(listening)
        self.addCleanup(lambda: self.wait(conversation.abort()))
        return conversation, far

    def untilFinished(self, conversation: ClientProtocol) -> None:
        """
        Wait until all that was sent is handed over, and our end.
        """
        self.until(lambda: conversation.finished)

    def reset(self, far: socket.socket) -> None:
        """
        Cut it off, from the far end.
        """
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETTING)
        far.close()

    def sendAll(self, far: socket.socket, words: bytes) -> None:
        """
        Send as the kernel takes it.
        """
        left = memoryview(words)

        def sent() -> bool:
            nonlocal left
            try:
                left = left[far.send(left) :]
            except BlockingIOError:
                return False
            return not left

        self.until(sent)


class ConversationTests(ConversationCase):
    """
    Over real connections.
    """

    def test_talks(self) -> None:
        """
        Both sides talk, in any order, over TCP and Unix sockets.
        """
        for transport in ("tcp", "unix"):
            conversation, far = self.connected(transport)
            far.send(b"welcome")
            self.assertEqual(self.wait(conversation.receive()), b"welcome")
            self.wait(conversation.send(b"words"))
            self.assertEqual(self.hear(far, 5), b"words")
            received = conversation.receive()
            far.send(b"WORDS")
            self.assertEqual(self.wait(received), b"WORDS")

    def test_factory(self) -> None:
        """
        Its factory works with the reactor itself, too.
        """
        _, listening = self.listening()
        made: list[ClientProtocol] = []

        class Noting(ClientProtocol):
            def connectionMade(self) -> None:
                super().connectionMade()
                made.append(self)

        factory = ClientFactory(self.reactor)
        factory.protocol = Noting
        self.reactor.connectTCP(*listening.getsockname(), factory)
        self.until(lambda: made)
        self.accepted(listening).send(b"words")
        self.assertEqual(self.wait(made[0].receive()), b"words")
        self.wait(made[0].end())

    def test_boundedMemory(self) -> None:
        """
        While nobody receives, no more than 128 KiB are taken from the peer; and then nothing is missing.
        """
        conversation, far = self.connected()
        words = bytes(range(256)) * (MUCH // 256)
        sent = 0
        for _ in range(100):
            while sent < MUCH:
                try:
                    sent += far.send(words[sent : sent + 65536])
                except BlockingIOError:
                    break
            self.turn()
        self.assertLess(sent, MUCH, "the far end has to wait")
        heard = b""
        while len(heard) < sent:
            said = self.wait(conversation.receive())
            self.assertLessEqual(len(said), BOUND)
            heard += said
        self.assertTrue(heard == words[:sent])

    def test_backPressure(self) -> None:
        """
        There is no room for more while the peer does not read, and there is when it has.
        """
        conversation, far = self.connected()
        self.successResultOf(conversation.send(b"little"))
        sent = conversation.send(bytes(MUCH))
        self.turn(50)
        self.assertNoResult(sent)
        self.assertEqual(len(self.hear(far, MUCH + 6)), MUCH + 6)
        self.wait(sent)

    def test_finish(self) -> None:
        """
        The peer sees our end after all that was sent; it may still say what it likes.
        """
        for transport in ("tcp", "unix"):
            conversation, far = self.connected(transport)
            conversation.send(bytes(MUCH))
            conversation.finish()
            conversation.finish()
            self.turn(5)
            self.assertFalse(conversation.finished, "not all is handed over")
            self.assertEqual(len(self.hear(far, MUCH + 1)), MUCH)
            self.untilFinished(conversation)
            far.send(b"after")
            self.assertEqual(self.wait(conversation.receive()), b"after")
            far.close()
            self.assertEqual(self.wait(conversation.receive()), b"")
            self.failureResultOf(conversation.send(b"more"), Unanswered)

    def test_finishAtTheEnd(self) -> None:
        """
        It does no harm when the peer has ended, or the connection is gone.
        """
        conversation, far = self.connected()
        far.shutdown(socket.SHUT_WR)
        self.assertEqual(self.wait(conversation.receive()), b"")
        self.wait(conversation.send(b"still heard"))
        conversation.finish()
        self.assertEqual(self.hear(far, 100), b"still heard")
        conversation, far = self.connected()
        self.reset(far)
        self.assertRaises(Unanswered, self.wait, conversation.receive())
        conversation.finish()
        self.turn(3)
        self.assertFalse(conversation.finished)

    def test_end(self) -> None:
        """
        The peer gets all that was sent, and then the end.
        """
        conversation, far = self.connected()
        conversation.send(bytes(MUCH))
        gone = [conversation.end() for _ in range(2)]
        self.turn(5)
        for each in gone:
            self.assertNoResult(each)
        self.assertEqual(len(self.hear(far, MUCH + 1)), MUCH)
        for each in [*gone, conversation.end(), conversation.abort()]:
            self.wait(each)
        self.assertEqual(self.wait(conversation.receive()), b"")

    def test_endAfterFinish(self) -> None:
        """
        Who has finished, ends the rest.
        """
        conversation, far = self.connected()
        conversation.send(b"words")
        conversation.finish()
        self.untilFinished(conversation)
        self.wait(conversation.end())
        self.assertEqual(self.hear(far, 10), b"words")

    def test_abort(self) -> None:
        """
        The peer is cut off: before, during or after the end of our side.
        """
        for before in ("", "finish", "end"):
            conversation, far = self.connected()
            conversation.send(bytes(MUCH))
            if before:
                getattr(conversation, before)()
            self.turn(3)
            for gone in [conversation.abort() for _ in range(2)]:
                self.wait(gone)
            self.wait(conversation.abort())
            self.assertRaises(ConnectionResetError, self.hear, far, MUCH + 1)

    def test_abortWhileReceiving(self) -> None:
        """
        Who receives meanwhile gets no answer, nor its clean end.
        """
        conversation, _ = self.connected()
        received = conversation.receive()
        self.wait(conversation.abort())
        self.assertEqual(str(self.unanswered(received, Verdict.RESET)), "reset: the connection was cut off from here")

    def test_resetWhileReceiving(self) -> None:
        """
        What the peer said before it cut the connection off is received, and then that it did.
        """
        conversation, far = self.connected()
        received = conversation.receive()
        far.send(b"last")
        self.assertEqual(self.wait(received), b"last")
        far.send(b"words")
        self.turn(5)
        self.reset(far)
        self.until(lambda: conversation.transport.disconnected)
        self.assertEqual(self.wait(conversation.receive()), b"words")
        for _ in range(2):
            self.unanswered(conversation.receive(), Verdict.RESET)

    def test_resetWhileSending(self) -> None:
        """
        Who waits for room is told, and cannot send more.
        """
        conversation, far = self.connected()
        sent = conversation.send(bytes(MUCH))
        self.turn(5)
        self.reset(far)
        self.unanswered(sent, Verdict.RESET)
        self.unanswered(conversation.send(b"more"), Verdict.RESET)
        self.unanswered(conversation.receive(), Verdict.RESET)

    def test_timeout(self) -> None:
        """
        The conversation goes on after a timeout.
        """
        conversation, far = self.connected()
        self.unanswered(conversation.receive(0.05), Verdict.TIMEOUT)
        far.send(b"late")
        self.assertEqual(self.wait(conversation.receive(10)), b"late")

    def test_all(self) -> None:
        """
        All that is said can be walked through, to the end, or to a reset.
        """
        for verdict in (None, Verdict.RESET):
            conversation, far = self.connected()
            heard = b""

            async def listen(conversation: ClientProtocol = conversation) -> None:
                nonlocal heard
                async for said in conversation:
                    heard += said

            listening = Deferred.fromCoroutine(listen())
            for word in (b"one", b"two", b"three"):
                far.send(word)
                self.turn(3)
            if verdict is None:
                far.close()
                self.wait(listening)
            else:
                self.reset(far)
                self.unanswered(listening, verdict)
            self.assertEqual(heard, b"onetwothree")


class ConnectTests(FarCase):
    """
    Beginning a conversation.
    """

    def pending(self) -> Target:
        """
        Where nobody accepts, and the queue is full.
        """
        place, listening = self.bound("tcp")
        listening.listen(0)
        self.far(socket.create_connection(listening.getsockname()))
        return place

    def test_cancel(self) -> None:
        """
        Who cancels is told that, and no verdict; nothing is left.
        """
        place = self.pending()
        connecting = connect(place.endpoint(self.reactor), reactor=self.reactor, timeout=10)
        self.turn(5)
        self.assertNoResult(connecting)
        connecting.cancel()
        self.assertRaises((CancelledError, ConnectingCancelledError), self.wait, connecting)

    def test_timeout(self) -> None:
        """
        Nor is anything left after the timeout.
        """
        place = self.pending()
        connecting = connect(place.endpoint(self.reactor), reactor=self.reactor, timeout=0.05)
        self.assertEqual(str(self.unanswered(connecting, Verdict.TIMEOUT)), "timeout: no connection within 0.05 s")

    def test_refused(self) -> None:
        """
        The verdict is that of the endpoint.
        """
        place, _ = self.bound("tcp")
        self.unanswered(connect(place.endpoint(self.reactor), reactor=self.reactor), Verdict.REFUSED)


@implementer(IStreamClientEndpoint)
class Secured:
    """
    An endpoint that wraps another in TLS, all of it on a reactor of the test's.
    """

    def __init__(self, plain: IStreamClientEndpoint, options: Any, reactor: Any) -> None:
        self._plain = plain
        self._wrap = lambda factory: tls.TLSMemoryBIOFactory(options, True, factory, reactor)  # type: ignore[union-attr]

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """
        Connect.
        """
        connecting: Deferred[Any] = self._plain.connect(self._wrap(protocolFactory))
        return connecting.addCallback(lambda wrapper: wrapper.wrappedProtocol)


class TLSTests(ConversationCase):
    """
    Over TLS, which has no half-close.
    """

    if tls is None:
        skip = "there is no TLS"

    def server(self, factory: Any) -> tuple[Target, Any]:
        """
        A port behind TLS, and how a client trusts it.
        """
        assert tls is not None
        pem = str(Path(twisted.test.__file__).with_name("server.pem"))
        context = ssl.DefaultOpenSSLContextFactory(pem, pem)
        wrapped = tls.TLSMemoryBIOFactory(context, False, factory, self.reactor)
        port = self.wait(StreamEndpoint(self.reactor, InetBinding(TCP, 0)).listen(wrapped))
        self.addCleanup(lambda: self.wait(port.stopListening()))
        return Target("tcp", ("127.0.0.1", port.getHost().port)), ssl.CertificateOptions()

    def secured(self, responder: type[Responder]) -> Secured:
        """
        The way to one of our own services, behind TLS.
        """
        factory = StreamFactory(responder, record=lambda _: None, clock=self.reactor)
        place, options = self.server(factory)

        def ended() -> None:
            self.until(lambda: not factory.protocols)

        self.addCleanup(ended)
        return Secured(place.endpoint(self.reactor), options, self.reactor)

    def test_ask(self) -> None:
        """
        A service that hangs up can be asked: its end is the answer's, and it is a clean one.
        """
        line = self.wait(ask(self.secured(Daytime), reactor=self.reactor))
        self.assertEqual((len(line), line[-2:]), (26, b"\r\n"))
        for message, answer in ((b"1", b"welcome to server!"), (b"2", b"please go out!")):
            asked = ask(self.secured(Welcome), message, reactor=self.reactor, expect=answer)
            self.assertEqual(self.wait(asked), answer)

    def test_noEnd(self) -> None:
        """
        One that waits for our end cannot: its answer comes, but no end of it.
        """
        asked = ask(self.secured(Upper), b"words", reactor=self.reactor, timeout=0.5)
        self.assertEqual(self.unanswered(asked, Verdict.TIMEOUT).answer, b"WORDS")

    def test_conversation(self) -> None:
        """
        A long conversation, with much said in both directions; finishing is nothing, and ending is the end.
        """
        conversation = self.wait(connect(self.secured(Echo), reactor=self.reactor))
        words = bytes(range(256)) * 4096
        conversation.send(words)
        conversation.finish()
        heard = b""
        while len(heard) < len(words):
            heard += self.wait(conversation.receive())
        self.assertTrue(heard == words)
        self.wait(conversation.send(b"more"))
        self.assertEqual(self.wait(conversation.receive()), b"more")
        self.assertFalse(conversation.finished)
        for gone in (conversation.end(), conversation.end()):
            self.wait(gone)
        self.assertEqual(self.wait(conversation.receive()), b"")

    def test_abort(self) -> None:
        """
        Cutting off needs no agreement.
        """
        conversation = self.wait(connect(self.secured(Echo), reactor=self.reactor))
        conversation.send(b"words")
        self.assertEqual(self.wait(conversation.receive()), b"words")
        for gone in (conversation.abort(), conversation.abort()):
            self.wait(gone)

    def test_endUnheard(self) -> None:
        """
        Nor does an end need anyone who receives: what still comes is dropped.
        """

        class Talking(Protocol):
            transport: Any

            def connectionMade(self) -> None:
                self.transport.write(bytes(MUCH))

        place, options = self.server(Factory.forProtocol(Talking))
        secured = Secured(place.endpoint(self.reactor), options, self.reactor)
        conversation = self.wait(connect(secured, reactor=self.reactor))
        self.turn(50)
        self.wait(conversation.end())
        waited = len(self.wait(conversation.receive()))
        self.assertTrue(65536 <= waited <= BOUND, waited)
        self.assertEqual(self.wait(conversation.receive()), b"")

    def test_cutOff(self) -> None:
        """
        An answer that ends without TLS's own end may have been cut by anyone: it is no answer.
        """

        class Cut(Protocol):
            transport: Any

            def dataReceived(self, data: bytes) -> None:
                self.transport.write(data)
                self.transport.transport.loseConnection()

        place, options = self.server(Factory.forProtocol(Cut))
        asked = ask(Secured(place.endpoint(self.reactor), options, self.reactor), b"words", reactor=self.reactor)
        self.unanswered(asked, Verdict.RESET)

    def test_notTrusted(self) -> None:
        """
        A peer that cannot show who it is gives no answer, and one line says why.
        """
        assert tls is not None
        place, _ = self.server(StreamFactory(Daytime, record=lambda _: None, clock=self.reactor))
        strict = ssl.optionsForClientTLS("localhost")
        secured = Secured(place.endpoint(self.reactor), strict, self.reactor)
        fault = self.unanswered(ask(secured, reactor=self.reactor), Verdict.UNREACHABLE)
        self.assertIn("certificate verify failed", str(fault))

    def test_plain(self) -> None:
        """
        Nor does a peer that knows no TLS.
        """
        assert tls is not None
        place, listening = self.listening()
        secured = Secured(place.endpoint(self.reactor), ssl.CertificateOptions(), self.reactor)
        asked = ask(secured, reactor=self.reactor)
        self.accepted(listening).send(b"welcome to server!\r\n")
        self.unanswered(asked, Verdict.UNREACHABLE)
