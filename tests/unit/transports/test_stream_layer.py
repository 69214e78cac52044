"""
Layers below any protocol of Twisted.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from sockservices import Outcome
from sockservices.responders import Echo, Welcome
from sockservices.text.log_interval import LogInterval
from sockservices.transports.layered_factory import layered
from sockservices.transports.proxy_layer import ProxyLayer
from sockservices.transports.stream_layer import StreamLayer
from tests.support.peer import HOST, PEER, StreamCase

HEADER = b"PROXY TCP4 192.0.2.99 192.0.2.2 1000 2000\r\n"


class _Lines(LineReceiver):
    """
    Records its events, and closes after the first line.
    """

    delimiter = b"\n"
    transport: Any

    def __init__(self) -> None:
        self.events: list[Any] = []

    def connectionMade(self) -> None:
        self.events.append(self.transport.getPeer().host)

    def lineReceived(self, line: bytes) -> None:
        self.events.append(line)
        self.transport.loseConnection()

    def connectionLost(self, reason: Any = None) -> None:
        self.events.append("lost")


class _BareTransport:
    """
    A transport without flow control: it has the methods of L{ITransport<twisted.internet.interfaces.ITransport>} only.
    """

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def writeSequence(self, data: list[bytes]) -> None:
        self.written.extend(data)

    def loseConnection(self) -> None:
        self.closed = True

    def getPeer(self) -> Any:
        return PEER

    def getHost(self) -> Any:
        return HOST


class StreamLayerTests(StreamCase):
    """
    Tests of layers in memory.
    """

    def proxyLayer(self, protocol: Any) -> ProxyLayer:
        """
        A layer that reads the PROXY header of a connection.
        """
        return ProxyLayer(protocol, self.clock, LogInterval())

    def test_layersBelowAnyProtocol(self) -> None:
        """
        Below any number of layers, a protocol is connected when its peer is known. After C{loseConnection} it receives
        no further line.
        """
        for depth in range(3):
            lines = _Lines()
            protocol: Any = lines
            for _ in range(depth):
                protocol = StreamLayer(protocol)
            layer = self.proxyLayer(protocol)
            layer.makeConnection(StringTransport(HOST, PEER))
            self.assertEqual(lines.events, [])
            layer.dataReceived(HEADER + b"one\ntwo\n")
            layer.connectionLost(Failure(ConnectionDone()))
            self.assertEqual(lines.events, ["192.0.2.99", b"one", "lost"])

    def test_neverConnected(self) -> None:
        """
        C{connectionLost} of a protocol that was never connected is not called.
        """
        lines = _Lines()
        layer = self.proxyLayer(StreamLayer(lines))
        layer.makeConnection(StringTransport(HOST, PEER))
        layer.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(lines.events, [])

    def test_failedSetUp(self) -> None:
        """
        A connection is released when its set-up fails: before the layer is connected, or because a layer raises.
        """

        def fail(protocol: Any) -> Any:
            raise ValueError("no layer")

        self.proxyLayer(self.factory(Echo).buildProtocol(PEER)).connectionLost(Failure(ConnectionAborted()))
        self.assertRaises(ValueError, layered(self.factory(Echo), [fail, self.proxyLayer]).buildProtocol, PEER)
        self.assertEqual((self.census.connections, self.outcomes), (0, [Outcome.RESET] * 2))

    def test_drainedBeforeTheHeader(self) -> None:
        """
        A conversation that has ended before the header does not begin with it. Later input resets the connection.
        """
        factory = self.factory(Welcome)
        transport = StringTransport(HOST, PEER)
        layer = self.proxyLayer(factory.buildProtocol(PEER))
        layer.makeConnection(transport)
        factory.drain(10)
        self.clock.advance(1)
        layer.dataReceived(HEADER)
        self.assertEqual(transport.value(), b"")
        layer.dataReceived(b"late")
        self.assertTrue(transport.disconnected)
        layer.connectionLost(Failure(ConnectionAborted()))
        self.assertEqual(self.outcomes, [Outcome.DRAINED])

    def test_bareTransport(self) -> None:
        """
        A conversation needs no flow control of its transport.
        """
        transport: Any = _BareTransport()
        protocol, _ = self.connect(Welcome, transport)
        protocol.dataReceived(b"hello")
        self.assertTrue(transport.written and transport.closed)
        protocol.connectionLost(Failure(ConnectionDone()))
