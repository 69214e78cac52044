"""
The three silences of a stream: no connection, no answer, and an incomplete answer.
"""

from __future__ import annotations

import contextlib
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint
from twisted.internet.error import TCPTimedOutError, TimeoutError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from sockservices.client import RequestFailed, Verdict, ask, connect
from sockservices.client.request_failed import fromException
from tests.support.client import SHORT_TIMEOUT, ClientCase, SlowResolver


@implementer(IStreamClientEndpoint)
class ScriptedEndpoint:
    """
    An endpoint that connects when the test calls L{accept}.

    @ivar transport: the client's transport, after L{accept}.
    """

    transport: Any = None

    def connect(self, factory: Any) -> Deferred[Any]:
        """
        Keep the factory.
        """
        self._factory = factory
        self._connecting: Deferred[Any] = Deferred()
        return self._connecting

    def accept(self) -> Any:
        """
        Connect.

        @return: the client's protocol.
        """
        protocol = self._factory.buildProtocol(None)
        self.transport = StringTransportWithDisconnection()
        self.transport.protocol = protocol
        protocol.makeConnection(self.transport)
        self._connecting.callback(protocol)
        return protocol


class TimedTests(SynchronousTestCase):
    """
    The verdict at the timeout, with an injected endpoint and clock.
    """

    def setUp(self) -> None:
        """
        Ask with a timeout of 10 seconds.
        """
        self.clock = Clock()
        self.endpoint = ScriptedEndpoint()

    def failure(self, *received: bytes, connected: bool = True, **options: Any) -> RequestFailed:
        """
        Call L{ask}, connect after 4 seconds, receive segments, and advance the clock over the timeout of 10 seconds.
        """
        answer = ask(self.endpoint, b"words", reactor=self.clock, timeout=10, **options)
        self.clock.advance(4)
        if connected:
            protocol = self.endpoint.accept()
            for segment in received:
                protocol.dataReceived(segment)
        self.clock.advance(5.9)
        self.assertNoResult(answer)
        self.clock.advance(0.2)
        failure = self.failureResultOf(answer, RequestFailed).value
        assert isinstance(failure, RequestFailed)
        return failure

    def test_verdicts(self) -> None:
        """
        The verdict gives the phase of the request that timed out.
        """
        for received, options, text in (
            ((), {"connected": False}, "no-connection: no connection within 10 s"),
            ((), {}, "no-answer: connected, but no byte of the answer within 10 s"),
            ((b"wo", b"r"), {}, "incomplete: received 3 bytes, but no end of the answer within 10 s"),
            ((b"wor",), {"expect": b"words"}, "incomplete: received 3 of 5 bytes within 10 s"),
            ((b"words",), {"expect": b"words"}, "incomplete: received 5 of 5 bytes, but no end within 10 s"),
        ):
            with self.subTest(text):
                failure = self.failure(*received, **options)
                self.assertEqual((str(failure), failure.answer), (text, b"".join(received)))

    def test_connect(self) -> None:
        """
        L{connect} has the same verdict.
        """
        connecting = connect(self.endpoint, reactor=self.clock, timeout=5)
        self.clock.advance(5)
        failure = self.failureResultOf(connecting, RequestFailed).value
        self.assertEqual(str(failure), "no-connection: no connection within 5 s")

    def test_connectionErrors(self) -> None:
        """
        The reactor's and the kernel's own timeout of a connection attempt have the same verdict; a connection that
        loses its peer later has not.
        """
        for exception, verdict in (
            (TimeoutError(), Verdict.NO_CONNECTION),
            (TCPTimedOutError(110, "timed out"), Verdict.NO_CONNECTION),
            (OSError(110, "timed out"), Verdict.TIMEOUT),
        ):
            self.assertIs(fromException(exception).verdict, verdict, exception)


class SocketTests(ClientCase):
    """
    The verdict with sockets.
    """

    def test_fullQueue(self) -> None:
        """
        A listener with a full queue leaves a SYN unanswered. Over a Unix socket, the kernel reports the full queue.
        """
        target, listener = self.withFullQueue("tcp")
        self.assertFails(self.ask(target, timeout=SHORT_TIMEOUT), Verdict.NO_CONNECTION)
        host, port = listener.getsockname()
        endpoint = TCP4ClientEndpoint(self.reactor, host, port, timeout=SHORT_TIMEOUT)
        failure = self.assertFails(ask(endpoint, reactor=self.reactor), Verdict.NO_CONNECTION)
        self.assertEqual(str(failure), "no-connection: the connection attempt timed out")
        failure = self.assertFails(self.ask(self.withFullQueue("unix")[0]), Verdict.NO_CONNECTION)
        self.assertEqual(str(failure), "no-connection: the queue of the listener is full")

    def test_noAnswer(self) -> None:
        """
        The kernel establishes a connection before accept(2): without accept(2) the verdict is no-answer.
        """
        for transport in ("tcp", "unix"):
            target, _ = self.listening(transport)
            self.assertFails(self.ask(target, timeout=SHORT_TIMEOUT), Verdict.NO_ANSWER)

    def test_endlessAnswer(self) -> None:
        """
        An answer without an end is incomplete, also while there is always data to read.
        """
        target, listener = self.listening()
        answer = self.ask(target, timeout=SHORT_TIMEOUT, most=2**40)
        remote = self.accepted(listener)

        def send() -> bool:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                remote.send(bytes(65536))
            return answer.called

        self.until(send)
        self.assertFails(answer, Verdict.INCOMPLETE)

    def test_slowResolver(self) -> None:
        """
        A host name that does not resolve in time is a timeout of another kind: no connection was attempted.
        """
        self.reactor.installNameResolver(SlowResolver())
        endpoint = HostnameEndpoint(self.reactor, "a.name", 8007)
        failure = self.assertFails(ask(endpoint, reactor=self.reactor, timeout=SHORT_TIMEOUT), Verdict.TIMEOUT)
        self.assertEqual(str(failure), "timeout: the host name did not resolve within 0.05 s")

    def test_unansweredName(self) -> None:
        """
        A name that resolves to an address without an answer gives no connection.
        """
        _, listener = self.withFullQueue("tcp")
        host, port = listener.getsockname()
        resolver = SlowResolver()
        self.reactor.installNameResolver(resolver)
        answer = ask(HostnameEndpoint(self.reactor, "a.name", port), reactor=self.reactor, timeout=SHORT_TIMEOUT)
        resolver.complete(IPv4Address("TCP", host, port))
        self.assertFails(answer, Verdict.NO_CONNECTION)
