"""
Listeners as Twisted services.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.address import IPv4Address
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from sockservices import Census, Outcome, Policy, StreamFactory, Visit, datagramService, streamService
from sockservices.conversation.transport import Transport
from sockservices.responders import Echo, Hello, Welcome
from sockservices.server.listener import ListenerService
from sockservices.testing import DatagramMemoryReactor
from sockservices.testing.memory import MemoryPort
from sockservices.transports.bindings import InetBinding, parse
from sockservices.transports.endpoints import DatagramEndpoint, StreamEndpoint
from sockservices.transports.sockets import OpenError, openSockets
from tests.support.loop import LoopCase, descriptors

TCP, UDP, UNIX, UNIXGRAM = Transport


class EndpointTests(SynchronousTestCase):
    """
    The endpoints of services.
    """

    def setUp(self) -> None:
        """
        Make a reactor in memory.
        """
        self.reactor = DatagramMemoryReactor()

    def start(self, service: ListenerService) -> Any:
        """
        Start a service. @return: its factory or its protocol.
        """
        self.assertTrue(IService.providedBy(service))
        service.startService()
        return service._served

    def stream(self, endpoint: Any) -> Any:
        """
        Start a service for connections.
        """
        return self.start(streamService(endpoint, Echo, reactor=self.reactor))

    def test_lastSummary(self) -> None:
        """
        A service that stops logs the summary of its last conversations, and leaves no timer.
        """
        service = streamService("tcp:7", Echo, reactor=self.reactor, policy=Policy(maxConnections=0, maxRate=1))
        factory = self.start(service)
        for _ in range(4):
            factory.buildProtocol(IPv4Address("TCP", "192.0.2.7", 40000))
        with capturedLogs() as events:
            self.successResultOf(service.stopService())
        self.assertIn("1 refused", "".join(str(formatEvent(event)) for event in events))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def datagram(self, endpoint: Any) -> Any:
        """
        Start a service for datagrams.
        """
        return self.start(datagramService(endpoint, Echo, reactor=self.reactor))

    def test_tcp(self) -> None:
        """
        The default interface of TCP is 127.0.0.1.
        """
        plain, named = self.stream("tcp:8007"), self.stream("tcp:8007:interface=[::1]")
        self.assertEqual(self.reactor.tcpServers, [(8007, plain, 1024, "127.0.0.1"), (8007, named, 1024, "::1")])

    def test_udp(self) -> None:
        """
        The default interface of UDP is 127.0.0.1.
        """
        plain, named = self.datagram("udp:8007"), self.datagram("udp:8007:interface=0.0.0.0")
        self.assertEqual(
            [each[:3] for each in self.reactor.udpServers], [(8007, plain, "127.0.0.1"), (8007, named, "0.0.0.0")]
        )

    def test_unix(self) -> None:
        """
        The default mode of a Unix socket is 600.
        """
        plain, named = self.stream("unix:/nowhere/a"), self.stream("unix:/nowhere/b:mode=660")
        self.assertEqual(
            [each[:4] for each in self.reactor.unixServers],
            [("/nowhere/a", plain, 1024, 0o600), ("/nowhere/b", named, 1024, 0o660)],
        )
        gram = self.datagram("unixgram:/nowhere/c:mode=620")
        self.assertEqual(
            [(path, served, mode) for path, served, _, mode in self.reactor.unixDatagramServers],
            [("/nowhere/c", gram, 0o620)],
        )

    def test_endpoints(self) -> None:
        """
        An endpoint object, ours or Twisted's, may be given in place of a string.
        """
        twisteds = self.stream(TCP4ServerEndpoint(self.reactor, 8008, interface="127.0.0.1"))
        ours = self.stream(StreamEndpoint(self.reactor, InetBinding(TCP, 8009)))
        self.assertEqual([each[:2] for each in self.reactor.tcpServers], [(8008, twisteds), (8009, ours)])
        gram = self.datagram(DatagramEndpoint(self.reactor, InetBinding(UDP, 8009)))
        self.assertEqual([each[:2] for each in self.reactor.udpServers], [(8009, gram)])

    def test_invalidStrings(self) -> None:
        """
        An invalid string, or one for the other kind of service, raises ValueError at once.
        """
        for endpoint in (
            "",
            "udp:8007",
            "unixgram:/nowhere/a",
            "tcp",
            "tcp:abc",
            "tcp:70000",
            "tcp:8007:interface=lo",
            "unix:",
            "nonsense:8007",
        ):
            with self.assertRaises(ValueError):
                streamService(endpoint, Echo, reactor=self.reactor)
        for endpoint in ("", "tcp:8007", "unix:/nowhere/a", "udp", "udp:abc", "ssl:443", "unixgram:", "nonsense:8007"):
            with self.assertRaises(ValueError):
                datagramService(endpoint, Echo, reactor=self.reactor)

    def test_argumentsReachTheFactory(self) -> None:
        """
        Policy, recorder, census and reactor are passed on.
        """
        policy, census, visits = Policy(maxConnections=1), Census(), list[Visit]()
        common: Any = {"reactor": self.reactor, "policy": policy, "record": visits.append, "census": census}
        for service in (streamService("tcp:8007", Hello, **common), datagramService("udp:8007", Hello, **common)):
            served: Any = self.start(service)
            self.assertIs(served.responder, Hello)
            self.assertIs(served.policy, policy)
            self.assertIs(served.census, census)
            self.assertIs(served.clock, self.reactor)
            self.assertEqual(served.record, visits.append)

    def test_anyCallableMakesResponders(self) -> None:
        """
        Any callable may make responders. It is a dash in the log.
        """
        with capturedLogs() as events:
            self.start(streamService("tcp:8007", lambda conversation: Echo(conversation), reactor=self.reactor))
        self.assertIn("- listening on tcp:", formatEvent(events[0]))


class PendingEndpoint:
    """
    An endpoint whose Deferred the test fires.
    """

    def __init__(self, listening: Deferred[IListeningPort]) -> None:
        self._listening = listening

    def listen(self, factory: object) -> Deferred[IListeningPort]:
        """
        Return the Deferred.
        """
        return self._listening


class FailingPort(MemoryPort):
    """
    A port that fails to close.
    """

    def stopListening(self) -> None:
        """
        Fail.
        """
        raise ZeroDivisionError("on purpose")


class FailingTests(LoopCase):
    """
    A listen that fails raises from each way to start a service.
    """

    def setUp(self) -> None:
        """
        Bind a port.
        """
        super().setUp()
        (taken,) = openSockets(InetBinding(TCP, 0))
        self.keep(taken)
        self.endpoint = f"tcp:{taken.socket.getsockname()[1]}"

    def test_raises(self) -> None:
        """
        C{privilegedStartService}, C{startService} and C{open} raise, also within a MultiService.
        """
        before = descriptors()
        for start in ("privilegedStartService", "startService", "open"):
            service: Any = streamService(self.endpoint, Echo, reactor=self.reactor)
            self.assertRaises(OpenError, getattr(service, start))
            self.assertIsNone(service.port)
            many = MultiService()
            service.setServiceParent(many)
            if start != "open":
                self.assertRaises(CannotListenError, getattr(many, start))
        self.assertEqual(descriptors(), before)
        self.assertQuiet()

    def test_datagram(self) -> None:
        """
        A service for datagrams raises, too.
        """
        (taken,) = openSockets(InetBinding(UDP, 0))
        self.keep(taken)
        service = datagramService(f"udp:{taken.socket.getsockname()[1]}", Echo, reactor=self.reactor)
        self.assertRaises(OpenError, service.startService)

    def test_anyEndpoint(self) -> None:
        """
        The exception of any endpoint is raised.
        """
        endpoint: Any = PendingEndpoint(fail(ZeroDivisionError("on purpose")))
        service = streamService(endpoint, Echo, reactor=self.reactor)
        self.assertRaises(ZeroDivisionError, service.startService)

    def test_portThatFailsToClose(self) -> None:
        """
        A stop ends the conversations although the port fails to close. The failure comes through.
        """
        visits: list[Visit] = []
        endpoint: Any = PendingEndpoint(succeed(FailingPort(IPv4Address("TCP", "127.0.0.1", 7))))
        clock = MemoryReactorClock()
        service = streamService(endpoint, Echo, reactor=clock, record=visits.append)
        service.startService()
        protocol = service._served.buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        stopped = service.stopService()
        clock.advance(1)
        self.assertTrue(transport.disconnecting)
        protocol.connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(stopped, ZeroDivisionError)
        self.assertEqual([visit.outcome for visit in visits], [Outcome.DRAINED])

    def test_stopAfterAFailedStart(self) -> None:
        """
        A service that failed to start can be stopped.
        """
        service = streamService(self.endpoint, Echo, reactor=self.reactor)
        self.assertRaises(OpenError, service.startService)
        self.successResultOf(service.stopService())


class ServiceCase(LoopCase):
    """
    A test of services over real sockets.
    """

    def setUp(self) -> None:
        """
        Record the visits.
        """
        super().setUp()
        self.visits: list[Visit] = []

    def stream(self, endpoint: Any = "tcp:0", policy: Policy = Policy()) -> ListenerService:  # noqa: B008
        """
        Make a service for connections.
        """
        service = streamService(endpoint, Echo, reactor=self.reactor, policy=policy, record=self.visits.append)
        self.addCleanup(service.stopService)
        return service

    def datagram(self, endpoint: str = "udp:0") -> ListenerService:
        """
        Make a service for datagrams.
        """
        service = datagramService(endpoint, Echo, reactor=self.reactor, record=self.visits.append)
        self.addCleanup(service.stopService)
        return service

    def host(self, service: ListenerService) -> Any:
        """
        The address of a service.
        """
        assert service.port is not None
        return service.port.getHost()

    def assertEchoes(self, client: socket.socket) -> None:
        """
        Check that a client gets its echo.
        """
        client.send(b"words")
        self.assertEqual(self.hear(client, 5), b"words")


class ReactorTests(ServiceCase):
    """
    Services on an epoll reactor.
    """

    cycles = 100

    def test_stream(self) -> None:
        """
        Connections are served and recorded at their end.
        """
        service = self.stream()
        service.startService()
        client = self.connect(self.host(service))
        self.assertEchoes(client)
        client.close()
        self.until(lambda: self.visits)
        (visit,) = self.visits
        self.assertEqual(
            (visit.service, visit.transport, visit.received, visit.sent, visit.outcome),
            ("echo", "tcp", 5, 5, Outcome.DONE),
        )

    def test_datagram(self) -> None:
        """
        Datagrams are answered and recorded.
        """
        service = self.datagram()
        service.startService()
        client = self.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        client.setblocking(False)
        client.connect((self.host(service).host, self.host(service).port))
        self.assertEchoes(client)
        self.assertEqual([visit.outcome for visit in self.visits], [Outcome.DONE])

    def test_restart(self) -> None:
        """
        A stopped service can be started again.
        """
        for service in (self.stream(), self.stream(f"unix:{self.folder}/socket")):
            for _ in range(3):
                service.startService()
                client = self.connect(self.host(service))
                self.assertEchoes(client)
                client.close()
                self.wait(service.stopService())
        service = self.datagram()
        for _ in range(3):
            service.startService()
            self.successResultOf(service.stopService())
        self.assertQuiet()

    def test_stopWaitsForTheLastConversation(self) -> None:
        """
        C{stopService} fires when the last conversation has ended and is recorded.
        """
        service = self.stream()
        service.startService()
        clients = [self.connect(self.host(service)) for _ in range(3)]
        for client in clients:
            self.assertEchoes(client)
        self.assertEqual(service.connections, 3)
        stopped = service.stopService()
        ended = []
        stopped.addCallback(lambda _: ended.append(len(self.visits)))
        self.assertEqual((ended, self.visits), ([], []))
        for client in clients:
            self.assertEqual(self.hear(client), b"")
            client.close()
        self.until(lambda: ended)
        self.assertEqual(ended, [3])
        self.assertEqual({visit.outcome for visit in self.visits}, {Outcome.DRAINED})
        self.assertEqual(service.connections, 0)
        self.assertQuiet()

    def test_stopWithoutDrain(self) -> None:
        """
        With a drain of 0 conversations are reset.
        """
        service = self.stream(policy=Policy(drain=0.0))
        service.startService()
        client = self.connect(self.host(service))
        client.send(bytes(2**20))
        self.turn(3)
        self.wait(service.stopService())
        self.assertEqual([visit.outcome for visit in self.visits], [Outcome.DRAINED])
        self.assertQuiet()

    def test_waitingConnectionsAreServed(self) -> None:
        """
        Connections in the accept queue are served during a stop (T20).
        """
        service = self.stream()
        service.startService()
        clients = [self.connect(self.host(service)) for _ in range(10)]
        for client in clients:
            client.send(b"words")
            client.shutdown(socket.SHUT_WR)
        stopped = service.stopService()
        for client in clients:
            self.assertEqual(self.hear(client, 10), b"words")
        self.wait(stopped)
        self.assertEqual([visit.sent for visit in self.visits], [5] * 10)

    def test_nothingLeft(self) -> None:
        """
        Many starts and stops leave no descriptor and nothing in the reactor (T29).
        """
        stream, datagram = self.stream(), self.datagram()
        before = descriptors()
        for _ in range(self.cycles):
            stream.startService()
            datagram.startService()
            client = self.connect(self.host(stream))
            self.assertEchoes(client)
            client.close()
            self.wait(stream.stopService())
            self.successResultOf(datagram.stopService())
        self.assertQuiet()
        self.assertEqual(descriptors(), before)


class LifeTests(ServiceCase):
    """
    The states of a service.
    """

    def test_port(self) -> None:
        """
        C{port} is set while the service listens, with the real port number.
        """
        for service in (self.stream(), self.datagram()):
            self.assertIsNone(service.port)
            service.startService()
            self.assertTrue(service.running)
            self.assertGreater(self.host(service).port, 0)
            self.successResultOf(service.stopService())
            self.assertFalse(service.running)
            self.assertIsNone(service.port)

    def test_startedOnce(self) -> None:
        """
        A service listens once, however often it is started.
        """
        service = self.stream()
        service.open()
        service.privilegedStartService()
        port = service.port
        service.startService()
        self.assertIs(service.port, port)

    def test_oneLogLine(self) -> None:
        """
        A start logs one line with the real port.
        """
        services = [
            self.stream(),
            self.stream("tcp:0:interface=[::1]"),
            self.stream(f"unix:{self.folder}/stream"),
            self.datagram(),
            self.datagram(f"unixgram:{self.folder}/datagram"),
        ]
        logged = []
        for service in services:
            with capturedLogs() as events:
                service.privilegedStartService()
                service.startService()
            (line,) = [formatEvent(event) for event in events]
            logged.append(line)
        ports = [getattr(self.host(service), "port", None) for service in services]
        self.assertEqual(
            logged,
            [
                f"echo listening on tcp:127.0.0.1:{ports[0]}",
                f"echo listening on tcp:[::1]:{ports[1]}",
                f"echo listening on unix:{self.folder}/stream",
                f"echo listening on udp:127.0.0.1:{ports[3]}",
                f"echo listening on unixgram:{self.folder}/datagram",
            ],
        )

    def test_twistedsEndpointStrings(self) -> None:
        """
        A string of Twisted's endpoint plugins is served.
        """
        service = self.stream(r"haproxy:tcp:0:interface=127.0.0.1")
        service.startService()
        client = self.connect(self.host(service))
        client.send(b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n")
        self.assertEchoes(client)
        client.close()
        self.until(lambda: self.visits)
        self.assertEqual(self.visits[0].sent, 5)
        self.wait(service.stopService())

    def test_opened(self) -> None:
        """
        C{open} before the start binds the address. C{close} in place of a start leaves nothing.
        """
        before = descriptors()
        service = self.stream(f"unix:{self.folder}/socket")
        service.open()
        client = self.connect(f"{self.folder}/socket")
        service.startService()
        self.assertEchoes(client)
        client.close()
        self.until(lambda: self.visits)
        self.successResultOf(service.stopService())
        service.open()
        service.close()
        self.assertEqual((list(self.folder.iterdir()), descriptors()), ([], before))
        self.assertQuiet()

    def test_twistedsEndpointOpened(self) -> None:
        """
        An endpoint of Twisted's listens from C{open} to C{close}.
        """
        service = self.stream(TCP4ServerEndpoint(self.reactor, 0, interface="127.0.0.1"))
        service.open()
        host = self.host(service)
        self.connect(host).close()
        service.close()
        self.turn(3)
        self.assertRaises(ConnectionRefusedError, self.connect, host)
        self.assertQuiet()

    def test_cutResetsAll(self) -> None:
        """
        C{abortAll} resets all connections. A service for datagrams has none.
        """
        service = self.stream()
        service.startService()
        client = self.connect(self.host(service))
        self.assertEchoes(client)
        service.abortAll()
        self.assertRaises(ConnectionResetError, self.hear, client)
        gram = self.datagram()
        gram.abortAll()
        self.assertEqual(gram.connections, 0)


class TwistedTransportTests(ReactorTests):
    """
    Services whose connections have Twisted's own transports.
    """

    cycles = 20

    def stream(self, endpoint: Any = "tcp:0", policy: Policy = Policy()) -> ListenerService:  # noqa: B008
        """
        A service for connections, not started.
        """
        binding = parse(endpoint) if isinstance(endpoint, str) else None
        if binding is None:
            return super().stream(endpoint, policy)
        plain = StreamEndpoint(self.reactor, binding, plain=True)
        service = streamService(plain, Echo, reactor=self.reactor, policy=policy, record=self.visits.append)
        self.addCleanup(service.stopService)
        return service


class SelectReactorTests(ReactorTests):
    """
    Services on a reactor that uses select(2).
    """

    cycles = 20

    def makeReactor(self) -> Any:
        """
        Make a reactor for this test.
        """
        return SelectReactor()


class AsyncioReactorTests(ReactorTests):
    """
    Services on a reactor that runs in an asyncio event loop, whose iterations take longer.
    """

    cycles = 20

    def makeReactor(self) -> Any:
        """
        Make a reactor for this test.
        """
        loop = asyncio.SelectorEventLoop()
        self.addCleanup(loop.close)
        return AsyncioSelectorReactor(loop)


class PauseTests(LoopCase):
    """
    A pause of the whole process, as by SIGSTOP: time passes, and the reactor does not turn.
    """

    def setUp(self) -> None:
        """
        Set the reactor's clock by hand.
        """
        super().setUp()
        self.now = 0.0
        self.reactor.seconds = lambda: self.now
        self.visits: list[Visit] = []

    def pause(self, client: socket.socket, sent: bytes) -> bytes:
        """
        Send something in a pause of 7 s.

        @return: the reply.
        """
        client.send(sent)
        self.now += 7
        self.turn(2)
        self.now += 1
        return self.hear(client, 18)

    def serve(self) -> socket.socket:
        """
        Serve C{welcome}, whose first message is due in 5 s.

        @return: a client that has connected and sent nothing.
        """
        service = streamService("tcp:0", Welcome, reactor=self.reactor, record=self.visits.append)
        self.addCleanup(service.stopService)
        service.startService()
        assert service.port is not None
        client = self.connect(service.port.getHost())
        self.until(lambda: service.connections)
        self.turn()
        return client

    def test_inputIsReadBeforeTimeoutsAreChecked(self) -> None:
        """
        A first message that arrived in the pause is answered, although its deadline has passed.
        """
        self.assertEqual(b"welcome to server!", self.pause(self.serve(), b"1"))

    def test_aSilentPeerIsStillEnded(self) -> None:
        """
        A connection without input is ended at its deadline, which the pause has passed.
        """
        client = self.serve()
        self.assertEqual(b"", self.pause(client, b""))
        client.close()
        self.until(lambda: self.visits)
        self.assertEqual(Outcome.TIMED_OUT, self.visits[0].outcome)


@implementer(IStreamServerEndpoint)
class LateEndpoint:
    """
    An endpoint that listens later.
    """

    def __init__(self) -> None:
        self.listening: Deferred[IListeningPort] = Deferred()

    def listen(self, protocolFactory: object) -> Deferred[IListeningPort]:
        """
        Return a Deferred that has not fired.
        """
        return self.listening


class LateEndpointTests(SynchronousTestCase):
    """
    A service that has started before its endpoint listens.
    """

    def setUp(self) -> None:
        """
        Start the service.
        """
        self.endpoint = LateEndpoint()
        self.service = streamService(self.endpoint, Echo, reactor=DatagramMemoryReactor())
        self.service.privilegedStartService()
        self.service.startService()

    def test_portIsSetLater(self) -> None:
        """
        C{port} is set when the endpoint listens, and this port is stopped with the service.
        """
        self.assertIsNone(self.service.port)
        port = DatagramMemoryReactor().listenTCP(0, StreamFactory(Echo))
        self.endpoint.listening.callback(port)
        self.assertIs(port, self.service.port)
        self.successResultOf(self.service.stopService())
        self.assertIsNone(self.service.port)

    def test_lateFailureIsLogged(self) -> None:
        """
        A late failure is logged, because no caller can catch it.
        """
        self.endpoint.listening.errback(OSError("not today"))
        (failure,) = self.flushLoggedErrors(OSError)
        self.assertEqual("not today", str(failure.value))

    def test_stoppedBeforeItListens(self) -> None:
        """
        A stop cancels the listen, and nothing is logged.
        """
        self.successResultOf(self.service.stopService())
        self.assertTrue(self.endpoint.listening.called)
