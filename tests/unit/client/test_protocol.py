"""
Stream connections: in memory, and over TCP, Unix sockets and TLS.
"""

from __future__ import annotations

import socket
import time
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import twisted.test
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError, ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from sockservices import Responder, StreamFactory
from sockservices.client import ClientFactory, ClientProtocol, RequestFailed, Target, Verdict, ask, connect
from sockservices.conversation.transport import Transport
from sockservices.responders import Daytime, Echo, Upper, Welcome
from sockservices.transports.bindings import InetBinding
from sockservices.transports.endpoints import StreamEndpoint
from tests.support.client import ClientCase
from tests.support.conformance import callbackFactory
from tests.support.sockets import closeWithReset

tls: ModuleType | None
try:
    from twisted.internet import ssl
    from twisted.protocols import tls
except ImportError:
    tls = None

#: Bytes: more than all socket buffers hold.
LARGE = 1 << 23

#: Bytes: the receive buffer's high-water mark and one read more.
MAX_BUFFERED = 131072

#: The names of events in a connection.
EVENTS = ["data", "receive", "wait", "cancel", "send", "pause", "resume", "finish", "end", "abort"]
EVENTS += ["readLost", "lost", "reset"]


class SocketTransport(StringTransport):
    """
    A transport in memory with a real socket.
    """

    def __init__(self, connected: socket.socket) -> None:
        super().__init__()
        self._socket = connected

    def getHandle(self) -> socket.socket:
        """
        Give the socket.
        """
        return self._socket


