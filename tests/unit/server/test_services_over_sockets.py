"""
Listeners as Twisted services, over real sockets.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.address import IPv4Address
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import fail
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.selectreactor import SelectReactor
from twisted.logger import capturedLogs, formatEvent

from sockservices import Outcome, Policy, Visit, datagramService, streamService
from sockservices.conversation.transport import Transport
from sockservices.responders import Echo, Welcome
from sockservices.server.listener import ListenerService
from sockservices.transports.binding_strings import parse
from sockservices.transports.bindings import InetBinding
from sockservices.transports.endpoints import StreamEndpoint
from sockservices.transports.sockets import OpenError, openSockets
from sockservices.transports.stream_port import ACCEPTS_PER_TURN
from tests.support.loop import LoopCase, descriptors


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

    def service(self, endpoint: Any = "tcp:0", responder: Any = Echo, **policy: Any) -> ListenerService:
        """
        Make a service, which is stopped after the test.
        """
        make: Any = datagramService if str(endpoint).startswith("u") and "unix:" not in endpoint else streamService
        service: ListenerService = make(
            endpoint, responder, reactor=self.reactor, policy=Policy(**policy), record=self.visits.append
        )
        self.addCleanup(service.stopService)
        return service

    def started(self, *arguments: Any, **policy: Any) -> ListenerService:
        """
        Make and start a service.
        """
        service = self.service(*arguments, **policy)
        service.startService()
        return service

    def host(self, service: ListenerService) -> Any:
        """
        The address of a service.
        """
        assert service.port is not None
        return service.port.getHost()

    def echoed(self, service: ListenerService) -> socket.socket:
        """
        Connect a client, and check that it gets its echo.
        """
        client = self.connect(self.host(service))
        self.assertEchoes(client)
        return client

    def assertEchoes(self, client: socket.socket) -> None:
        """
        Check that a client gets its echo.
        """
        client.send(b"hello")
        self.assertEqual(self.receive(client, 5), b"hello")


class ReactorTests(ServiceCase):
    """
    Services on an epoll reactor.
    """

    cycles, waiting = 100, ACCEPTS_PER_TURN + 1

    def test_conversations(self) -> None:
        """
        Connections are served, and recorded at their end. Datagrams are answered and recorded.
        """
        self.echoed(self.started()).close()
        self.until(lambda: self.visits)
        host = self.host(self.started("udp:0"))
        client = self.closeLater(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        client.setblocking(False)
        client.connect((host.host, host.port))
        self.assertEchoes(client)
        visits = [(visit.service, visit.transport, visit.received, visit.sent, visit.outcome) for visit in self.visits]
        self.assertEqual(visits, [("echo", transport, 5, 5, Outcome.DONE) for transport in ("tcp", "udp")])

    def test_stopWaitsForTheLastConversation(self) -> None:
        """
        C{stopService} fires when the last conversation has ended and is recorded.
        """
        service = self.started()
        clients = [self.echoed(service) for _ in range(3)]
        self.assertEqual(service.connections, 3)
        stopped = service.stopService()
        recorded: list[int] = []
        stopped.addCallback(lambda _: recorded.append(len(self.visits)))
        self.assertEqual((recorded, self.visits), ([], []))
        for client in clients:
            self.assertEqual(self.receive(client), b"")
            client.close()
        self.until(lambda: recorded)
        self.assertEqual((recorded, {visit.outcome for visit in self.visits}), ([3], {Outcome.DRAINED}))
        self.assertEqual(service.connections, 0)
        self.assertQuiet()

    def test_stopWithoutDrain(self) -> None:
        """
        With a drain of 0 conversations are reset.
        """
        service = self.started(drain=0.0)
        client = self.connect(self.host(service))
        client.send(bytes(2**20))
        self.turn(3)
        self.wait(service.stopService())
        self.assertEqual([visit.outcome for visit in self.visits], [Outcome.DRAINED])
        self.assertQuiet()

    def test_waitingConnectionsAreServed(self) -> None:
        """
        Connections in the accept queue are served during a stop, also more than a port accepts in one turn.
        """
        service = self.started(maxPerSource=0)
        clients = [self.connect(self.host(service)) for _ in range(self.waiting)]
        for client in clients:
            client.send(b"hello")
            client.shutdown(socket.SHUT_WR)
        stopped = service.stopService()
        for client in clients:
            self.assertEqual(self.receive(client, 10), b"hello")
        self.wait(stopped)
        self.assertEqual([visit.sent for visit in self.visits], [5] * self.waiting)

    def test_nothingLeft(self) -> None:
        """
        A stopped service can be started again. Many starts and stops leave no descriptor and nothing in the reactor.
        """
        streams, datagrams = [self.service(), self.service(f"unix:{self.folder}/socket")], self.service("udp:0")
        before = descriptors()
        for _ in range(self.cycles):
            datagrams.startService()
            for stream in streams:
                stream.startService()
                self.echoed(stream).close()
                self.wait(stream.stopService())
            self.successResultOf(datagrams.stopService())
        self.assertQuiet()
        self.assertEqual(descriptors(), before)


class TwistedTransportTests(ReactorTests):
    """
    Services whose connections have Twisted's own transports.
    """

    cycles, waiting = 10, 10

    def service(self, endpoint: Any = "tcp:0", responder: Any = Echo, **policy: Any) -> ListenerService:
        """
        Make a service.
        """
        if not endpoint.startswith("udp"):
            binding = parse(endpoint)
            assert binding is not None
            endpoint = StreamEndpoint(self.reactor, binding, plain=True)
        return super().service(endpoint, responder, **policy)


class SelectReactorTests(ReactorTests):
    """
    Services on a reactor that uses select(2).
    """

    cycles, waiting = 10, 10

    def makeReactor(self) -> Any:
        """
        Make a reactor for this test.
        """
        return SelectReactor()


class AsyncioReactorTests(ReactorTests):
    """
    Services on a reactor that runs in an asyncio event loop, whose iterations take longer.
    """

    cycles, waiting = 5, 10

    def makeReactor(self) -> Any:
        """
        Make a reactor for this test.
        """
        loop = asyncio.SelectorEventLoop()
        self.addCleanup(loop.close)
        return AsyncioSelectorReactor(loop)


class FailingTests(ServiceCase):
    """
    A listen that fails raises from each way to start a service.
    """

    def test_raises(self) -> None:
        """
        C{privilegedStartService}, C{startService} and C{open} raise, also within a MultiService, and leave nothing. The
        service can be stopped.
        """
        for transport in (Transport.TCP, Transport.UDP):
            (taken,) = openSockets(InetBinding(transport, 0))
            self.closeLater(taken)
            before = descriptors()
            for start in ("privilegedStartService", "startService", "open"):
                service: Any = self.service(f"{transport.value}:{taken.socket.getsockname()[1]}")
                self.assertRaises(OpenError, getattr(service, start))
                self.assertIsNone(service.port)
                self.successResultOf(service.stopService())
                many = MultiService()
                service.setServiceParent(many)
                if start != "open":
                    self.assertRaises(CannotListenError, getattr(many, start))
            self.assertEqual(descriptors(), before)
        self.assertQuiet()

    def test_anyEndpoint(self) -> None:
        """
        The exception of any endpoint is raised.
        """
        endpoint = type("Failing", (), {"listen": lambda *_: fail(ZeroDivisionError("on purpose"))})()
        self.assertRaises(ZeroDivisionError, self.service(endpoint).startService)


class StateTests(ServiceCase):
    """
    The states of a service.
    """

    def test_port(self) -> None:
        """
        C{port} is set while the service listens, with the real port number. A service listens once, however often it is
        started. C{abortAll} before the start does nothing.
        """
        for service in (self.service(), self.service("udp:0")):
            self.assertEqual((service.port, service.connections), (None, 0))
            service.abortAll()
            service.open()
            service.privilegedStartService()
            port = service.port
            service.startService()
            self.assertTrue(service.running)
            self.assertIs(service.port, port)
            self.assertGreater(self.host(service).port, 0)
            self.successResultOf(service.stopService())
            self.assertFalse(service.running)
            self.assertIsNone(service.port)

    def test_oneLogLine(self) -> None:
        """
        A start logs one line with the real port.
        """
        for endpoint, listener in (
            ("tcp:0", "tcp:127.0.0.1:{}"),
            ("tcp:0:interface=[::1]", "tcp:[::1]:{}"),
            ("udp:0", "udp:127.0.0.1:{}"),
            (f"unix:{self.folder}/stream", f"unix:{self.folder}/stream"),
            (f"unixgram:{self.folder}/datagram", f"unixgram:{self.folder}/datagram"),
        ):
            service = self.service(endpoint)
            with capturedLogs() as events:
                service.privilegedStartService()
                service.startService()
            expected = "echo listening on " + listener.format(getattr(self.host(service), "port", None))
            self.assertEqual([formatEvent(event) for event in events], [expected])

    def test_proxyHeader(self) -> None:
        """
        The peer of a connection to a C{haproxy:} endpoint is the peer that its PROXY header names.
        """
        service = self.started("haproxy:tcp:0:interface=127.0.0.1")
        client = self.connect(self.host(service))
        client.send(b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n")
        self.assertEchoes(client)
        client.close()
        self.until(lambda: self.visits)
        self.assertEqual((self.visits[0].sent, self.visits[0].peer), (5, IPv4Address("TCP", "192.0.2.1", 1000)))

    def test_opened(self) -> None:
        """
        C{open} before the start binds the address. C{close} in place of a start leaves nothing.
        """
        before = descriptors()
        service = self.service(f"unix:{self.folder}/socket")
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
        An endpoint of Twisted's, or its string, listens from C{open} to C{close}.
        """
        for endpoint in (TCP4ServerEndpoint(self.reactor, 0, interface="127.0.0.1"), r"tcp6:0:interface=\:\:1"):
            service = self.service(endpoint)
            service.open()
            host = self.host(service)
            self.connect(host).close()
            service.close()
            self.turn(3)
            self.assertRaises(ConnectionRefusedError, self.connect, host)
        self.assertQuiet()


class PauseTests(ServiceCase):
    """
    A pause of the whole process, as by SIGSTOP: the clock advances while the reactor does not run.
    """

    def test_inputIsReadBeforeTimeoutsAreChecked(self) -> None:
        """
        A first message that arrives in a pause of 7 s is answered, although its deadline of 5 s has passed. A
        connection without input is closed.
        """
        now = 0.0
        self.reactor.seconds = lambda: now
        service = self.started("tcp:0", Welcome)
        for message, reply in ((b"1", b"welcome to server!"), (b"", b"")):
            client = self.connect(self.host(service))
            self.until(lambda: service.connections)
            self.turn()
            client.send(message)
            now += 7
            self.turn(2)
            now += 1
            self.assertEqual(self.receive(client, 18), reply)
            client.close()
            self.until(lambda: not service.connections)
        self.assertEqual([visit.outcome for visit in self.visits], [Outcome.FINISHED, Outcome.TIMED_OUT])
