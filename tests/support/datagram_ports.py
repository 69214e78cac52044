"""
Test cases for datagram ports over real sockets.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.protocol import DatagramProtocol
from zope.interface import implementer

from sockservices.conversation.transport import Transport
from sockservices.transports.batched_udp_port import BatchedUDPPort
from sockservices.transports.bindings import Binding, InetBinding
from sockservices.transports.datagram_port import DatagramPort, UDPPort
from sockservices.transports.interfaces import IRequestProtocol
from sockservices.transports.recvmmsg import recvmmsg
from sockservices.transports.sendmmsg import BatchSender
from sockservices.transports.sockets import BoundSocket, openSockets
from tests.support.failing_socket import FailingSocket
from tests.support.loop import LoopCase

__all__ = ["BatchCase", "BatchedUpper", "DatagramPortCase", "RefusingSender", "UpperDatagrams", "udpSocket"]

#: The size of receive buffers in bytes; the system may allow less.
RECEIVE_BUFFER = 2**22


def udpSocket(host: str, dualStack: bool = False) -> socket.socket:
    """
    Make a UDP socket on a free port of a host.

    @param dualStack: whether an IPv6 socket also receives IPv4 datagrams.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    if ":" in host:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dualStack)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    bound.bind((host, 0))
    bound.setblocking(False)
    return bound


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