class MemoryTests(SynchronousTestCase):
    """
    Tests with a transport in memory.
    """

    def setUp(self, transport: StringTransport | None = None) -> None:
        """
        Connect a protocol.
        """
        self.clock = Clock()
        self.transport = transport or StringTransport()
        self.connection = ClientFactory(self.clock).buildProtocol(None)
        self.connection.makeConnection(self.transport)

    def tearDown(self) -> None:
        """
        Require that no timer is left.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])

    @property
    def producer(self) -> Any:
        """
        The producer that the protocol has registered.
        """
        return self.transport.producer

    def lose(self, reason: Exception) -> None:
        """
        Lose the connection.
        """
        self.connection.connectionLost(Failure(reason))

    def assertReceives(self, data: bytes) -> None:
        """
        Require that a receive fires at once.
        """
        self.assertEqual(self.successResultOf(self.connection.receive(5)), data)

    def assertFails(self, deferred: Deferred[Any], verdict: Verdict) -> str:
        """
        Require a verdict.

        @return: the text of the failure.
        """
        failure = self.failureResultOf(deferred, RequestFailed).value
        self.assertIs(failure.verdict, verdict)
        return str(failure)

    def test_factory(self) -> None:
        """
        A factory makes its protocol class, which provides the interfaces that transports look for.
        """

        class Subclass(ClientProtocol):
            pass

        factory = ClientFactory(self.clock)
        factory.protocol = Subclass
        protocol = factory.buildProtocol(None)
        self.assertIsInstance(protocol, Subclass)
        for interface in (IHalfCloseableProtocol, IPushProducer):
            verifyObject(interface, protocol)

    def test_receive(self) -> None:
        """
        A receive gives all buffered data once, or else waits for the next segment. Two receives at the same time are an
        error of the caller.
        """
        for data in (b"one", b"two"):
            self.connection.dataReceived(data)
        self.assertReceives(b"onetwo")
        received = self.connection.receive()
        self.assertRaises(AssertionError, self.connection.receive)
        self.assertNoResult(received)
        self.connection.dataReceived(b"t")
        self.assertEqual(self.successResultOf(received), b"t")
        self.connection.dataReceived(b"hree")
        self.assertReceives(b"hree")

    def test_timeoutAndCancel(self) -> None:
        """
        After a timeout or a cancellation the connection stays open, and no data is lost.
        """
        received = self.connection.receive(5)
        self.clock.advance(4.9)
        self.assertNoResult(received)
        self.clock.advance(0.1)
        self.assertEqual(self.assertFails(received, Verdict.TIMEOUT), "timeout: no data within 5 s")
        self.connection.dataReceived(b"late")
        self.assertReceives(b"late")
        received = self.connection.receive(5)
        received.cancel()
        self.failureResultOf(received, CancelledError)
        self.connection.dataReceived(b"later")
        self.assertReceives(b"later")
        received = self.connection.receive(5)
        self.connection.dataReceived(b"in time")
        self.assertEqual(self.successResultOf(received), b"in time")
        self.assertEqual(self.transport.disconnecting, False)

    def test_receiveInCallback(self) -> None:
        """
        A callback of a receive may send, and start the next receive.
        """
        received: list[bytes] = []

        def receiveNext(data: bytes) -> None:
            received.append(data)
            self.connection.send(data.upper())
            self.connection.receive().addCallback(receiveNext)

        self.connection.receive().addCallback(receiveNext)
        for data in (b"one", b"two"):
            self.connection.dataReceived(data)
        self.assertEqual((received, self.transport.value()), ([b"one", b"two"], b"ONETWO"))

    def test_pausesReading(self) -> None:
        """
        With 64 KiB in the buffer the protocol pauses the transport, until a receive empties the buffer. After the
        peer's FIN it does not resume the transport, which would report the FIN again.
        """
        for finReceived, state in ((False, "producing"), (True, "paused")):
            self.setUp()
            self.connection.dataReceived(bytes(65535))
            self.assertEqual(self.transport.producerState, "producing")
            self.connection.dataReceived(b"!")
            self.assertEqual(self.transport.producerState, "paused")
            if finReceived:
                self.connection.readConnectionLost()
            self.assertReceives(bytes(65535) + b"!")
            self.assertEqual(self.transport.producerState, state)

    def test_manySegments(self) -> None:
        """
        Buffering takes linear time: 65,536 segments of one byte take less than 5 s.
        """
        startedAt = time.process_time()
        for _ in range(65536):
            self.connection.dataReceived(b"?")
        self.assertLess(time.process_time() - startedAt, 5)
        self.assertEqual(self.transport.producerState, "paused")
        self.assertReceives(b"?" * 65536)

    def test_receiveAfterEnd(self) -> None:
        """
        The FIN or the reset fires a waiting receive, and every later one. Buffered data comes first.
        """
        for reason, data in product((None, ConnectionDone(), ConnectionLost()), (b"", b"data")):
            self.setUp()
            if data:
                self.connection.dataReceived(data)
            received = [] if data else [self.connection.receive(5)]
            if reason is None:
                self.connection.readConnectionLost()
            else:
                self.lose(reason)
            if data:
                self.assertReceives(data)
            for ended in (*received, self.connection.receive(5), self.connection.receive(5)):
                if isinstance(reason, ConnectionLost):
                    self.assertEqual(self.assertFails(ended, Verdict.RESET), "reset: the peer reset the connection")
                else:
                    self.assertEqual(self.successResultOf(ended), b"")

    def test_resetAfterFin(self) -> None:
        """
        A reset after the peer's FIN fails a waiting send, and no receive.
        """
        self.connection.readConnectionLost()
        self.producer.pauseProducing()
        sent = self.connection.send(b"data")
        self.lose(ConnectionLost())
        self.assertFails(sent, Verdict.RESET)
        self.assertReceives(b"")

    def test_resetReportedAsFin(self) -> None:
        """
        If the transport reports a FIN, and a read of its socket gives an error or data, it was a reset. A reset after
        the FIN is none.
        """
        for data, fin, reset in ((b"", False, True), (b"data", False, True), (b"", True, True), (b"", True, False)):
            with socket.create_server(("127.0.0.1", 0)) as listener:
                handle = socket.create_connection(listener.getsockname())
                self.addCleanup(handle.close)
                remote, _ = listener.accept()
            remote.send(data)
            if fin:
                remote.shutdown(socket.SHUT_WR)
            closeWithReset(remote) if reset else remote.close()
            self.setUp(SocketTransport(handle))
            received = self.connection.receive(5)
            self.connection.readConnectionLost()
            if fin:
                self.assertEqual(self.successResultOf(received), b"")
            else:
                self.assertFails(received, Verdict.RESET)
                self.assertFails(self.connection.receive(5), Verdict.RESET)

    def test_send(self) -> None:
        """
        A send waits while the transport's write buffer is full, and may be cancelled.
        """
        self.successResultOf(self.connection.send(b"one"))
        self.producer.pauseProducing()
        waiting = [self.connection.send(b"two") for _ in range(3)]
        waiting[1].cancel()
        self.failureResultOf(waiting[1], CancelledError)
        for sent in (waiting[0], waiting[2]):
            self.assertNoResult(sent)
        self.assertEqual(self.transport.value(), b"onetwotwotwo")
        self.producer.resumeProducing()
        for sent in (waiting[0], waiting[2], self.connection.send(b"three")):
            self.successResultOf(sent)

    def test_closedOrNotConnected(self) -> None:
        """
        A send fails before the connection is made, after end(), and after the connection is lost. Before the connection
        is made, there is nothing to close.
        """
        self.connection.end()
        self.assertEqual(self.assertFails(self.connection.send(b"more"), Verdict.EOF), "eof: the connection is closed")
        for reason, verdict in ((ConnectionDone(), Verdict.EOF), (ConnectionLost(), Verdict.RESET)):
            self.setUp()
            self.lose(reason)
            self.assertFails(self.connection.send(b"more"), verdict)
            self.assertEqual(self.transport.value(), b"")
        unconnected = ClientProtocol(self.clock)
        self.assertFails(unconnected.send(b"more"), Verdict.EOF)
        unconnected.finish()
        self.successResultOf(unconnected.end())
        self.successResultOf(unconnected.abort())

    def test_close(self) -> None:
        """
        end() and abort() fire when the connection is lost, however often they are called.
        """
        for method, flag in (("end", "disconnecting"), ("abort", "disconnected")):
            self.setUp()
            closed = [getattr(self.connection, method)() for _ in range(3)]
            closed[1].cancel()
            self.failureResultOf(closed[1], CancelledError)
            self.assertTrue(getattr(self.transport, flag))
            for each in (closed[0], closed[2]):
                self.assertNoResult(each)
            self.lose(ConnectionDone())
            for each in (closed[0], closed[2], self.connection.end(), self.connection.abort()):
                self.successResultOf(each)

    def test_endAfterAbort(self) -> None:
        """
        After abort(), end() and finish() change nothing, and a send fails.
        """
        closed = self.connection.abort(), self.connection.end()
        self.connection.finish()
        self.assertFails(self.connection.send(b"more"), Verdict.EOF)
        self.lose(ConnectionAborted())
        for each in closed:
            self.successResultOf(each)

    @settings(deadline=None, max_examples=200)
    @given(events=st.lists(st.sampled_from(EVENTS), max_size=20))
    def test_anyOrder(self, events: list[str]) -> None:
        """
        Whatever the order of events, nothing raises, the data up to our own end is received in order, and no Deferred
        waits after the connection is lost.
        """
        self.setUp()
        connection: Any = self.connection
        deferreds: list[Deferred[Any]] = []
        received: list[bytes] = []
        expected = b""
        finReceived = lost = closing = False
        for number, event in enumerate([*events, "lost"]):
            producer = self.producer
            if event == "data" and not (finReceived or lost):
                expected += b"" if closing else b"%d" % number
                connection.dataReceived(b"%d" % number)
            elif event == "receive" and all(each.called for each in deferreds if hasattr(each, "receives")):
                waiting: Any = connection.receive(5)
                waiting.receives = True
                deferreds.append(waiting.addCallback(received.append))
            elif event == "wait":
                self.clock.advance(3)
            elif event == "cancel" and deferreds:
                deferreds[-1].cancel()
            elif event in ("end", "abort"):
                closing = True
                deferreds.append(getattr(connection, event)())
            elif event == "send":
                deferreds.append(connection.send(b"data"))
            elif event in ("pause", "resume") and producer is not None:
                getattr(producer, f"{event}Producing")()
            elif event == "finish":
                connection.finish()
            elif event == "readLost" and not (finReceived or lost):
                finReceived = True
                connection.readConnectionLost()
            elif event in ("lost", "reset") and not lost:
                lost = True
                self.lose(ConnectionDone() if event == "lost" else ConnectionLost())
        for each in deferreds:
            self.assertTrue(each.called)
            each.addErrback(lambda failure: failure.trap(RequestFailed, CancelledError))
        while not received or received[-1]:
            rest = connection.receive()
            rest.addCallback(received.append).addErrback(lambda _: received.append(b""))
            self.assertTrue(rest.called)
        self.assertEqual(b"".join(received), expected)


class SocketTests(ClientCase):
    """
    Tests over TCP and Unix sockets.
    """

    def connected(self, transport: str = "tcp") -> tuple[ClientProtocol, socket.socket]:
        """
        Connect a client and a plain socket.
        """
        target, listener = self.listening(transport)
        connection = self.wait(connect(target.endpoint(self.reactor), reactor=self.reactor))
        remote = self.accepted(listener)
        self.addCleanup(lambda: self.wait(connection.abort()))
        return connection, remote

    def untilFinished(self, connection: ClientProtocol) -> None:
        """
        Wait until the transport has sent all data and the FIN.
        """
        self.until(lambda: connection.finished)

    def test_boundedMemory(self) -> None:
        """
        Without a receive the client takes a bounded amount of data from the peer. Later receives lose none of it.
        """
        connection, remote = self.connected()
        data = bytes(range(256)) * (LARGE // 256)
        sent = 0
        for _ in range(100):
            while sent < LARGE:
                try:
                    sent += remote.send(data[sent : sent + 65536])
                except BlockingIOError:
                    break
            self.turn()
        self.assertLess(sent, LARGE)
        received = b""
        while len(received) < sent:
            segment = self.wait(connection.receive())
            self.assertLessEqual(len(segment), MAX_BUFFERED)
            received += segment
        self.assertTrue(received == data[:sent])

    def test_finish(self) -> None:
        """
        A send waits while the peer does not read. The peer gets our FIN after all data, and can still send.
        """
        for transport in ("tcp", "unix"):
            connection, remote = self.connected(transport)
            sent = connection.send(bytes(LARGE))
            self.turn(50)
            self.assertNoResult(sent)
            connection.finish()
            connection.finish()
            self.turn(5)
            self.assertFalse(connection.finished)
            self.assertEqual(len(self.receive(remote, LARGE + 1)), LARGE)
            self.wait(sent)
            self.untilFinished(connection)
            remote.send(b"after")
            self.assertEqual(self.wait(connection.receive()), b"after")
            self.assertFails(connection.send(b"more"), Verdict.EOF)
            remote.close()
            self.assertEqual(self.wait(connection.receive()), b"")

    def test_finishAfterEnd(self) -> None:
        """
        finish() after the peer's FIN sends the data and our FIN; after a reset it does nothing.
        """
        connection, remote = self.connected()
        remote.shutdown(socket.SHUT_WR)
        self.assertEqual(self.wait(connection.receive()), b"")
        self.wait(connection.send(b"data"))
        connection.finish()
        self.assertEqual(self.receive(remote, 100), b"data")
        connection, remote = self.connected()
        closeWithReset(remote)
        self.assertFails(connection.receive(), Verdict.RESET)
        connection.finish()
        self.turn(3)
        self.assertFalse(connection.finished)

    def test_end(self) -> None:
        """
        end() sends all data before it closes, after finish() too.
        """
        connection, remote = self.connected()
        connection.send(bytes(LARGE))
        closed = [connection.end() for _ in range(2)]
        self.turn(5)
        for each in closed:
            self.assertNoResult(each)
        self.assertEqual(len(self.receive(remote, LARGE + 1)), LARGE)
        for each in [*closed, connection.end(), connection.abort()]:
            self.wait(each)
        self.assertEqual(self.wait(connection.receive()), b"")
        finished, remote = self.connected()
        finished.send(b"data")
        finished.finish()
        self.untilFinished(finished)
        self.wait(finished.end())
        self.assertEqual(self.receive(remote, 10), b"data")

    def test_abort(self) -> None:
        """
        abort() resets the connection, after finish() and end() too. A waiting receive fails.
        """
        for before in ("", "finish", "end"):
            connection, remote = self.connected()
            received = connection.receive()
            connection.send(bytes(LARGE))
            if before:
                getattr(connection, before)()
            self.turn(3)
            for closed in [connection.abort() for _ in range(2)]:
                self.wait(closed)
            self.wait(connection.abort())
            failure = self.assertFails(received, Verdict.RESET)
            self.assertEqual(str(failure), "reset: this side aborted the connection")
            self.assertRaises(ConnectionResetError, self.receive, remote, LARGE + 1)

    def test_iteration(self) -> None:
        """
        Iteration yields all data until the FIN, and raises at a reset.
        """
        for resets in (False, True):
            connection, remote = self.connected()
            received = b""

            async def receiveAll(connection: ClientProtocol = connection) -> None:
                nonlocal received
                async for segment in connection:
                    received += segment

            iteration = Deferred.fromCoroutine(receiveAll())
            for data in (b"one", b"two", b"three"):
                remote.send(data)
                self.turn(3)
            if resets:
                closeWithReset(remote)
                self.assertFails(iteration, Verdict.RESET)
            else:
                remote.close()
                self.wait(iteration)
            self.assertEqual(received, b"onetwothree")

    def test_connectFailures(self) -> None:
        """
        connect() fails with a verdict, or with the exception of a cancellation. Neither leaves a socket open.
        """
        refused, _ = self.bound("tcp")
        self.assertFails(connect(refused.endpoint(self.reactor), reactor=self.reactor), Verdict.REFUSED)
        pending, _ = self.withFullQueue("tcp")
        connecting = connect(pending.endpoint(self.reactor), reactor=self.reactor, timeout=0.05)
        failure = self.assertFails(connecting, Verdict.NO_CONNECTION)
        self.assertEqual(str(failure), "no-connection: no connection within 0.05 s")
        connecting = connect(pending.endpoint(self.reactor), reactor=self.reactor, timeout=10)
        self.turn(5)
        self.assertNoResult(connecting)
        connecting.cancel()
        self.assertRaises((CancelledError, ConnectingCancelledError), self.wait, connecting)


@implementer(IStreamClientEndpoint)
class TLSEndpoint:
    """
    Wraps the connections of another endpoint in TLS, on the test's reactor.
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


