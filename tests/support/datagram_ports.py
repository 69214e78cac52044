"""
Test case for datagram ports over real sockets.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.protocol import DatagramProtocol

from sockservices.conversation.transport import Transport
from sockservices.transports.bindings import Binding, InetBinding
from sockservices.transports.datagram_port import DatagramPort, UDPPort
from sockservices.transports.sockets import BoundSocket, openSockets
from tests.support.failing_socket import FailingSocket
from tests.support.loop import LoopCase

__all__ = ["DatagramPortCase", "UpperDatagrams"]


class UpperDatagrams(DatagramProtocol):
    """
    A protocol that replies to each datagram in upper case if its source has an address.

    @ivar received: the datagrams, each with its source and destination.
    @ivar running: the number of starts minus the number of stops.
    """

    noisy = False
    transport: Any

    def __init__(self) -> None:
        self.received: list[tuple[bytes, Any, str | None]] = []
        self.running = 0

    def startProtocol(self) -> None:
        """
        Count the start.
        """
        self.running += 1

    def stopProtocol(self) -> None:
        """
        Count the stop.
        """
        self.running -= 1

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """
        Record the datagram and reply.
        """
        self.received.append((datagram, addr, self.transport.destination))
        if addr is not None:
            self.transport.write(datagram.upper(), addr)


class DatagramPortCase(LoopCase):
    """
    A test of L{DatagramPort} or L{UDPPort}.
    """

    def setUp(self) -> None:
        """
        Make the protocol.
        """
        super().setUp()
        self.protocol = UpperDatagrams()

    def listen(self, binding: Binding | None = None, **faults: list[int]) -> DatagramPort:
        """
        Listen, by default on a free UDP port of 127.0.0.1.

        @param faults: the errors of the first calls of socket methods.
        """
        (opened,) = openSockets(binding or InetBinding(Transport.UDP, 0))
        return self.adopt(BoundSocket(FailingSocket(opened.socket, **faults), opened.path, opened.inode))  # type: ignore[arg-type]

    def adopt(self, opened: BoundSocket) -> DatagramPort:
        """
        Listen on a bound socket.
        """
        kind = DatagramPort if opened.socket.family == socket.AF_UNIX else UDPPort
        port = kind(opened, self.protocol, self.reactor)
        port.startListening()
        self.addCleanup(port.stopListening)
        return port

    def client(self, port: DatagramPort, host: str | None = None) -> socket.socket:
        """
        A client that is connected to the port: it receives only datagrams that leave from this address.

        @param host: an address of the port other than the one that it is bound to.
        """
        bound: Any = port.getHost()
        host = host or bound.host
        kind = socket.AF_INET6 if ":" in host else socket.AF_INET
        client: socket.socket = self.keep(socket.socket(kind, socket.SOCK_DGRAM))
        client.setblocking(False)
        client.connect((host, bound.port))
        return client

    def unixClient(self, port: DatagramPort, name: str | bytes | None = None) -> socket.socket:
        """
        A client on a Unix socket.

        @param name: the path of the client.
        """
        client: socket.socket = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        client.setblocking(False)
        if name is not None:
            client.bind(name)
        client.connect(port.socket.getsockname())
        return client

    def replies(self, client: socket.socket, count: int = 1) -> list[bytes]:
        """
        Wait until a client has received so many replies.
        """
        output: list[bytes] = []

        def received() -> bool:
            try:
                output.append(client.recv(65536))
            except BlockingIOError:
                return False
            return len(output) == count

        self.until(received)
        return output

    def assertServed(self, client: socket.socket, datagram: bytes = b"words") -> None:
        """
        Check that a client gets a reply.
        """
        client.send(datagram)
        (reply,) = self.replies(client)
        self.assertEqual(len(reply), len(datagram))
        self.assertTrue(reply == datagram.upper())
