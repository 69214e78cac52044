"""
Connections that begin with a PROXY header.
"""

from __future__ import annotations

import json
import socket
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.protocols.wire import Echo as TwistedEcho
from twisted.python.failure import Failure

from sockservices import Outcome, Visit, streamService
from sockservices.responders import Echo, Welcome, Whoami
from sockservices.text.log_interval import LogInterval
from sockservices.transports.bindings import parse
from sockservices.transports.endpoints import StreamEndpoint
from sockservices.transports.proxy_layer import ProxyLayer
from tests.support.loop import LoopCase
from tests.support.peer import HOST, PEER, StreamCase
from tests.support.proxy_headers import VALID

HEADER = b"PROXY TCP4 192.0.2.99 192.0.2.2 1000 2000\r\n"
CLIENT = IPv4Address("TCP", "192.0.2.99", 1000)


class ProxyLayerTests(StreamCase):
    """
    Tests in memory.
    """

    def setUp(self) -> None:
        """
        No line has been logged.
        """
        super().setUp()
        self.interval = LogInterval()

    def proxied(self, responder: Any) -> tuple[Any, StringTransport]:
        """
        A connection, and its transport.
        """
        layer = ProxyLayer(self.factory(responder).buildProtocol(PEER), self.clock, self.interval)
        transport = StringTransport(HOST, PEER)
        layer.makeConnection(transport)
        return layer, transport

    def test_conversationBeginsWithTheHeader(self) -> None:
        """
        Nothing is sent before the header has come; then the responder sees the client's address, and so does the visit.
        """
        for cut in range(1, len(HEADER)):
            layer, transport = self.proxied(Whoami)
            layer.dataReceived(HEADER[:cut])
            self.assertEqual(transport.value(), b"")
            layer.dataReceived(HEADER[cut:])
            seen = json.loads(transport.value())
            self.assertEqual((seen["peer"], seen["host"]), ("192.0.2.99:1000", "192.0.2.2:2000"))
            layer.connectionLost()
            self.assertEqual(self.visits[-1].peer, CLIENT)

    def test_whatFollows(self) -> None:
        """
        Bytes behind the header are answered, in the same segment or another.
        """
        for header, _, _ in VALID:
            layer, transport = self.proxied(Echo)
            layer.dataReceived(header + b"one ")
            layer.dataReceived(b"two")
            self.assertEqual(transport.value(), b"one two")

    def test_unknown(self) -> None:
        """
        A header that tells no address leaves the connection's own.
        """
        layer, transport = self.proxied(Whoami)
        layer.dataReceived(b"PROXY UNKNOWN\r\n")
        self.assertEqual(json.loads(transport.value())["peer"], f"{PEER.host}:{PEER.port}")

    def test_rejected(self) -> None:
        """
        A connection that begins otherwise is reset; of many, one has a line in the log. It is no longer counted.
        """
        for data in (b"GET / HTTP/1.1\r\n", HEADER.replace(b"1000", b"99999")):
            layer, transport = self.proxied(Echo)
            layer.dataReceived(data)
            layer.dataReceived(b"more")
            self.assertTrue(transport.disconnected)
            layer.connectionLost(Failure(ConnectionAborted()))
        (line,) = self.lines()
        self.assertIn("192.0.2.7:40000: no PROXY header: it begins neither", line)
        self.assertEqual((self.outcomes, self.census.connections), ([Outcome.RESET] * 2, 0))

    def test_endBeforeTheHeader(self) -> None:
        """
        So is one that ends before its header is complete.
        """
        layer, transport = self.proxied(Welcome)
        layer.dataReceived(HEADER[:10])
        layer.readConnectionLost()
        self.assertTrue(transport.disconnected)
        self.assertIn("ended before the header", self.lines()[0])

    def test_timeout(self) -> None:
        """
        So is one whose header does not come in 5 seconds; the service's own deadline counts from the header on.
        """
        late, lost = self.proxied(Welcome)
        layer, transport = self.proxied(Welcome)
        self.clock.advance(4.9)
        layer.dataReceived(HEADER)
        self.clock.advance(0.1)
        self.assertEqual((lost.disconnected, transport.disconnecting), (True, False))
        self.assertIn("no header in 5 s", self.lines()[0])
        late.connectionLost(Failure(ConnectionAborted()))

    def test_drain(self) -> None:
        """
        A stop ends connections that still wait for their header.
        """
        layer, transport = self.proxied(Echo)
        factory = layer.protocol.factory
        drained: Deferred[None] = factory.drain(10)
        self.clock.advance(1)
        self.assertTrue(transport.disconnecting)
        layer.connectionLost()
        self.successResultOf(drained)

    def test_halfClose(self) -> None:
        """
        The peer's FIN behind the header is passed on.
        """
        layer, transport = self.proxied(Welcome)
        layer.dataReceived(HEADER)
        layer.readConnectionLost()
        self.assertEqual((transport.value(), transport.disconnecting), (b"please go out!", True))

    def test_anyProtocol(self) -> None:
        """
        A protocol that knows nothing of all this is connected when the header has come, and never if it does not.
        """
        made: list[Any] = []

        class Greeting(TwistedEcho):
            def connectionMade(self) -> None:
                made.append(self.transport.getPeer())  # type: ignore[union-attr]

        for data, peers in ((b"nonsense", []), (HEADER, [CLIENT])):
            layer = ProxyLayer(Greeting(), self.clock, self.interval)
            layer.makeConnection(StringTransport(HOST, PEER))
            layer.dataReceived(data)
            layer.connectionLost()
            self.assertEqual(made, peers)
        self.lines()


class HAProxyTests(LoopCase):
    """
    Tests of C{haproxy:} over sockets.
    """

    def stop(self, service: Any) -> None:
        """
        Stop a service.
        """
        self.wait(service.stopService())

    def test_service(self) -> None:
        """
        C{haproxy:} goes with C{tcp:} and C{unix:}: whoami and the visit name the client of the header.
        """
        for endpoint in ("haproxy:tcp:0", f"haproxy:unix:{self.folder}/socket"):
            visits: list[Visit] = []
            service = streamService(endpoint, Whoami, reactor=self.reactor, record=visits.append)
            service.startService()
            self.addCleanup(self.stop, service)
            assert service.port is not None
            client = self.connect(service.port.getHost())
            self.turn(5)
            client.sendall(HEADER)
            self.assertEqual(json.loads(self.hear(client, 1000))["peer"], "192.0.2.99:1000")
            client.shutdown(socket.SHUT_WR)
            self.until(visits.copy)
            self.assertEqual((visits[0].peer, visits[0].outcome), (CLIENT, Outcome.FINISHED))

    def test_anyFactory(self) -> None:
        """
        The endpoint serves any factory of Twisted's.
        """
        binding = parse("haproxy:tcp:0")
        assert binding is not None
        listening = StreamEndpoint(self.reactor, binding).listen(Factory.forProtocol(Protocol))
        port = self.successResultOf(listening)
        self.addCleanup(port.stopListening)
        client = self.connect(port.getHost())
        client.sendall(b"nonsense")
        with self.assertRaises(ConnectionResetError):
            self.hear(client)
