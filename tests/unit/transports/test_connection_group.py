"""
Connections of one port, which share a poll group.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from sockservices.transports.connection import Connection
from tests.support.loop import descriptors
from tests.support.sockets import closeWithReset
from tests.support.stream_ports import LONG, ConnectionCase, StreamRecorder, UnixCase, UpperStream


def lose(transport: Any) -> None:
    """
    Lose a connection.
    """
    transport.connectionLost(Failure(ConnectionLost()))


class SameTurnTests(ConnectionCase):
    """
    Connections that are ready in the same turn of the reactor.
    """

    def test_pausedByAnother(self) -> None:
        """
        A connection that another one pauses receives nothing until it is resumed.
        """

        def received(protocol: StreamRecorder, data: bytes) -> None:
            for other in self.factory.made:
                if other is not protocol:
                    other.transport.pauseProducing()

        self.received = received
        port = self.listen(self.binding())
        opened = [self.openConnection(port) for _ in range(2)]
        for client, _, _ in opened:
            client.sendall(b"hello")
        self.turn(5)
        segments = [protocol.segments for _, protocol, _ in opened]
        self.assertEqual(segments, [[b"hello"], []])
        opened[1][2].resumeProducing()
        self.until(lambda: segments[1])

    def test_closedByAnother(self) -> None:
        """
        A connection that another one closes, aborts or loses delivers no further input.
        """
        ends: tuple[Callable[[Any], None], ...] = (Connection.loseConnection, Connection.abortConnection, lose)
        for end in ends:
            port = self.listen(self.binding())
            client, _, _ = self.openConnection(port)
            other, protocol, transport = self.openConnection(port)

            def received(*_: object, end: Callable[[Any], None] = end, transport: Any = transport) -> None:
                end(transport)

            self.received = received
            client.sendall(b"hello")
            other.sendall(b"hello")
            self.waitForEvents(protocol)
            self.turn(3)
            self.assertEqual((protocol.segments, len(protocol.events)), ([], 1))
            port.stopListening()


class UnixSameTurnTests(UnixCase, SameTurnTests):
    """
    The same over Unix sockets.
    """


class GroupTests(ConnectionCase):
    """
    The poll group of a port.
    """

    def test_oneReader(self) -> None:
        """
        All connections of a port are one reader, whose descriptor is closed after the last one.
        """
        before = descriptors()
        port = self.listen()
        clients = [self.openConnection(port)[0] for _ in range(3)]
        for client in clients:
            self.assertServed(client)
        self.assertEqual(len(set(self.reactor.getReaders()) - self.reactor._internalReaders), 2)
        port.stopListening()
        for client in clients:
            self.assertServed(client)
            client.close()
        self.until(lambda: self.factory.made == self.factory.lost)
        self.assertQuiet()
        self.assertEqual(descriptors(), before)

    def test_reactorStops(self) -> None:
        """
        A reactor that stops disconnects the port and its connections.
        """
        before = descriptors()
        port = self.listen()
        clients = [self.openConnection(port)[0] for _ in range(3)]
        for reader in self.reactor.removeAll():
            reader.connectionLost(Failure(ConnectionLost()))
        self.assertEqual((len(self.factory.lost), self.factory.running), (3, 0))
        for client in clients:
            client.close()
        self.assertEqual((port.fileno(), descriptors()), (-1, before))
        self.assertQuiet()

    def test_busyPeersAreFair(self) -> None:
        """
        Peers that send without end delay neither another peer's reply nor a timer by more than two turns.
        """
        port = self.listen()
        idle = self.openConnection(port)[0]
        busy = [self.openConnection(port)[0] for _ in range(3)]
        self.received = lambda protocol, data: None if data[:1] == b"\0" else UpperStream.dataReceived(protocol, data)
        calls: list[None] = []
        for client in busy:
            with contextlib.suppress(BlockingIOError):
                while client.send(bytes(1 << 20)):
                    pass
        idle.sendall(b"hello")
        self.reactor.callLater(0, calls.append, None)
        self.turn(2)
        self.assertEqual((idle.recv(5), calls), (b"HELLO", [None]))

    def test_pausedAfterTheStop(self) -> None:
        """
        The last connection of a stopped port may pause and resume within one call.
        """
        lowest = os.open(os.devnull, os.O_RDONLY)

        def received(protocol: StreamRecorder, data: bytes) -> None:
            protocol.transport.pauseProducing()
            os.close(lowest)
            protocol.transport.resumeProducing()
            self.received = UpperStream.dataReceived
            protocol.transport.write(data.upper())

        self.received = received
        port = self.listen()
        client, protocol, _ = self.openConnection(port)
        port.stopListening()
        self.assertServed(client)
        self.turn(3)
        self.assertEqual(protocol.events, [])
        self.assertServed(client)

    def test_descriptorIsReused(self) -> None:
        """
        An event of a lost connection is not delivered to a new one with the same descriptor number.
        """
        for writing in (False, True):
            port = self.listen()
            client, _, _ = self.openConnection(port)
            peer, lost, transport = self.openConnection(port)
            server, newClient = map(self.closeLater, socket.socketpair())
            newClient.setblocking(False)
            new = self.build(None)
            if writing:
                transport.pauseProducing()
                transport.write(bytes(LONG))
                self.turn(5)

            def replace(
                *_: Any, port: Any = port, transport: Any = transport, new: Any = new, server: Any = server
            ) -> None:
                number = transport.fileno()
                lose(transport)
                reused = socket.socket(fileno=os.dup2(server.fileno(), number))
                server.close()
                new.makeConnection(Connection(reused, new, port.getHost(), port, 99))
                if writing:  # noqa: B023 (it is called within this round)
                    new.transport.write(bytes(LONG))
                self.received = UpperStream.dataReceived

            self.received = replace
            client.sendall(b"hello")
            closeWithReset(peer)
            self.turn()
            self.assertEqual((len(lost.events), new.segments, new.events), (1, [], []))
            newClient.sendall(b"hello")
            self.assertTrue(self.receive(newClient, LONG * writing + 5).endswith(b"HELLO"))
            port.stopListening()