class TLSTests(ClientCase):
    """
    Tests over TLS, which has no half-close.
    """

    if tls is None:
        skip = "pyOpenSSL is not installed"

    def serve(self, factory: Any, options: Any = None) -> TLSEndpoint:
        """
        Listen with TLS.

        @param options: those of the client; by default, it verifies no certificate.
        """
        assert tls is not None
        pem = str(Path(twisted.test.__file__).with_name("server.pem"))
        context = ssl.DefaultOpenSSLContextFactory(pem, pem)
        wrapped = tls.TLSMemoryBIOFactory(context, False, factory, self.reactor)
        port = self.wait(StreamEndpoint(self.reactor, InetBinding(Transport.TCP, 0)).listen(wrapped))
        self.addCleanup(lambda: self.wait(port.stopListening()))
        plain = Target("tcp", ("127.0.0.1", port.getHost().port)).endpoint(self.reactor)
        return TLSEndpoint(plain, options or ssl.CertificateOptions(), self.reactor)

    def serveResponder(self, responder: type[Responder], options: Any = None) -> TLSEndpoint:
        """
        Serve one of the project's services with TLS. After the test, all its connections are closed.
        """
        factory = StreamFactory(responder, record=lambda _: None, clock=self.reactor)
        endpoint = self.serve(factory, options)
        self.addCleanup(lambda: self.until(lambda: not factory.protocols))
        return endpoint

    def test_ask(self) -> None:
        """
        A request succeeds if the service closes after its answer. A service that waits for our FIN gets none, so the
        request times out with the answer.
        """
        line = self.wait(ask(self.serveResponder(Daytime), reactor=self.reactor))
        self.assertEqual((len(line), line[-2:]), (26, b"\r\n"))
        for message, expect in ((b"1", b"welcome to server!"), (b"2", b"please go out!")):
            answer = ask(self.serveResponder(Welcome), message, reactor=self.reactor, expect=expect)
            self.assertEqual(self.wait(answer), expect)
        answer = ask(self.serveResponder(Upper), b"data", reactor=self.reactor, timeout=0.5)
        self.assertEqual(self.assertFails(answer, Verdict.INCOMPLETE).answer, b"DATA")

    def test_connection(self) -> None:
        """
        finish() does nothing, large data passes both ways, and end() closes cleanly.
        """
        connection = self.wait(connect(self.serveResponder(Echo), reactor=self.reactor))
        data = bytes(range(256)) * 4096
        connection.send(data)
        connection.finish()
        received = b""
        while len(received) < len(data):
            received += self.wait(connection.receive())
        self.assertTrue(received == data)
        self.wait(connection.send(b"more"))
        self.assertEqual(self.wait(connection.receive()), b"more")
        self.assertFalse(connection.finished)
        for closed in (connection.end(), connection.end()):
            self.wait(closed)
        self.assertEqual(self.wait(connection.receive()), b"")

    def test_abort(self) -> None:
        """
        abort() does not wait for the peer's close_notify.
        """
        connection = self.wait(connect(self.serveResponder(Echo), reactor=self.reactor))
        connection.send(b"data")
        self.assertEqual(self.wait(connection.receive()), b"data")
        for closed in (connection.abort(), connection.abort()):
            self.wait(closed)

    def test_endDropsData(self) -> None:
        """
        end() reads and drops data up to the peer's close_notify. Data buffered before it is received.
        """
        endpoint = self.serve(callbackFactory(lambda transport: transport.write(bytes(LARGE))))
        connection = self.wait(connect(endpoint, reactor=self.reactor))
        self.turn(50)
        self.wait(connection.end())
        buffered = len(self.wait(connection.receive()))
        self.assertTrue(65536 <= buffered <= MAX_BUFFERED, buffered)
        self.assertEqual(self.wait(connection.receive()), b"")

    def test_truncation(self) -> None:
        """
        A FIN without a close_notify may come from an attacker (RFC 8446 section 6.1): the request fails.
        """

        def truncate(transport: Any, data: bytes) -> None:
            transport.write(data)
            transport.transport.loseConnection()

        endpoint = self.serve(callbackFactory(received=truncate))
        self.assertFails(ask(endpoint, b"data", reactor=self.reactor), Verdict.RESET)

    def test_unreachable(self) -> None:
        """
        A server whose certificate does not verify, or that does not answer with TLS, is unreachable.
        """
        assert tls is not None
        endpoint = self.serveResponder(Daytime, ssl.optionsForClientTLS("localhost"))
        failure = self.assertFails(ask(endpoint, reactor=self.reactor), Verdict.UNREACHABLE)
        self.assertIn("certificate verify failed", str(failure))
        target, listener = self.listening()
        endpoint = TLSEndpoint(target.endpoint(self.reactor), ssl.CertificateOptions(), self.reactor)
        answer = ask(endpoint, reactor=self.reactor)
        self.accepted(listener).send(b"welcome to server!\r\n")
        self.assertFails(answer, Verdict.UNREACHABLE)
