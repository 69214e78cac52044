"""
Test cases for stream ports and their connections over real sockets.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from sockservices.conversation.transport import Transport
from sockservices.transports.bindings import Binding, InetBinding, UnixBinding
from sockservices.transports.sockets import BoundSocket, openSockets
from sockservices.transports.stream_port import StreamPort
from tests.support.failing_socket import FailingSocket
from tests.support.loop import LoopCase

__all__ = [
    "LONG",
    "ConnectionCase",
    "HalfCloseRecorder",
    "StreamPortCase",
    "StreamRecorder",
    "UnixCase",
    "UpperFactory",
    "UpperStream",
]

#: More bytes than the kernel buffers for a peer that does not read.
LONG = 1 << 23


class UpperStream(Protocol):
    """
    A protocol that replies to each segment in upper case.
    """

    factory: UpperFactory

    def connectionMade(self) -> None:
        """
        Record the connection.
        """
        self.factory.made.append(self)

    def dataReceived(self, data: bytes) -> None:
        """
        Write the reply.
        """
        assert self.transport is not None
        self.transport.write(data.upper())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Record the loss.
        """
        self.factory.lost.append(self)


class UpperFactory(Factory):
    """
    A factory that records its addresses and protocols.

    @ivar build: a replacement for L{Factory.buildProtocol}.
    @ivar running: the number of starts minus the number of stops.
    """

    noisy = False
    protocol: Any = UpperStream
    build: Callable[[IAddress | None], Any] | None = None

    def __init__(self) -> None:
        self.addresses: list[Any] = []
        self.made: list[Any] = []
        self.lost: list[Any] = []
        self.running = 0

    def startFactory(self) -> None:
        """
        Count the start.
        """
        self.running += 1

    def stopFactory(self) -> None:
        """
        Count the stop.
        """
        self.running -= 1

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """
        Record the address and build a protocol.
        """
        self.addresses.append(addr)
        return (self.build or super().buildProtocol)(addr)


class StreamPortCase(LoopCase):
    """
    A test of L{StreamPort}.

    @cvar plain: whether its connections have Twisted's own transports.
    """

    plain = False

    def setUp(self) -> None:
        """
        Make the factory.
        """
        super().setUp()
        self.factory = UpperFactory()
        self.addCleanup(self.disconnect)

    def disconnect(self) -> None:
        """
        Close all connections.
        """
        for protocol in self.factory.made:
            if protocol not in self.factory.lost:
                protocol.transport.connectionLost(Failure(ConnectionDone()))

    def listen(
        self, binding: Binding | None = None, faults: list[int] | None = None, reactor: Any = None
    ) -> StreamPort:
        """
        Listen, by default on a free TCP port of 127.0.0.1.

        @param faults: the errors of the first calls of accept(2).
        """
        (opened,) = openSockets(binding or InetBinding(Transport.TCP, 0))
        if faults is not None:
            listening: Any = FailingSocket(opened.socket, _accept=faults)
            opened = BoundSocket(listening, opened.path, opened.inode)
        return self.adopt(opened, reactor)

    def adopt(self, opened: BoundSocket, reactor: Any = None) -> StreamPort:
        """
        Listen on a bound socket.
        """
        port = StreamPort(opened, self.factory, reactor or self.reactor, self.plain)
        port.startListening()
        self.addCleanup(port.stopListening)
        return port

    def assertServed(self, client: socket.socket) -> None:
        """
        Check that a client gets a reply.
        """
        client.sendall(b"hello")
        self.assertEqual(self.receive(client, 5), b"HELLO")


class StreamRecorder(UpperStream):
    """
    A protocol that records its segments and its end. The test gives the reaction to a segment.

    @ivar segments: the received segments.
    @ivar events: the ends in their order: C{"read"}, C{"write"}, and the type of the reason of L{connectionLost}.
    """

    transport: Any

    def __init__(self, received: Callable[[Any, bytes], Any]) -> None:
        self.received = received
        self.segments: list[bytes] = []
        self.events: list[Any] = []

    def dataReceived(self, data: bytes) -> Any:
        """
        Record the segment and call the test's function.
        """
        self.segments.append(data)
        return self.received(self, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Record the type of the reason.
        """
        self.events.append(reason.type)
        super().connectionLost(reason)


@implementer(IHalfCloseableProtocol)
class HalfCloseRecorder(StreamRecorder):
    """
    A recorder that supports half-close.
    """

    def readConnectionLost(self) -> None:
        """
        Record the peer's FIN.
        """
        self.events.append("read")

    def writeConnectionLost(self) -> None:
        """
        Record the server's FIN.
        """
        self.events.append("write")


class ConnectionCase(StreamPortCase):
    """
    A test of connections.

    @cvar protocolClass: the class of their protocols.
    @ivar received: their reaction to a segment. By default they reply in upper case.
    """

    protocolClass = StreamRecorder

    def setUp(self) -> None:
        """
        Make the factory build recorders.
        """
        super().setUp()
        self.received: Callable[[Any, bytes], Any] = UpperStream.dataReceived
        self.factory.build = self.build

    def build(self, addr: IAddress | None) -> Any:
        """
        Build a protocol.
        """
        protocol = self.protocolClass(lambda protocol, data: self.received(protocol, data))
        protocol.factory = self.factory
        return protocol

    def binding(self) -> Binding:
        """
        The address to listen on: a free TCP port.
        """
        return InetBinding(Transport.TCP, 0)

    def openConnection(self, port: StreamPort | None = None) -> tuple[socket.socket, Any, Any]:
        """
        Connect a client, by default to a port of its own.

        @return: the client, and the protocol and the transport of the server's side.
        """
        client = self.connect((port or self.listen(self.binding())).getHost())
        count = len(self.factory.made)
        self.until(lambda: len(self.factory.made) > count)
        protocol = self.factory.made[-1]
        return client, protocol, protocol.transport

    def waitForEvents(self, protocol: StreamRecorder, count: int = 1) -> list[Any]:
        """
        Wait until a protocol has recorded so many events.
        """
        self.until(lambda: len(protocol.events) >= count)
        return protocol.events

    def sendAll(self, client: socket.socket, data: bytes) -> None:
        """
        Send all data, however slowly the server reads.
        """
        left = memoryview(data)

        def sent() -> bool:
            nonlocal left
            try:
                left = left[client.send(left) :]
            except BlockingIOError:
                return False
            return not left

        self.until(sent)

    def segmentSizes(self, protocol: StreamRecorder, length: int) -> list[int]:
        """
        Wait until a protocol has received C{length} bytes. @return: the sizes of its segments.
        """
        self.until(lambda: sum(map(len, protocol.segments)) >= length)
        return [len(segment) for segment in protocol.segments]

    def receiveAll(self, client: socket.socket) -> bytes:
        """
        All that a client receives until the connection ends.
        """
        return self.receive(client, 1 << 30)


class UnixCase(ConnectionCase):
    """
    A test of Unix stream connections.
    """

    def binding(self) -> Binding:
        """
        A new path for each listener.
        """
        return UnixBinding(Transport.UNIX, str(self.folder / f"{len(list(self.folder.iterdir()))}"))
