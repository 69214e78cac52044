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
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from sockservices import Outcome, Visit, streamService
from sockservices.responders import Echo, Welcome, Whoami
from sockservices.text.log_interval import LogInterval
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
        Make a new limit for log lines.
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
        Nothing is sent before the header is complete. Then the responder and the visit have the client's address.
        """
        for cut in range(1, len(HEADER)):
            layer, transport = self.proxied(Whoami)
            layer.dataReceived(HEADER[:cut])
            self.assertEqual(transport.value(), b"")
            layer.dataReceived(HEADER[cut:])
            reply = json.loads(transport.value())
            self.assertEqual((reply["peer"], reply["host"]), ("192.0.2.99:1000", "192.0.2.2:2000"))
            layer.connectionLost()
            self.assertEqual(self.visits[-1].peer, CLIENT)

    def test_headerWithoutAddress(self) -> None:
        """
        A header without an address leaves the connection's own.
        """
        layer, transport = self.proxied(Whoami)
        layer.dataReceived(b"PROXY UNKNOWN\r\n")
        self.assertEqual(json.loads(transport.value())["peer"], f"{PEER.host}:{PEER.port}")

    def test_dataAfterTheHeader(self) -> None:
        """
        Bytes after the header are answered, in the same segment or another, and the peer's FIN is passed on.
        """
        for header, _, _ in VALID:
            layer, transport = self.proxied(Echo)
            layer.dataReceived(header + b"one ")
            layer.dataReceived(b"two")
            self.assertEqual((transport.value(), transport.disconnecting), (b"one two", False))
            layer.readConnectionLost()
            self.assertTrue(transport.disconnecting)

    def test_rejected(self) -> None:
        """
        A connection that begins with other data, or ends before the header, is reset and no longer counted. One line
        is logged for many.
        """
        for data, reason in (
            (b"GET / HTTP/1.1\r\n", "192.0.2.7:40000: no PROXY header: it begins neither"),
            (HEADER.replace(b"1000", b"99999"), "expected PROXY TCP4"),
            (HEADER[:10], "ended before the header"),
        ):
            self.interval = LogInterval()
            for _ in range(2):
                layer, transport = self.proxied(Welcome)
                layer.dataReceived(data)
                if data == HEADER[:10]:
                    layer.readConnectionLost()
                layer.dataReceived(b"more")
                self.assertTrue(transport.disconnected)
                layer.connectionLost(Failure(ConnectionAborted()))
            (line,) = self.lines()
            self.assertIn(reason, line)
        self.assertEqual((self.outcomes, self.census.connections), ([Outcome.RESET] * 6, 0))

    def test_timeout(self) -> None:
        """
        A connection without a header within 5 seconds is reset. The service's own deadline starts with the header.
        """
        late, lateTransport = self.proxied(Welcome)
        layer, transport = self.proxied(Welcome)
        self.clock.advance(4.9)
        layer.dataReceived(HEADER)
        self.clock.advance(0.1)
        self.assertEqual((lateTransport.disconnected, transport.disconnecting), (True, False))
        self.assertIn("no header in 5 s", self.lines()[0])
        late.connectionLost(Failure(ConnectionAborted()))

    def test_drain(self) -> None:
        """
        A drain closes connections whose header is not complete.
        """
        layer, transport = self.proxied(Echo)
        drained: Deferred[None] = layer.protocol.factory.drain(10)
        self.clock.advance(1)
        self.assertTrue(transport.disconnecting)
        layer.connectionLost()
        self.successResultOf(drained)


class HAProxyTests(LoopCase):
    """
    Tests of C{haproxy:} over sockets.
    """

    def test_service(self) -> None:
        """
        C{haproxy:} supports C{tcp:} and C{unix:}. The reply of whoami and the visit name the client of the header.
        """
        for endpoint in ("haproxy:tcp:0", f"haproxy:unix:{self.folder}/socket"):
            visits: list[Visit] = []
            service: Any = streamService(endpoint, Whoami, reactor=self.reactor, record=visits.append)
            service.startService()
            self.addCleanup(lambda each: self.wait(each.stopService()), service)
            client = self.connect(service.port.getHost())
            self.turn(5)
            client.sendall(HEADER)
            self.assertEqual(json.loads(self.receive(client, 1000))["peer"], "192.0.2.99:1000")
            client.shutdown(socket.SHUT_WR)
            self.until(visits.copy)
            self.assertEqual((visits[0].peer, visits[0].outcome), (CLIENT, Outcome.FINISHED))