@implementer(IRequestProtocol)
class BatchedUpper(UpperDatagrams):
    """
    A protocol that replies to each datagram in upper case through its route. Its tokens count the datagrams since the
    last report.

    @ivar sent: for each report the number of replies, and the error numbers of the failed ones by token.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[int, dict[int, int | None]]] = []
        self._number = 0

    def requestReceived(self, datagram: bytes, route: Any) -> None:
        """
        Record the datagram and reply.
        """
        self.received.append((datagram, route.peer, route.destination))
        self.reply(route, datagram.upper())

    def reply(self, route: Any, reply: Any) -> None:
        """
        Reply with the next token.
        """
        self._number += 1
        route.send(reply, self._number - 1)

    def requestLost(self, size: int, route: Any) -> None:
        """
        Fail: no fault drops datagrams here.
        """
        raise NotImplementedError

    def changedReplySent(self, token: Any, size: int) -> None:
        """
        Fail: no fault changes replies here.
        """
        raise NotImplementedError

    def repliesSent(self, tokens: list[Any], failures: list[tuple[Any, Exception]]) -> None:
        """
        Record the report.
        """
        faults = {token: getattr(exception, "errno", None) for token, exception in failures}
        self.sent.append((len(tokens) + len(failures), faults))
        self._number = 0


class DatagramPortCase(LoopCase):
    """
    A test of L{DatagramPort} or L{UDPPort}.

    @cvar protocolClass: the class of the protocol.
    @cvar portClass: the class of the port over UDP.
    @cvar callback: the protocol's method that the port calls for each datagram.
    @ivar protocol: the protocol of the ports that the test opens.
    """

    protocolClass: type[UpperDatagrams] = UpperDatagrams
    portClass: type[UDPPort] = UDPPort
    callback = "datagramReceived"
    protocol: Any

    def setUp(self) -> None:
        """
        Make the protocol.
        """
        super().setUp()
        self.protocol = self.protocolClass()

    def react(self, reaction: Callable[[bytes, Callable[[], None]], object]) -> None:
        """
        Replace the protocol's reaction to datagrams; call this before L{listen}.

        @param reaction: called with each datagram and a function that replies to it.
        """
        original = getattr(self.protocol, self.callback)
        setattr(self.protocol, self.callback, lambda datagram, to: reaction(datagram, lambda: original(datagram, to)))

    def listen(self, binding: Binding | str = "127.0.0.1", **faults: list[int]) -> DatagramPort:
        """
        Listen.

        @param binding: a binding, or an IP address for a free UDP port.
        @param faults: the errors of the first calls of socket methods.
        """
        (opened,) = openSockets(InetBinding(Transport.UDP, 0, binding) if isinstance(binding, str) else binding)
        return self.adopt(BoundSocket(FailingSocket(opened.socket, **faults), opened.path, opened.inode))  # type: ignore[arg-type]

    def adopt(self, opened: BoundSocket) -> DatagramPort:
        """
        Listen on a bound socket. This stops the port before it, because a protocol has one transport.
        """
        if self.protocol.transport is not None:
            self.protocol.transport.stopListening()
        isUnix = opened.socket.family == socket.AF_UNIX
        port = DatagramPort(opened, self.protocol, self.reactor) if isUnix else self.makePort(opened)
        port.startListening()
        port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.addCleanup(port.stopListening)
        return port

    def makePort(self, opened: BoundSocket) -> UDPPort:
        """
        Make a port over UDP.
        """
        return self.portClass(opened, self.protocol, self.reactor)

    def client(self, port: DatagramPort, host: str | None = None) -> socket.socket:
        """
        A client that is connected to the port: it receives only datagrams that leave from this address.

        @param host: an address of the port other than the one that it is bound to.
        """
        bound: Any = port.getHost()
        host = host or bound.host
        client: socket.socket = self.closeLater(udpSocket("::" if ":" in host else "0.0.0.0"))
        client.connect((host, bound.port))
        return client

    def unixClient(self, port: DatagramPort, name: str | bytes | None = None) -> socket.socket:
        """
        A client on a Unix socket.

        @param name: the path of the client.
        """
        client: socket.socket = self.closeLater(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        client.setblocking(False)
        if name is not None:
            client.bind(name)
        client.connect(port.socket.getsockname())
        return client

    def arrived(self, client: socket.socket) -> list[bytes]:
        """
        All replies that have arrived at a client.
        """
        replies = []
        try:
            while True:
                replies.append(client.recv(65536))
        except BlockingIOError:
            return replies

    def exchange(self, client: socket.socket, *datagrams: bytes, turns: int = 1) -> list[bytes]:
        """
        Send datagrams, and iterate the reactor. @return: the replies.
        """
        for datagram in datagrams:
            client.send(datagram)
        self.turn(turns)
        return self.arrived(client)

    def assertServed(self, client: socket.socket, datagram: bytes = b"hello") -> None:
        """
        Check that a client gets a reply.
        """
        (reply,) = self.exchange(client, datagram)
        self.assertEqual(len(reply), len(datagram))
        self.assertTrue(reply == datagram.upper())

    def assertAnswered(self, *conversations: tuple[socket.socket, list[bytes]]) -> None:
        """
        Check that clients, which send in turn, receive exactly their own replies in order.
        """
        for number in range(max(len(datagrams) for _, datagrams in conversations)):
            for client, datagrams in conversations:
                for datagram in datagrams[number : number + 1]:
                    client.send(datagram)
        self.turn()
        for client, datagrams in conversations:
            replies = self.arrived(client)
            self.assertEqual([len(reply) for reply in replies], [len(datagram) for datagram in datagrams])
            self.assertTrue(replies == [datagram.upper() for datagram in datagrams])


class RefusingSender(BatchSender):
    """
    Sends batches of datagrams of any number, and refuses some.

    @ivar refusals: for each of the next calls, the error numbers of the messages that it refuses, by index.
    @ivar calls: for each call, the number of messages.
    """

    minMessages = 1

    def __init__(self, family: int) -> None:
        super().__init__(family)
        self.refusals: list[dict[int, int]] = []
        self.calls: list[int] = []

    def send(  # noqa: D102
        self,
        descriptor: int,
        names: Sequence[bytes],
        controls: Sequence[bytes],
        datagrams: Sequence[bytes],
        refused: Callable[[int, OSError], object],
    ) -> None:
        self.calls.append(len(names))
        errors = self.refusals.pop(0) if self.refusals else {}
        begin = 0
        for end in (*sorted(errors), len(names)):
            part = slice(begin, end)

            def refusePart(index: int, error: OSError, begin: int = begin) -> None:
                refused(begin + index, error)

            if begin < end:
                super().send(descriptor, names[part], controls[part], datagrams[part], refusePart)
            if end in errors:
                refused(end, OSError(errors[end], os.strerror(errors[end])))
            begin = end + 1


class BatchCase(DatagramPortCase):
    """
    A test of L{BatchedUDPPort}.

    @ivar sender: the sender of the latest port.
    """

    if recvmmsg is None:
        skip = "this system has no recvmmsg()"

    protocolClass = BatchedUpper
    callback = "requestReceived"
    sender: RefusingSender

    def makePort(self, opened: BoundSocket) -> UDPPort:
        """
        Make a port whose sender can refuse datagrams.
        """
        self.sender = RefusingSender(opened.family)
        return BatchedUDPPort(opened, self.protocol, self.reactor, self.sender)
