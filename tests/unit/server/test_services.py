"""
Listeners as Twisted services, on a reactor in memory.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import IService
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import ServerFactory
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.protocols.wire import Echo as TwistedEcho
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Census, Outcome, Policy, StreamFactory, Visit, datagramService, streamService
from sockservices.conversation.transport import Transport
from sockservices.responders import Echo
from sockservices.testing import DatagramMemoryReactor
from sockservices.testing.memory import MemoryPort
from sockservices.transports.bindings import InetBinding
from sockservices.transports.endpoints import DatagramEndpoint, StreamEndpoint
from tests.support.peer import PEER


class MemoryCase(SynchronousTestCase):
    """
    A test of services on a reactor in memory.
    """

    def setUp(self) -> None:
        """
        Make the reactor.
        """
        self.reactor = DatagramMemoryReactor()
        self.visits: list[Visit] = []

    def start(self, endpoint: Any, **arguments: Any) -> tuple[Any, Any]:
        """
        Start a service.

        @param endpoint: an endpoint or its string. C{udp}, C{unixgram} and L{DatagramEndpoint} get a service for
            datagrams.
        @return: the service, and its factory or protocol.
        """
        datagrams = isinstance(endpoint, DatagramEndpoint) or str(endpoint).startswith(("udp", "unixgram"))
        make: Any = datagramService if datagrams else streamService
        service = make(
            endpoint, **{"responder": Echo, "reactor": self.reactor, "record": self.visits.append} | arguments
        )
        self.assertTrue(IService.providedBy(service))
        service.startService()
        return service, service._served


class EndpointTests(MemoryCase):
    """
    The endpoints of services.
    """

    def test_endpoints(self) -> None:
        """
        The default interface is 127.0.0.1, and the default mode of a Unix socket is 600. An endpoint object, of this
        package or of Twisted, may be given in place of a string.
        """
        tcp, udp = (self.reactor.tcpServers, "port served backlog host"), (self.reactor.udpServers, "port served host")
        unix = (self.reactor.unixServers, "path served backlog mode")
        unixgram = (self.reactor.unixDatagramServers, "path served _ mode")
        twisteds = TCP4ServerEndpoint(self.reactor, 7, interface="127.0.0.1")
        for endpoint, (servers, names), expected in (
            ("tcp:7", tcp, {"port": 7, "backlog": 1024, "host": "127.0.0.1"}),
            ("tcp:7:interface=[::1]", tcp, {"host": "::1"}),
            (twisteds, tcp, {"port": 7, "host": "127.0.0.1"}),
            (StreamEndpoint(self.reactor, InetBinding(Transport.TCP, 9)), tcp, {"port": 9}),
            ("udp:7", udp, {"port": 7, "host": "127.0.0.1"}),
            ("udp:7:interface=0.0.0.0", udp, {"host": "0.0.0.0"}),
            (DatagramEndpoint(self.reactor, InetBinding(Transport.UDP, 9)), udp, {"port": 9}),
            ("unix:/nowhere/a", unix, {"path": "/nowhere/a", "backlog": 1024, "mode": 0o600}),
            ("unix:/nowhere/a:mode=660", unix, {"mode": 0o660}),
            ("unixgram:/nowhere/a:mode=620", unixgram, {"path": "/nowhere/a", "mode": 0o620}),
        ):
            _, served = self.start(endpoint)
            listening: dict[str, Any] = dict(zip(names.split(), servers[-1], strict=False))
            self.assertEqual(listening, listening | expected | {"served": served}, endpoint)

    def test_noEndpoint(self) -> None:
        """
        What is neither an endpoint nor a string, such as the number of a port, raises TypeError at once.
        """
        make: Any
        for make, endpoint, message in (
            (streamService, 8007, "8007: expected an endpoint or its string, such as tcp:8007"),
            (
                datagramService,
                ("127.0.0.1", 7),
                "('127.0.0.1', 7): expected an endpoint or its string, such as udp:8007",
            ),
        ):
            error = self.assertRaises(TypeError, make, endpoint, Echo, reactor=self.reactor)
            self.assertEqual(str(error), message)

    def test_classesOfTwisted(self) -> None:
        """
        A protocol class or factory class in place of a factory raises TypeError at once, and the error names a factory.
        """
        wrong: Any
        for wrong, message in (
            (TwistedEcho, "the protocol class Echo: expected Factory.forProtocol(Echo)"),
            (ServerFactory, "the factory class ServerFactory: expected an instance of it"),
        ):
            error = self.assertRaises(TypeError, streamService, "tcp:0", wrong, reactor=self.reactor)
            self.assertEqual(str(error), message)

    def test_invalidStrings(self) -> None:
        """
        An invalid string, or one for the other kind of service, raises ValueError at once.
        """
        make: Any
        for make, endpoints in (
            (streamService, "udp:7 unixgram:/a tcp tcp:abc tcp:70000 tcp:7:interface=lo unix: nonsense:7"),
            (datagramService, "tcp:7 unix:/a udp udp:abc ssl:443 unixgram: nonsense:7"),
        ):
            for endpoint in ("", *endpoints.split()):
                with self.assertRaises(ValueError):
                    make(endpoint, Echo, reactor=self.reactor)

    def test_argumentsReachTheFactory(self) -> None:
        """
        Policy, recorder, census and reactor are passed on. Any callable may make responders; its
        own name is the name of the service.
        """
        arguments: dict[str, Any] = {"responder": lambda conversation: Echo(conversation), "census": Census()}
        arguments |= {"policy": Policy(maxConnections=1), "record": self.visits.append}
        for endpoint in ("tcp:7", "udp:7"):
            with capturedLogs() as events:
                _, served = self.start(endpoint, **arguments)
            self.assertEqual({name: getattr(served, name) for name in arguments}, arguments)
            self.assertIs(served.clock, self.reactor)
            self.assertIn(f"<lambda> listening on {endpoint[:3]}:", formatEvent(events[0]))

    def test_lastSummary(self) -> None:
        """
        A service that stops logs the summary of its last conversations, and leaves no timer.
        """
        service = streamService("tcp:7", Echo, reactor=self.reactor, policy=Policy(maxConnections=0, maxRate=1))
        service.startService()
        factory: Any = service._served
        for _ in range(4):
            factory.buildProtocol(PEER)
        with capturedLogs() as events:
            self.successResultOf(service.stopService())
        self.assertIn("1 refused", "".join(str(formatEvent(event)) for event in events))
        self.assertEqual(self.reactor.getDelayedCalls(), [])


def endpoint(listening: Deferred[Any]) -> Any:
    """
    An endpoint whose C{listen} returns a Deferred of the test.
    """
    return type("Endpoint", (), {"listen": lambda *_: listening})()


class DeferredEndpointTests(MemoryCase):
    """
    Services whose endpoint listens later, and ports that fail to close.
    """

    def setUp(self) -> None:
        """
        Start a service.
        """
        super().setUp()
        self.listening: Deferred[Any] = Deferred()
        self.service, _ = self.start(endpoint(self.listening))

    def test_portIsSetLater(self) -> None:
        """
        C{port} is set when the endpoint listens, and this port is stopped with the service.
        """
        self.assertIsNone(self.service.port)
        port = self.reactor.listenTCP(0, StreamFactory(Echo))
        self.listening.callback(port)
        self.assertIs(self.service.port, port)
        self.successResultOf(self.service.stopService())
        self.assertIsNone(self.service.port)

    def test_lateFailureIsLogged(self) -> None:
        """
        A late failure is logged, because no caller can catch it.
        """
        self.listening.errback(OSError("not today"))
        (failure,) = self.flushLoggedErrors(OSError)
        self.assertEqual(str(failure.value), "not today")

    def test_stoppedBeforeItListens(self) -> None:
        """
        A stop cancels the listen, and nothing is logged.
        """
        self.successResultOf(self.service.stopService())
        self.assertTrue(self.listening.called)

    def test_portThatFailsToClose(self) -> None:
        """
        A stop ends the conversations although the port fails to close. The failure is the result of the stop.
        """
        port: Any = type("FailingPort", (MemoryPort,), {"stopListening": lambda _: 1 / 0})(PEER)
        service, factory = self.start(endpoint(succeed(port)))
        protocol = factory.buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        stopped = service.stopService()
        self.reactor.advance(1)
        self.assertTrue(transport.disconnecting)
        protocol.connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(stopped, ZeroDivisionError)
        self.assertEqual([visit.outcome for visit in self.visits], [Outcome.DRAINED])
