"""
Layers with protocols that know nothing of them.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from sockservices import Outcome, StreamFactory
from sockservices.responders import Echo, Welcome
from sockservices.text.log_interval import LogInterval
from sockservices.transports.layered_factory import layered
from sockservices.transports.proxy_layer import ProxyLayer
from sockservices.transports.stream_layer import StreamLayer
from tests.support.peer import HOST, PEER, StreamCase

HEADER = b"PROXY TCP4 192.0.2.99 192.0.2.2 1000 2000\r\n"


class Lines(LineReceiver):
    """
    Collects lines, and closes after the first.
    """

    delimiter = b"\n"

    def __init__(self) -> None:
        self.events: list[Any] = []

    def connectionMade(self) -> None:  # noqa: D102
        self.events.append(self.transport.getPeer().host)  # type: ignore[union-attr]

    def lineReceived(self, line: bytes) -> None:  # noqa: D102
        self.events.append(line)
        self.transport.loseConnection()  # type: ignore[union-attr]

    def connectionLost(self, reason: Any = None) -> None:  # noqa: D102
        self.events.append("lost")


class StreamLayerTests(StreamCase):
    """
    Tests of layers in memory.
    """

    def proxied(self, protocol: Any) -> ProxyLayer:
        """
        A layer that reads the PROXY header of a connection.
        """
        layer = ProxyLayer(protocol, self.clock, LogInterval())
        layer.makeConnection(StringTransport(HOST, PEER))
        return layer

    def test_lineReceiver(self) -> None:
        """
        Twisted's LineReceiver works on a layer: after C{loseConnection} it delivers no further line.
        """
        lines = Lines()
        layer = StreamLayer(lines)
        layer.makeConnection(StringTransport(HOST, PEER))
        layer.dataReceived(b"one\ntwo\n")
        self.assertEqual(lines.events, [PEER.host, b"one"])

    def test_layersBelowAnyProtocol(self) -> None:
        """
        Below any number of layers, a protocol is connected when its peer is known.
        """
        for depth in range(3):
            lines = Lines()
            protocol: Any = lines
            for _ in range(depth):
                protocol = StreamLayer(protocol)
            layer = self.proxied(protocol)
            self.assertEqual(lines.events, [])
            layer.dataReceived(HEADER + b"one\n")
            layer.connectionLost(Failure(ConnectionDone()))
            self.assertEqual(lines.events, ["192.0.2.99", b"one", "lost"])

    def test_neverConnected(self) -> None:
        """
        A protocol that was never connected sees no end.
        """
        lines = Lines()
        layer = self.proxied(StreamLayer(lines))
        layer.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(lines.events, [])

    def test_failedSetup(self) -> None:
        """
        A connection whose set-up fails before the layer is connected is released.
        """
        layer = ProxyLayer(self.factory(Echo).buildProtocol(PEER), self.clock, LogInterval())
        layer.connectionLost(Failure(ConnectionAborted()))
        self.assertEqual((self.census.connections, self.outcomes), (0, [Outcome.RESET]))

    def test_failedLayer(self) -> None:
        """
        So is one behind a layer that cannot be made.
        """

        def fail(protocol: Any) -> Any:
            raise ValueError("no layer")

        factory = layered(self.factory(Echo), [fail, lambda protocol: ProxyLayer(protocol, self.clock, LogInterval())])
        self.assertRaises(ValueError, factory.buildProtocol, PEER)
        self.assertEqual((self.census.connections, self.outcomes), (0, [Outcome.RESET]))

    def test_drainedBeforeTheHeader(self) -> None:
        """
        A conversation that has ended before the header does not begin with it. What follows resets the connection.
        """
        factory: StreamFactory = self.factory(Welcome)
        layer = self.proxied(factory.buildProtocol(PEER))
        factory.drain(10)
        self.clock.advance(1)
        transport = layer.transport._transport
        self.assertEqual(transport.value(), b"")
        layer.dataReceived(HEADER)
        self.assertEqual(transport.value(), b"")
        layer.dataReceived(b"late")
        self.assertTrue(transport.disconnected)
        layer.connectionLost(Failure(ConnectionAborted()))
        self.assertEqual(self.outcomes, [Outcome.DRAINED])


class BareTransport:
    """
    A transport with no more than L{ITransport<twisted.internet.interfaces.ITransport>} asks for.
    """

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:  # noqa: D102
        self.written.append(data)

    def writeSequence(self, data: list[bytes]) -> None:  # noqa: D102
        self.written.extend(data)

    def loseConnection(self) -> None:  # noqa: D102
        self.closed = True

    def getPeer(self) -> Any:  # noqa: D102
        return PEER

    def getHost(self) -> Any:  # noqa: D102
        return HOST


class BareTransportTests(StreamCase):
    """
    Tests over a transport without flow control.
    """

    def test_conversation(self) -> None:
        """
        A conversation needs no flow control.
        """
        protocol: Any = self.factory(Welcome).buildProtocol(PEER)
        transport = BareTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(b"hello")
        self.assertTrue(transport.written and transport.closed)
        protocol.connectionLost(Failure(ConnectionDone()))
