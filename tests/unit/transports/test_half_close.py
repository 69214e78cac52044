"""
Half-close of connections.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.error import ConnectionDone

from tests.support.stream_ports import LONG, ConnectionCase, HalfCloseRecorder, UnixCase


class HalfCloseTests(ConnectionCase):
    """
    Half-close of TCP connections.
    """

    protocolClass = HalfCloseRecorder

    def test_peersFin(self) -> None:
        """
        C{readConnectionLost} is called once for the peer's FIN. The protocol may still write.
        """
        client, protocol, transport = self.openConnection()
        client.sendall(b"hello")
        client.shutdown(socket.SHUT_WR)
        self.waitForEvents(protocol)
        self.turn(5)
        self.assertEqual(protocol.events, ["read"])
        transport.write(b" more")
        self.assertEqual(self.receive(client, 10), b"HELLO more")
        transport.loseConnection()
        self.assertEqual((self.receiveAll(client), protocol.events), (b"", ["read", ConnectionDone]))

    def test_loseWriteConnection(self) -> None:
        """
        Pending output is sent, then a FIN. Input still arrives. C{writeConnectionLost} is called once, and not
        re-entrantly.
        """
        for data in (b"hello", b"much " * (LONG // 5)):
            client, protocol, transport = self.openConnection()
            transport.write(data)
            transport.loseWriteConnection()
            transport.loseWriteConnection()
            self.assertEqual(protocol.events, [])
            self.assertTrue(self.receiveAll(client) == data)
            self.turn(5)
            self.assertEqual(protocol.events, ["write"])
            transport.write(b"late")
            client.sendall(b"hello")
            self.segmentSizes(protocol, 5)
            client.close()
            self.assertEqual(self.waitForEvents(protocol, 2), ["write", "read"])
            transport.loseConnection()
            self.turn()
            self.assertEqual(protocol.events, ["write", "read", ConnectionDone])

    def test_loseWriteConnectionInACallback(self) -> None:
        """
        The same holds for C{loseWriteConnection} from C{dataReceived}.
        """
        during: list[Any] = []

        def received(protocol: HalfCloseRecorder, data: bytes) -> None:
            protocol.transport.write(data)
            protocol.transport.loseWriteConnection()
            during.extend(protocol.events)

        self.received = received
        client, protocol, _ = self.openConnection()
        client.sendall(b"hello")
        self.assertEqual((self.receiveAll(client), during, protocol.events), (b"hello", [], ["write"]))

    def test_closeAfterAHalfClose(self) -> None:
        """
        A connection can be closed after a half-close by either side.
        """
        for half in ("read", "write"):
            client, protocol, transport = self.openConnection()
            if half == "read":
                client.shutdown(socket.SHUT_WR)
            else:
                transport.loseWriteConnection()
            self.waitForEvents(protocol)
            transport.loseConnection()
            self.turn(2)
            self.assertEqual((protocol.events, self.receiveAll(client)), ([half, ConnectionDone], b""))

    def test_callbackRaises(self) -> None:
        """
        A protocol that raises in C{readConnectionLost} or C{writeConnectionLost} loses its connection.
        """

        def fail() -> None:
            raise ZeroDivisionError("on purpose")

        for callback in ("readConnectionLost", "writeConnectionLost"):
            client, protocol, transport = self.openConnection()
            setattr(protocol, callback, fail)
            if callback == "readConnectionLost":
                client.close()
            else:
                transport.loseWriteConnection()
            self.assertEqual(self.waitForEvents(protocol), [ZeroDivisionError])
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class UnixHalfCloseTests(UnixCase, HalfCloseTests):
    """
    The same over Unix sockets.
    """
