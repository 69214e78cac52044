"""
Half-close of connections.
"""

from __future__ import annotations

import socket
from itertools import product

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
        re-entrantly, also for a call from C{dataReceived}.
        """
        for data, inCallback in product((b"hello", b"much " * (LONG // 5)), (False, True)):

            def halfClose(protocol: HalfCloseRecorder, _: bytes, data: bytes = data) -> None:
                protocol.transport.write(data)
                protocol.transport.loseWriteConnection()
                protocol.transport.loseWriteConnection()
                self.assertEqual(protocol.events, [])
                self.received = lambda protocol, _: protocol.transport.write(b"late")

            self.received = halfClose
            client, protocol, transport = self.openConnection()
            if inCallback:
                client.sendall(b"hello")
            else:
                halfClose(protocol, b"")
            self.assertTrue(self.receiveAll(client) == data)
            self.turn(5)
            self.assertEqual(protocol.events, ["write"])
            client.sendall(b"hello")
            self.segmentSizes(protocol, 5 + 5 * inCallback)
            client.close()
            self.assertEqual(self.waitForEvents(protocol, 2), ["write", "read"])
            transport.loseConnection()
            self.turn()
            self.assertEqual(protocol.events, ["write", "read", ConnectionDone])

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
