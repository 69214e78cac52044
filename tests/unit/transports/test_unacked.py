"""
Output that has not reached the peer's host.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Server
from twisted.internet.testing import MemoryReactorClock

from sockservices.transports.unacked import unackedBytes
from tests.support.loop import LoopCase


class UnackedTests(LoopCase):
    """
    L{unackedBytes} of Twisted's own transports: bytes in user space, and in the kernel (SIOCOUTQ).
    """

    def transport(self, server: socket.socket, reactor: Any) -> Any:
        """
        A transport over a connected socket.
        """
        port: Any = None
        server.setblocking(False)
        transport = Server(self.closeLater(server), Protocol(), ("", 0), port, 1, reactor)
        self.addCleanup(transport.stopReading)
        self.addCleanup(transport.stopWriting)
        return transport

    def test_userSpace(self) -> None:
        """
        Data in both buffers of the transport counts, without the part that was sent, also when the socket is closed.
        """
        server, _ = map(self.closeLater, socket.socketpair())
        transport = self.transport(server, MemoryReactorClock())
        transport.write(b"a" * 10)
        transport.write(b"b" * 5)
        self.assertEqual(unackedBytes(transport), 15)
        transport.dataBuffer, transport.offset = b"c" * 100, 60
        self.assertEqual(unackedBytes(transport), 55)
        server.close()
        self.assertEqual(unackedBytes(transport), 55)

    def test_tcp(self) -> None:
        """
        Bytes that the peer's kernel has acknowledged do not count, although the peer has not read them. Bytes beyond
        the peer's receive window count until the peer reads.
        """
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = self.connect(listener.getsockname())
            server, _ = listener.accept()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        transport = self.transport(server, self.reactor)
        transport.write(b"hello")
        self.until(lambda: unackedBytes(transport) == 0)
        self.assertEqual(self.receive(client, 5), b"hello")
        size = 4 * 2**20
        transport.write(bytes(size))
        self.turn(50)
        buffered = len(transport.dataBuffer) - transport.offset + transport._tempDataLen
        self.assertTrue(buffered < unackedBytes(transport) < size, "expected bytes in user space and in the kernel")
        self.assertEqual(len(self.receive(client, size)), size)
        self.until(lambda: unackedBytes(transport) == 0)

    def test_unix(self) -> None:
        """
        On a Unix socket bytes count until the peer reads them.
        """
        server, client = socket.socketpair()
        transport = self.transport(server, self.reactor)
        transport.write(b"hello")
        self.turn(2)
        self.assertGreater(unackedBytes(transport), 0)
        self.assertEqual(self.receive(self.closeLater(client), 5), b"hello")
        self.assertEqual(unackedBytes(transport), 0)
