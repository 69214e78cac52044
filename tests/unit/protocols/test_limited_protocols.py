"""
Ordinary Twisted protocols under the limits of a server.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.basic import LineReceiver
from twisted.protocols.wire import Echo
from zope.interface import classImplements

from sockservices import Census, Outcome, Policy, streamService
from sockservices.conversation.visit import Visit
from tests.support.loop import LoopCase


class Shouting(LineReceiver):
    """
    Sends back each line in upper case, and ends after C{bye}.
    """

    transport: Any

    def lineReceived(self, line: bytes) -> None:
        """
        Send the line in upper case.
        """
        self.sendLine(line.upper())
        if line == b"bye":
            self.transport.loseConnection()


class LimitedProtocolTests(LoopCase):
    """
    C{streamService} with an C{IProtocolFactory}.
    """

    def setUp(self) -> None:
        """
        Keep the visits.
        """
        super().setUp()
        self.visits: list[Visit] = []
        self.census = Census()

    def serve(self, protocol: Any = Echo, endpoint: str = "tcp:0", **limits: Any) -> Any:
        """
        Serve a protocol.
        """
        factory = Factory.forProtocol(protocol)
        factory.noisy = False
        arguments: dict[str, Any] = {"record": self.visits.append, "census": self.census, "policy": Policy(**limits)}
        service = streamService(endpoint, factory, reactor=self.reactor, **arguments)
        service.startService()
        self.addCleanup(lambda: self.wait(service.stopService()))
        return service

    def client(self, service: Any, data: bytes = b"hello") -> socket.socket:
        """
        Connect a client, and exchange data.
        """
        client = self.connect(service.port.getHost())
        client.sendall(data)
        self.assertEqual(self.receive(client, len(data)), data)
        return client

    def outcomes(self) -> list[tuple[str, int, int, Outcome]]:
        """
        The visits so far.
        """
        return [(visit.service, visit.received, visit.sent, visit.outcome) for visit in self.visits]

    def test_served(self) -> None:
        """
        The protocol is served, and each connection gives one visit with the name of the protocol.
        """
        service = self.serve(Shouting)
        client = self.connect(service.port.getHost())
        client.sendall(b"hello\r\nbye\r\n")
        self.assertEqual(self.receive(client, 100), b"HELLO\r\nBYE\r\n")
        client.close()
        self.until(lambda: self.visits)
        self.assertEqual(self.outcomes(), [("Shouting", 12, 12, Outcome.DONE)])
        self.assertEqual((self.census.connections, service.connections), (0, 0))
        self.assertEqual(self.census.totals.conversations["Shouting"].received, 12)

    def test_exceptions(self) -> None:
        """
        An exception of the protocol is logged, resets its connection, and is the outcome C{error}.
        """

        class Failing(Protocol):
            def dataReceived(self, data: bytes) -> None:
                self.transport.write(b"220 he")  # type: ignore[union-attr]
                raise ValueError

        class FailingAtFin(Protocol):
            def readConnectionLost(self) -> None:
                raise ValueError

            def writeConnectionLost(self) -> None:
                pass

        class FailingAtStart(Protocol):
            def connectionMade(self) -> None:
                raise ValueError

        classImplements(FailingAtFin, IHalfCloseableProtocol)
        for protocol, received, sent in ((Failing, 5, 6), (FailingAtFin, 5, 0), (FailingAtStart, 0, 0)):
            client = self.connect(self.serve(protocol).port.getHost())
            with contextlib.suppress(OSError):
                client.sendall(b"hello")
                client.shutdown(socket.SHUT_WR)
            with self.assertRaises(ConnectionResetError):
                while self.receive(client, 1):
                    pass
            self.until(lambda: self.visits)
            self.assertEqual(self.outcomes(), [(protocol.__name__, received, sent, Outcome.ERROR)])
            self.visits.clear()
            self.assertEqual(len(self.flushLoggedErrors(ValueError)), 0 if protocol is FailingAtStart else 1)
        self.assertEqual(self.census.connections, 0)

    def test_limits(self) -> None:
        """
        The limits in all and per source refuse the next connection.
        """
        cases: list[dict[str, Any]] = [{"maxConnections": 1}, {"maxPerSource": 1}]
        for limits in cases:
            service = self.serve(**limits)
            client = self.client(service)
            refused = self.connect(service.port.getHost())
            self.assertEqual(self.receive(refused, 1), b"")
            client.close()
            self.until(lambda: len(self.visits) == 2)
            self.assertEqual(self.outcomes(), [("Echo", 0, 0, Outcome.REFUSED), ("Echo", 5, 5, Outcome.DONE)])
            self.visits.clear()

    def test_refusedByTheFactory(self) -> None:
        """
        A connection that the factory itself refuses is counted as refused, and released.
        """

        class Refusing(Factory):
            noisy = False

            def buildProtocol(self, addr: Any) -> None:
                return None

        service: Any = streamService(
            "tcp:0", Refusing(), reactor=self.reactor, record=self.visits.append, census=self.census
        )
        service.startService()
        self.addCleanup(lambda: self.wait(service.stopService()))
        self.assertEqual(self.receive(self.connect(service.port.getHost()), 1), b"")
        self.assertEqual(self.outcomes(), [("Refusing", 0, 0, Outcome.REFUSED)])
        self.assertEqual(self.census.connections, 0)

    def test_reset(self) -> None:
        """
        A reset of the peer is its outcome.
        """
        client = self.client(self.serve())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        self.until(lambda: self.visits)
        self.assertEqual(self.outcomes(), [("Echo", 5, 5, Outcome.RESET)])

    def test_idle(self) -> None:
        """
        A connection without data in either direction is closed after the idle timeout.
        """
        client = self.client(self.serve(idleTimeout=0.2))
        self.assertEqual(self.receive(client, 1), b"")
        client.close()
        self.until(lambda: self.visits)
        self.assertEqual(self.outcomes(), [("Echo", 5, 5, Outcome.IDLE)])
        self.assertGreater(self.visits[0].seconds, 0.2)

    def test_drain(self) -> None:
        """
        A stop closes silent connections, and fires when the last one has ended.
        """
        service = self.serve()
        client = self.client(service)
        stopped = service.stopService()
        self.assertEqual(self.receive(client, 1), b"")
        client.close()
        self.wait(stopped)
        self.assertEqual(self.outcomes(), [("Echo", 5, 5, Outcome.DRAINED)])

    def test_drainIsLimited(self) -> None:
        """
        A connection that does not end is reset after the drain.
        """
        service = self.serve(drain=0)
        client = self.client(service)
        self.wait(service.stopService())
        self.assertRaises(ConnectionResetError, client.recv, 1)
        self.assertEqual(self.outcomes(), [("Echo", 5, 5, Outcome.DRAINED)])

    def test_unconnected(self) -> None:
        """
        A protocol that raises as it is made is released.
        """

        class Failing(Protocol):
            def __init__(self) -> None:
                raise ValueError("no")

        client = self.connect(self.serve(Failing).port.getHost())
        self.assertIn(self.received(client), (b"", None))
        self.assertEqual(self.census.connections, 0)

    def received(self, client: socket.socket) -> bytes | None:
        """
        Receive one byte; L{None} for a reset.
        """
        try:
            return self.receive(client, 1)
        except ConnectionResetError:
            return None

    def test_noFactory(self) -> None:
        """
        A class of factories is neither a factory nor a responder.
        """
        self.assertRaises(TypeError, streamService, "tcp:0", Factory, reactor=self.reactor)
