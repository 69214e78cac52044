"""
Stream transports that write at once: closing, buffering and the size of reads.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableDescriptor,
    IPushProducer,
    ITCPTransport,
    IUNIXTransport,
)
from zope.interface.verify import verifyObject

from sockservices.transports.unacked import userspaceBytes
from tests.support.sockets import closeWithReset
from tests.support.stream_ports import LONG, ConnectionCase, StreamRecorder, UnixCase, UpperStream

#: The maximum of a read plus the buffered output, in bytes.
MAX_BUFFER = 131072

#: The minimum size of a read, in bytes.
MIN_READ = 4096


class StreamTests(ConnectionCase):
    """
    Behaviour of TCP and Unix connections.
    """

    interface: Any = ITCPTransport

    def test_interfaces(self) -> None:
        """
        A connection provides the interfaces of Twisted's own.
        """
        _, _, transport = self.openConnection()
        for interface in (self.interface, IConsumer, IPushProducer, IHalfCloseableDescriptor):
            verifyObject(interface, transport)

    def test_write(self) -> None:
        """
        The pieces of a sequence are written in their order. Writing C{b""} has no effect. Data of another type than
        bytes raises TypeError.
        """
        client, _, transport = self.openConnection()
        transport.write(b"")
        transport.writeSequence([b"a", b"", b"bc"])
        transport.writeSequence([])
        self.assertEqual(self.receive(client, 3), b"abc")
        for data in ("text", None, bytearray(b"bytes"), memoryview(b"bytes")):
            self.assertRaises(TypeError, transport.write, data)
        self.assertRaises(TypeError, transport.writeSequence, ["text"])
        self.assertServed(client)

    def test_writeAfterClose(self) -> None:
        """
        Writing after C{loseConnection}, or when the connection is lost, raises nothing. Closing again has no effect.
        """
        client, protocol, transport = self.openConnection()
        transport.write(b"hello")
        for close in (transport.loseWriteConnection, *[transport.loseConnection] * 3):
            close()
        transport.write(b"")
        self.assertEqual((self.receiveAll(client), protocol.events), (b"hello", [ConnectionDone]))
        transport.write(b"more")
        transport.writeSequence([b"more"])
        transport.loseConnection()
        transport.abortConnection()
        self.turn()
        self.assertEqual(protocol.events, [ConnectionDone])

    def test_writeToAClosedPeer(self) -> None:
        """
        A failed write does not call the protocol. The reactor reports the loss.
        """
        client, protocol, transport = self.openConnection()
        closeWithReset(client)
        transport.write(b"hello")
        transport.write(b"hello")
        self.assertEqual(protocol.events, [])
        self.assertEqual(len(self.waitForEvents(protocol)), 1)

    def test_closeAfterWrite(self) -> None:
        """
        Data written before C{loseConnection} arrives in full, then the end of the stream. C{connectionLost} is not
        called re-entrantly.
        """
        for data in (b"hello", b"much " * (LONG // 5)):
            during: list[Any] = []

            def received(protocol: StreamRecorder, _: bytes, data: bytes = data, during: list[Any] = during) -> None:
                protocol.transport.write(data)
                protocol.transport.loseConnection()
                during.extend(protocol.events)

            self.received = received
            client, protocol, _ = self.openConnection()
            client.sendall(b"hello")
            self.assertTrue(self.receiveAll(client) == data)
            self.assertEqual((during, protocol.events), ([], [ConnectionDone]))

    def test_closeFromOutside(self) -> None:
        """
        C{loseConnection} from outside a callback, or from another connection's, does not call C{connectionLost}
        re-entrantly. Its reason is ConnectionDone, as for the peer's close.
        """
        port = self.listen(self.binding())
        for byPeer in (False, True):
            client, protocol, transport = self.openConnection(port)
            (client.close if byPeer else transport.loseConnection)()
            self.assertEqual(protocol.events, [])
            self.assertEqual(self.waitForEvents(protocol), [ConnectionDone])

        _, protocol, transport = self.openConnection(port)
        during: list[Any] = []

        def received(_: StreamRecorder, data: bytes) -> None:
            transport.loseConnection()
            during.extend(protocol.events)

        self.received = received
        self.openConnection(port)[0].sendall(b"hello")
        self.waitForEvents(protocol)
        self.assertEqual((during, protocol.events), ([], [ConnectionDone]))

    def test_abort(self) -> None:
        """
        C{abortConnection} ends the connection at once and discards pending and later output. C{connectionLost} is not
        called re-entrantly.
        """
        for pending in (b"", bytes(LONG)):
            client, protocol, transport = self.openConnection()
            transport.write(pending)
            transport.abortConnection()
            transport.abortConnection()
            transport.loseConnection()
            transport.write(b"late")
            self.assertEqual(protocol.events, [])
            self.turn()
            self.assertEqual(protocol.events, [ConnectionAborted])
            with contextlib.suppress(ConnectionResetError):
                output = self.receiveAll(client)
                self.assertLess(len(output), len(pending) or 1)
                self.assertFalse(output.endswith(b"late"))

    def test_protocolRaises(self) -> None:
        """
        A protocol that raises any exception loses its own connection and no other. The log has the traceback.
        """
        for error in (ZeroDivisionError, SystemExit):

            def received(protocol: StreamRecorder, data: bytes, error: type[BaseException] = error) -> None:
                if data == b"fail":
                    raise error("on purpose")
                UpperStream.dataReceived(protocol, data)

            self.received = received
            port = self.listen(self.binding())
            others = [self.openConnection(port)[0]]
            client, protocol, _ = self.openConnection(port)
            others.append(self.openConnection(port)[0])
            client.sendall(b"fail")
            for other in others:
                self.assertServed(other)
            self.assertEqual(self.waitForEvents(protocol), [error])
            self.assertEqual(len(self.flushLoggedErrors(error)), 1)
            self.assertServed(self.openConnection(port)[0])

    def test_replyWithinOneTurn(self) -> None:
        """
        The peer has the reply, or the reply and the end of the stream, after one turn of the reactor, without a wait
        for EPOLLOUT. The return value of C{dataReceived} is ignored.
        """

        def reply(protocol: StreamRecorder, data: bytes) -> Deferred[None]:
            protocol.transport.write(data.upper())
            return Deferred()

        def close(protocol: StreamRecorder, data: bytes) -> None:
            protocol.transport.write(data)
            protocol.transport.loseConnection()

        port: Any = self.listen(self.binding())
        client, protocol, _ = self.openConnection(port)
        self.received = reply
        for _ in range(3):
            client.sendall(b"hello")
            self.turn()
            self.assertEqual(client.recv(5), b"HELLO")
            self.assertEqual((self.reactor.getWriters(), port.group._writers), ([], {}))
        self.received = close
        client.sendall(b"hello")
        self.turn()
        self.assertEqual((client.recv(9), client.recv(9), protocol.events), (b"hello", b"", [ConnectionDone]))

    def test_outputIsInOrder(self) -> None:
        """
        Data written while earlier data is buffered follows it.
        """
        client, _, transport = self.openConnection()
        data = os.urandom(LONG)
        output = b""
        transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        for start in range(0, LONG, 70000):
            transport.write(data[start : start + 70000])
            with contextlib.suppress(BlockingIOError):
                # It makes room.
                output += client.recv(35000)
        self.assertGreater(userspaceBytes(transport), 0)
        self.assertTrue(output + self.receive(client, LONG - len(output)) == data)

    def test_readSizeAdapts(self) -> None:
        """
        The size of reads grows when a read is filled, up to 128 KiB, and shrinks when little arrives.
        """
        self.received = lambda protocol, data: None
        client, protocol, _ = self.openConnection()
        for _ in range(2):
            protocol.segments.clear()
            client.sendall(bytes(30000))
            self.assertEqual(self.segmentSizes(protocol, 30000), [MIN_READ, MIN_READ * 4, 30000 - MIN_READ * 5])
            for count in range(1, 9):
                client.sendall(b"!")
                self.segmentSizes(protocol, 30000 + count)
        self.sendAll(client, bytes(LONG))
        self.assertTrue(MIN_READ < max(self.segmentSizes(protocol, LONG)) <= MAX_BUFFER)


class UnixStreamTests(UnixCase, StreamTests):
    """
    The same over Unix sockets.
    """

    interface = IUNIXTransport


class TCPTests(ConnectionCase):
    """
    Behaviour of TCP connections: addresses, options, resets, and buffers when the test sets the size of the kernel's.
    """

    def test_attributes(self) -> None:
        """
        A connection knows both addresses, and its options can be set and read. Its repr and its log prefix have its
        serial number and the peer's address, also after it is lost.
        """
        port = self.listen()
        client, protocol, transport = self.openConnection(port)
        peer = transport.getPeer()
        self.assertEqual((transport.getHost(), (peer.host, peer.port)), (port.getHost(), client.getsockname()))
        self.assertEqual(transport.hostname, "127.0.0.1")
        for value in (True, False):
            transport.setTcpNoDelay(value)
            transport.setTcpKeepAlive(value)
            self.assertEqual((transport.getTcpNoDelay(), transport.getTcpKeepAlive()), (value, value))
        self.assertIn("StreamRecorder", repr(transport))
        self.assertEqual(transport.logPrefix(), f"StreamRecorder,{transport.sessionno},127.0.0.1")
        client.close()
        self.waitForEvents(protocol)
        self.assertIn(str(transport.sessionno), repr(transport))
        self.assertIn("127.0.0.1", transport.logPrefix())

    def test_reset(self) -> None:
        """
        C{abortConnection} sends a reset. The peer's reset is reported as ConnectionLost, also while reading is paused
        if output is pending.
        """
        client, _, transport = self.openConnection()
        transport.abortConnection()
        self.assertRaises(ConnectionResetError, self.receive, client)
        for paused in (False, True):
            client, protocol, transport = self.openConnection()
            if paused:
                transport.pauseProducing()
                transport.write(bytes(LONG))
                self.turn(5)
            closeWithReset(client)
            self.assertEqual(self.waitForEvents(protocol), [ConnectionLost])

    def fillBuffer(self, transport: Any, length: int) -> None:
        """
        Write until the buffer of a connection, whose peer does not read, holds C{length} bytes.
        """
        transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MIN_READ)
        while (missing := length - userspaceBytes(transport)) > 0:
            transport.write(bytes(missing))
            # The kernel may accept more.
            self.turn(5)

    def test_boundedMemory(self) -> None:
        """
        A read and the buffered output have at most 128 KiB together.
        """
        self.received = lambda protocol, data: sums.append(len(data) + userspaceBytes(protocol.transport))
        sums: list[int] = []
        client, protocol, transport = self.openConnection()
        self.fillBuffer(transport, 100000)
        self.sendAll(client, bytes(200000))
        self.segmentSizes(protocol, 200000)
        self.assertEqual(max(sums), MAX_BUFFER)

    def test_minimumReadSize(self) -> None:
        """
        A read has a size of at least 4096 bytes, for any amount of buffered output.
        """
        self.received = lambda protocol, data: None
        client, protocol, transport = self.openConnection()
        client.sendall(bytes(MIN_READ))
        self.segmentSizes(protocol, MIN_READ)
        self.fillBuffer(transport, MAX_BUFFER - MIN_READ - 100)
        client.sendall(b"!")
        self.segmentSizes(protocol, MIN_READ + 1)

        def allRead() -> bool:
            try:
                client.recv(MAX_BUFFER)
            except BlockingIOError:
                return not userspaceBytes(transport)
            return False

        self.until(allRead)
        client.sendall(bytes(MIN_READ))
        self.assertEqual(self.segmentSizes(protocol, 2 * MIN_READ + 1), [MIN_READ, 1, MIN_READ])
