"""
How much of what was written has not reached the peer's host.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Server
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from sockservices.transports.unacked import unackedBytes
from tests.support.loop import LoopCase


def connection(connected: socket.socket, reactor: Any) -> Any:
    """
    A transport of Twisted's over a connected socket.
    """
    port: Any = None
    return Server(connected, Protocol(), ("", 0), port, 1, reactor)


class BufferTests(SynchronousTestCase):
    """
    User-space buffers.
    """

    def test_closedSocket(self) -> None:
        """
        Only buffered bytes count when the socket is closed.
        """
        near, far = socket.socketpair()
        self.addCleanup(far.close)
        transport = connection(near, MemoryReactorClock())
        transport.write(b"abc")
        near.close()
        self.assertEqual(unackedBytes(transport), 3)

    def test_allOfTwistedsBuffers(self) -> None:
        """
        Data in both buffers of Twisted's transport counts, without the part that was sent.
        """
        near, far = socket.socketpair()
        self.addCleanup(near.close)
        self.addCleanup(far.close)
        transport = connection(near, MemoryReactorClock())
        transport.write(b"a" * 10)
        transport.write(b"b" * 5)
        self.assertEqual(unackedBytes(transport), 15)
        transport.dataBuffer, transport.offset = b"c" * 100, 60
        self.assertEqual(unackedBytes(transport), 55)


class KernelTests(LoopCase):
    """
    Bytes in the kernel (SIOCOUTQ).
    """

    def transport(self, server: socket.socket) -> Any:
        """
        A transport that is disconnected after the test.
        """
        server.setblocking(False)
        transport = connection(self.keep(server), self.reactor)
        self.addCleanup(transport.stopReading)
        self.addCleanup(transport.stopWriting)
        return transport

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """
        Two ends of a TCP connection.
        """
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = self.connect(listener.getsockname())
            return listener.accept()[0], client

    def test_tcpUnreadBytesAreAcked(self) -> None:
        """
        Bytes that the peer's kernel has acknowledged do not count, although the peer has not read them.
        """
        server, client = self.pair()
        transport = self.transport(server)
        transport.write(b"words")
        self.until(lambda: unackedBytes(transport) == 0)
        self.assertEqual(self.hear(client, 5), b"words")

    def test_tcpUnackedBytesCount(self) -> None:
        """
        Bytes beyond the peer's receive window count until the peer reads.
        """
        server, client = self.pair()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        transport = self.transport(server)
        size = 4 * 2**20
        transport.write(bytes(size))
        self.turn(50)
        sent = size - len(transport.dataBuffer) + transport.offset - transport._tempDataLen
        self.assertGreater(sent, 0)
        self.assertGreater(unackedBytes(transport), size - sent, "only what is in user space is seen")
        self.assertLess(unackedBytes(transport), size)
        self.assertEqual(len(self.hear(client, size)), size)
        self.until(lambda: unackedBytes(transport) == 0)

    def test_unixUnreadBytesCount(self) -> None:
        """
        On a Unix socket bytes count until the peer reads them.
        """
        server, client = socket.socketpair()
        self.keep(client)
        transport = self.transport(server)
        transport.write(b"words")
        self.turn(2)
        self.assertGreater(unackedBytes(transport), 0)
        self.assertEqual(self.hear(client, 5), b"words")
        self.assertEqual(unackedBytes(transport), 0)
