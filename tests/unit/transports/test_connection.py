"""
Stream transports that write at once, beside Twisted's own.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import twisted.test
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IFileDescriptorReceiver,
    IHalfCloseableDescriptor,
    IPushProducer,
    ISSLTransport,
    ITCPTransport,
    IUNIXTransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from sockservices.conversation.transport import Transport
from sockservices.transports.bindings import Binding, UnixBinding
from sockservices.transports.connection import Connection
from sockservices.transports.unacked import userspaceBytes
from tests.support.loop import descriptors
from tests.support.sockets import closeWithReset
from tests.support.stream_ports import ConnectionCase, HalfCloseRecorder, StreamRecorder, UpperStream

TCP, UDP, UNIX, UNIXGRAM = Transport

tls: ModuleType | None
try:
    import ssl

    from twisted.internet import ssl as tls
except ImportError:
    tls = None

#: More bytes than the kernel buffers for a peer that does not read.
LONG = 1 << 23

#: The maximum of a read plus the buffered output, in bytes.
MAX_BUFFER = 131072

#: The minimum size of a read, in bytes.
MIN_READ = 4096


@implementer(IFileDescriptorReceiver)
class Receiving(StreamRecorder):
    """
    A recorder that accepts descriptors.
    """

    def fileDescriptorReceived(self, descriptor: int) -> None:
        """
        Record the descriptor.
        """
        self.events.append(descriptor)


class Producer:
    """
    A producer that records the calls of its methods.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []

    def pauseProducing(self) -> None:
        """
        Record the call.
        """
        self.asked.append("pause")

    def resumeProducing(self) -> None:
        """
        Record the call.
        """
        self.asked.append("resume")

    def stopProducing(self) -> None:
        """
        Record the call.
        """
        self.asked.append("stop")


class PullProducer:
    """
    A pull producer that writes one piece for each call, and closes the connection after the last.
    """

    def __init__(self, transport: Any, pieces: list[bytes]) -> None:
        self._transport = transport
        self._pieces = pieces

    def resumeProducing(self) -> None:
        """
        Write the next piece, or close.
        """
        if self._pieces:
            self._transport.write(self._pieces.pop(0))
        else:
            self._transport.unregisterProducer()
            self._transport.loseConnection()

    def stopProducing(self) -> None:
        """
        Do nothing.
        """


class TCPTests(ConnectionCase):
    """
    What is specific to TCP connections.
    """

    def test_interfaces(self) -> None:
        """
        A connection provides the interfaces of Twisted's own.
        """
        _, _, transport = self.open()
        for interface in (ITCPTransport, IConsumer, IPushProducer, IHalfCloseableDescriptor):
            verifyObject(interface, transport)

    def test_addresses(self) -> None:
        """
        A connection knows both addresses.
        """
        port = self.listen()
        client, _, transport = self.open(port)
        peer = transport.getPeer()
        self.assertEqual((transport.getHost(), (peer.host, peer.port)), (port.getHost(), client.getsockname()))
        self.assertEqual(transport.hostname, "127.0.0.1")

    def test_options(self) -> None:
        """
        C{TCP_NODELAY} and C{SO_KEEPALIVE} can be set and read.
        """
        _, _, transport = self.open()
        for value in (True, False):
            transport.setTcpNoDelay(value)
            transport.setTcpKeepAlive(value)
            self.assertEqual((transport.getTcpNoDelay(), transport.getTcpKeepAlive()), (value, value))

    def test_logPrefix(self) -> None:
        """
        The repr and the log prefix name the protocol and the serial number.
        """
        _, _, transport = self.open()
        self.assertIn("StreamRecorder", repr(transport))
        self.assertEqual(transport.logPrefix(), f"StreamRecorder,{transport.sessionno},127.0.0.1")

    def test_logPrefixAfterTheEnd(self) -> None:
        """
        They do so after the connection is lost, too.
        """
        client, protocol, transport = self.open()
        client.close()
        self.waitForEvents(protocol)
        self.assertIn(str(transport.sessionno), repr(transport))
        self.assertIn("127.0.0.1", transport.logPrefix())


class StreamTests(ConnectionCase):
    """
    What TCP and Unix connections have in common.
    """

    def test_writeSequence(self) -> None:
        """
        The pieces of a sequence are written in their order.
        """
        client, _, transport = self.open()
        transport.writeSequence([b"a", b"", b"bc"])
        transport.writeSequence([])
        self.assertEqual(self.hear(client, 3), b"abc")

    def test_writeRejectsOtherTypes(self) -> None:
        """
        C{write} raises TypeError for anything but bytes.
        """
        client, _, transport = self.open()
        for data in ("text", None, bytearray(b"bytes"), memoryview(b"bytes")):
            self.assertRaises(TypeError, transport.write, data)
        self.assertRaises(TypeError, transport.writeSequence, ["text"])
        self.assertServed(client)

    def test_writeNothing(self) -> None:
        """
        Writing C{b""} does nothing.
        """
        client, _, transport = self.open()
        transport.write(b"")
        self.assertServed(client)

    def test_writeAfterTheEnd(self) -> None:
        """
        Writing after C{loseConnection}, or when the connection is lost, raises nothing.
        """
        client, protocol, transport = self.open()
        transport.write(b"words")
        transport.loseConnection()
        transport.write(b"")
        self.assertEqual(self.restOf(client), b"words")
        self.assertEqual(protocol.events, [ConnectionDone])
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
        client, protocol, transport = self.open()
        closeWithReset(client)
        transport.write(b"words")
        transport.write(b"words")
        self.assertEqual(protocol.events, [])
        self.waitForEvents(protocol)
        self.assertEqual(len(protocol.events), 1)

    def test_moreThanTheKernelBuffers(self) -> None:
        """
        Data beyond the kernel's buffers arrives whole and in order. A push producer is paused until it is written.
        """
        client, _, transport = self.open()
        producer = Producer()
        data = os.urandom(LONG)
        transport.registerProducer(producer, True)
        transport.write(data[:-5])
        self.assertEqual(producer.asked, ["pause"])
        transport.write(data[-5:])
        self.turn(5)
        self.assertTrue(self.hear(client, LONG) == data)
        self.assertEqual((producer.asked[-1], producer.asked.count("resume")), ("resume", 1))
        transport.unregisterProducer()
        self.assertServed(client)

    def test_producerStopped(self) -> None:
        """
        C{stopProducing} is called when the connection is lost.
        """
        client, protocol, transport = self.open()
        producer = Producer()
        transport.registerProducer(producer, True)
        client.close()
        self.waitForEvents(protocol)
        self.assertEqual(producer.asked, ["stop"])

    def test_pullProducer(self) -> None:
        """
        A pull producer is resumed when the last piece is written, and not earlier. It may close the connection.
        """
        client, _, transport = self.open()
        transport.registerProducer(PullProducer(transport, [b"piece" * 2000] * 300), False)
        self.turn(5)
        self.assertLess(userspaceBytes(transport), MAX_BUFFER)
        self.assertTrue(self.restOf(client) == b"piece" * 2000 * 300)

    def test_closeWaitsForThePullProducer(self) -> None:
        """
        C{loseConnection} waits until a pull producer has unregistered.
        """
        for pieces in ([b"a", b"b"], [b"", b"a", b"b"]):
            client, _, transport = self.open()
            transport.registerProducer(PullProducer(transport, pieces), False)
            transport.loseConnection()
            self.assertEqual(self.restOf(client), b"ab")

    def test_paused(self) -> None:
        """
        A paused connection delivers nothing until it is resumed.
        """
        client, protocol, transport = self.open()
        transport.pauseProducing()
        client.sendall(b"words")
        self.turn(5)
        self.assertEqual(protocol.segments, [])
        transport.resumeProducing()
        self.assertEqual(self.hear(client, 5), b"WORDS")

    def test_closeAfterWrite(self) -> None:
        """
        Data written before C{loseConnection} arrives in full, then the end of the stream. C{connectionLost} is not
        called re-entrantly.
        """
        for data in (b"words", b"much " * (LONG // 5)):
            inside: list[Any] = []

            def received(protocol: StreamRecorder, _: bytes, data: bytes = data, inside: list[Any] = inside) -> None:
                transport: Any = protocol.transport
                transport.write(data)
                transport.loseConnection()
                inside.extend(protocol.events)

            self.received = received
            client, protocol, _ = self.open()
            client.sendall(b"now")
            self.assertTrue(self.restOf(client) == data)
            self.assertEqual((inside, protocol.events), ([], [ConnectionDone]))

    def test_closeFromOutside(self) -> None:
        """
        C{loseConnection} from outside a callback, or from another connection's, does not call C{connectionLost}
        re-entrantly.
        """
        port = self.listen(self.binding())
        _, protocol, transport = self.open(port)
        transport.loseConnection()
        self.assertEqual(protocol.events, [])
        self.waitForEvents(protocol)

        _, protocol, transport = self.open(port)
        inside: list[Any] = []

        def received(_: StreamRecorder, data: bytes) -> None:
            transport.loseConnection()
            inside.extend(protocol.events)

        self.received = received
        self.open(port)[0].sendall(b"now")
        self.waitForEvents(protocol)
        self.assertEqual((inside, protocol.events), ([], [ConnectionDone]))

    def test_repeatedClose(self) -> None:
        """
        Closing again has no effect.
        """
        client, protocol, transport = self.open()
        for close in (transport.loseWriteConnection, *[transport.loseConnection] * 3):
            close()
        self.assertEqual((self.restOf(client), protocol.events), (b"", [ConnectionDone]))

    def test_abort(self) -> None:
        """
        C{abortConnection} ends the connection at once and discards pending output. C{connectionLost} is not called
        re-entrantly.
        """
        client, protocol, transport = self.open()
        transport.write(bytes(LONG))
        transport.abortConnection()
        transport.abortConnection()
        transport.loseConnection()
        self.assertEqual(protocol.events, [])
        self.turn()
        self.assertEqual(protocol.events, [ConnectionAborted])
        with contextlib.suppress(ConnectionResetError):
            self.assertLess(len(self.restOf(client)), LONG)

    def test_writeAfterAbort(self) -> None:
        """
        Nothing is written after C{abortConnection}.
        """
        client, protocol, transport = self.open()
        transport.abortConnection()
        transport.write(b"late")
        try:
            output = client.recv(4)
        except BlockingIOError:
            output = b""
        self.assertEqual(output, b"")
        self.waitForEvents(protocol)

    def test_peerCloses(self) -> None:
        """
        The peer's close is reported as ConnectionDone.
        """
        client, protocol, _ = self.open()
        client.close()
        self.assertEqual(self.waitForEvents(protocol), [ConnectionDone])

    def test_protocolThatRaises(self) -> None:
        """
        A protocol that raises loses its own connection and no other. The log has the traceback.
        """

        def received(protocol: StreamRecorder, data: bytes) -> None:
            if data == b"fail":
                raise ZeroDivisionError("on purpose")
            UpperStream.dataReceived(protocol, data)

        self.received = received
        port = self.listen(self.binding())
        others = [self.open(port)[0]]
        client, protocol, _ = self.open(port)
        others.append(self.open(port)[0])
        client.sendall(b"fail")
        for other in others:
            self.assertServed(other)
        self.assertEqual(self.waitForEvents(protocol), [ZeroDivisionError])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_returnsDeferred(self) -> None:
        """
        The return value of C{dataReceived} is ignored.
        """

        def received(protocol: StreamRecorder, data: bytes) -> Deferred[None]:
            UpperStream.dataReceived(protocol, data)
            return Deferred()

        self.received = received
        client, _, _ = self.open()
        self.assertServed(client)
        self.assertServed(client)


class HalfCloseTests(ConnectionCase):
    """
    Half-close.
    """

    kind = HalfCloseRecorder

    def test_peersFin(self) -> None:
        """
        C{readConnectionLost} is called for the peer's FIN. The protocol may still write.
        """
        client, protocol, transport = self.open()
        client.sendall(b"words")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(self.waitForEvents(protocol), ["read"])
        transport.write(b" more")
        self.assertEqual(self.hear(client, 10), b"WORDS more")
        transport.loseConnection()
        self.assertEqual(self.restOf(client), b"")
        self.assertEqual(protocol.events, ["read", ConnectionDone])

    def test_loseWriteConnection(self) -> None:
        """
        Pending output is sent, then a FIN. Input still arrives. C{writeConnectionLost} is not called re-entrantly.
        """
        for data in (b"words", b"much " * (LONG // 5)):
            client, protocol, transport = self.open()
            transport.write(data)
            transport.loseWriteConnection()
            self.assertEqual(protocol.events, [])
            self.assertTrue(self.restOf(client) == data)
            self.assertEqual(protocol.events, ["write"])
            transport.write(b"late")
            client.sendall(b"heard")
            self.segments(protocol, 5)
            client.close()
            self.assertEqual(self.waitForEvents(protocol, 2), ["write", "read"])
            transport.loseConnection()
            self.turn()
            self.assertEqual(protocol.events, ["write", "read", ConnectionDone])

    def test_loseWriteConnectionInACallback(self) -> None:
        """
        The same holds for C{loseWriteConnection} from C{dataReceived}.
        """
        inside: list[Any] = []

        def received(protocol: HalfCloseRecorder, data: bytes) -> None:
            transport: Any = protocol.transport
            transport.write(data)
            transport.loseWriteConnection()
            inside.extend(protocol.events)

        self.received = received
        client, protocol, _ = self.open()
        client.sendall(b"words")
        self.assertEqual((self.restOf(client), inside, protocol.events), (b"words", [], ["write"]))

    def test_repeatedLoseWriteConnection(self) -> None:
        """
        C{writeConnectionLost} is called once.
        """
        client, protocol, transport = self.open()
        transport.loseWriteConnection()
        transport.loseWriteConnection()
        self.assertEqual(self.restOf(client), b"")
        self.turn(5)
        self.assertEqual(protocol.events, ["write"])

    def test_closeAfterAHalfClose(self) -> None:
        """
        A half-closed connection can be closed.
        """
        client, protocol, transport = self.open()
        transport.loseWriteConnection()
        self.waitForEvents(protocol)
        transport.loseConnection()
        self.assertEqual((protocol.events, self.restOf(client)), (["write", ConnectionDone], b""))

    def test_halfCloseCallbackThatRaises(self) -> None:
        """
        A protocol that raises in C{readConnectionLost} or C{writeConnectionLost} loses its connection.
        """

        def fail() -> None:
            raise ZeroDivisionError("on purpose")

        for half in ("readConnectionLost", "writeConnectionLost"):
            client, protocol, transport = self.open()
            setattr(protocol, half, fail)
            if half == "readConnectionLost":
                client.close()
            else:
                transport.loseWriteConnection()
            self.assertEqual(self.waitForEvents(protocol), [ZeroDivisionError])
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class ResetTests(ConnectionCase):
    """
    Resets, which only TCP has.
    """

    def test_abortResets(self) -> None:
        """
        C{abortConnection} sends a reset.
        """
        client, _, transport = self.open()
        transport.abortConnection()
        self.assertRaises(ConnectionResetError, self.hear, client)

    def test_peersReset(self) -> None:
        """
        The peer's reset is reported as ConnectionLost.
        """
        client, protocol, _ = self.open()
        closeWithReset(client)
        self.assertEqual(self.waitForEvents(protocol), [ConnectionLost])

    def test_peersResetWhilePaused(self) -> None:
        """
        A reset is reported although reading is paused, because output is pending.
        """
        client, protocol, transport = self.open()
        transport.pauseProducing()
        transport.write(bytes(LONG))
        self.turn(5)
        closeWithReset(client)
        self.assertEqual(self.waitForEvents(protocol), [ConnectionLost])


class BatchTests(ConnectionCase):
    """
    Connections that are ready in the same turn.
    """

    def test_pausedByAnother(self) -> None:
        """
        A connection that another one pauses in the same turn receives nothing until it is resumed.
        """

        def received(protocol: StreamRecorder, data: bytes) -> None:
            for other in self.factory.made:
                if other is not protocol:
                    other.transport.pauseProducing()  # type: ignore[union-attr]

        self.received = received
        port = self.listen(self.binding())
        opened = [self.open(port) for _ in range(2)]
        for client, _, _ in opened:
            client.sendall(b"words")
        self.turn(5)
        segments = [protocol.segments for _, protocol, _ in opened]
        self.assertEqual(segments, [[b"words"], []])
        opened[1][2].resumeProducing()
        self.until(lambda: segments[1])


class UnixCase(ConnectionCase):
    """
    A test of Unix stream connections.
    """

    def binding(self) -> Binding:
        """
        A new path for each listener.
        """
        return UnixBinding(UNIX, str(self.folder / f"{len(list(self.folder.iterdir()))}"))


class UnixStreamTests(UnixCase, StreamTests):
    """
    Unix stream connections.
    """


class UnixHalfCloseTests(UnixCase, HalfCloseTests):
    """
    Half-close of Unix stream connections.
    """


class UnixTests(UnixCase):
    """
    What is specific to Unix stream connections.
    """

    def test_interfaces(self) -> None:
        """
        A connection provides the interfaces of Twisted's own.
        """
        _, _, transport = self.open()
        for interface in (IUNIXTransport, IConsumer, IPushProducer, IHalfCloseableDescriptor):
            verifyObject(interface, transport)

    def test_noDelay(self) -> None:
        """
        The TCP options exist and have no effect.
        """
        _, _, transport = self.open()
        transport.setTcpNoDelay(True)
        self.assertFalse(transport.getTcpNoDelay())

    def test_sendDescriptors(self) -> None:
        """
        Descriptors are sent with the data that is written next, in their order.
        """
        client, _, transport = self.open()
        files = [self.keep((self.folder / f"file{count}").open("wb")) for count in range(3)]
        transport.write(b"0")
        for count, file in enumerate(files, 1):
            transport.sendFileDescriptor(file.fileno())
            transport.write(b"%d" % count)
        output = b""
        inodes = []

        def receive() -> bool:
            nonlocal output
            try:
                data, received, _, _ = socket.recv_fds(client, 10, 10)
            except BlockingIOError:
                return False
            output += data
            for descriptor in received:
                inodes.append(os.fstat(descriptor).st_ino)
                os.close(descriptor)
            return len(output) == 4

        self.until(receive)
        self.assertEqual((output, inodes), (b"0123", [os.fstat(file.fileno()).st_ino for file in files]))
        self.assertServed(client)

    def test_descriptorsDropped(self) -> None:
        """
        Received descriptors are closed if the protocol does not accept them.
        """
        for self.plain in (False, True):
            client, _, _ = self.open()
            before = descriptors()
            socket.send_fds(client, [b"words"], [client.fileno()] * 16)
            self.assertEqual((self.hear(client, 5), descriptors()), (b"WORDS", before))


class ImmediateIOTests(ConnectionCase):
    """
    What differs from Twisted's transports: C{write} sends at once, and the size of reads adapts.
    """

    def test_replyWithinOneTurn(self) -> None:
        """
        The peer has its reply after one turn of the reactor, without a wait for EPOLLOUT.
        """
        port = self.listen(self.binding())
        client, _, _ = self.open(port)
        for _ in range(3):
            client.sendall(b"words")
            self.turn()
            self.assertEqual(client.recv(5), b"WORDS")
            assert port.group is not None
            self.assertEqual((self.reactor.getWriters(), port.group._writers), ([], {}))

    def test_closeWithinOneTurn(self) -> None:
        """
        The peer has the reply and the end of the stream after one turn.
        """

        def received(protocol: StreamRecorder, data: bytes) -> None:
            transport: Any = protocol.transport
            transport.write(data)
            transport.loseConnection()

        self.received = received
        client, protocol, _ = self.open()
        client.sendall(b"words")
        self.turn()
        self.assertEqual((client.recv(9), client.recv(9), protocol.events), (b"words", b"", [ConnectionDone]))

    def test_outputIsInOrder(self) -> None:
        """
        Data written while earlier data is buffered follows it.
        """
        client, _, transport = self.open()
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
        self.assertTrue(output + self.hear(client, LONG - len(output)) == data)

    def test_readSizeAdapts(self) -> None:
        """
        The size of reads grows when a read is filled, and shrinks when little arrives.
        """
        self.received = lambda protocol, data: None
        client, protocol, _ = self.open()
        for _ in range(2):
            protocol.segments.clear()
            client.sendall(bytes(30000))
            self.assertEqual(self.segments(protocol, 30000), [MIN_READ, MIN_READ * 4, 30000 - MIN_READ * 5])
            for count in range(1, 9):
                client.sendall(b"!")
                self.segments(protocol, 30000 + count)

    def test_readSizeIsLimited(self) -> None:
        """
        A read has at most 128 KiB.
        """
        self.received = lambda protocol, data: None
        client, protocol, _ = self.open()
        self.send(client, bytes(LONG))
        longest = max(self.segments(protocol, LONG))
        self.assertTrue(MIN_READ < longest <= MAX_BUFFER, longest)

    def test_closedByAnother(self) -> None:
        """
        A connection that another one closes, aborts or loses in the same turn delivers no further input.
        """

        def lose(transport: Any) -> None:
            transport.connectionLost(Failure(ConnectionLost()))

        def close(transport: Any) -> None:
            transport.loseConnection()

        def abort(transport: Any) -> None:
            transport.abortConnection()

        for end in (lose, close, abort):
            port = self.listen(self.binding())
            client, _, _ = self.open(port)
            other, ended, transport = self.open(port)

            def received(
                protocol: StreamRecorder, data: bytes, end: Callable[[Any], None] = end, transport: Any = transport
            ) -> None:
                end(transport)

            self.received = received
            client.sendall(b"words")
            other.sendall(b"words")
            self.waitForEvents(ended)
            self.turn(3)
            self.assertEqual((ended.segments, len(ended.events)), ([], 1))
            port.stopListening()


class LimitTests(ConnectionCase):
    """
    Memory limits over TCP, where the test controls the size of the kernel's buffers.
    """

    def fillBuffer(self, transport: Any, length: int) -> None:
        """
        Fill the buffer of a connection whose peer does not read with so many bytes.
        """
        transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MIN_READ)
        while not userspaceBytes(transport):
            transport.write(bytes(MIN_READ))
        self.turn(5)
        transport.write(bytes(length - userspaceBytes(transport)))
        self.assertEqual(userspaceBytes(transport), length)

    def test_boundedMemory(self) -> None:
        """
        A read and the buffered output have at most 128 KiB together (invariant 2).
        """
        self.received = lambda protocol, data: sums.append(len(data) + userspaceBytes(protocol.transport))
        sums: list[int] = []
        client, protocol, transport = self.open()
        self.fillBuffer(transport, 100000)
        self.send(client, bytes(200000))
        self.segments(protocol, 200000)
        self.assertEqual(max(sums), MAX_BUFFER)

    def test_minimumReadSize(self) -> None:
        """
        A read asks for at least 4096 bytes, however much output was buffered.
        """
        self.received = lambda protocol, data: None
        client, protocol, transport = self.open()
        client.sendall(bytes(MIN_READ))
        self.segments(protocol, MIN_READ)
        self.fillBuffer(transport, MAX_BUFFER - MIN_READ - 100)
        client.sendall(b"!")
        self.segments(protocol, MIN_READ + 1)

        def allRead() -> bool:
            try:
                client.recv(MAX_BUFFER)
            except BlockingIOError:
                return not userspaceBytes(transport)
            return False

        self.until(allRead)
        client.sendall(bytes(MIN_READ))
        self.assertEqual(self.segments(protocol, 2 * MIN_READ + 1), [MIN_READ, 1, MIN_READ])

    def test_descriptorReusedInTheSameTurn(self) -> None:
        """
        An event of a lost connection is not delivered to a new one with the same descriptor number.
        """
        for writing in (False, True):
            port = self.listen()
            client, _, _ = self.open(port)
            other, gone, transport = self.open(port)
            near, far = map(self.keep, socket.socketpair())
            far.setblocking(False)
            fresh = self.build(None)

            def received(
                protocol: StreamRecorder,
                data: bytes,
                transport: Any = transport,
                near: Any = near,
                fresh: Any = fresh,
                port: Any = port,
            ) -> None:
                number = transport.fileno()
                transport.connectionLost(Failure(ConnectionLost()))
                reused = socket.socket(fileno=os.dup2(near.fileno(), number))
                near.close()
                fresh.makeConnection(Connection(reused, fresh, port.getHost(), port, 99))
                if writing:  # noqa: B023 (it is called within this round)
                    fresh.transport.write(bytes(LONG))
                self.received = UpperStream.dataReceived

            self.received = received
            if writing:
                transport.pauseProducing()
                transport.write(bytes(LONG))
                self.turn(5)
            client.sendall(b"words")
            closeWithReset(other)
            self.turn()
            self.assertEqual((len(gone.events), fresh.segments, fresh.events), (1, [], []))
            far.sendall(b"words")
            self.assertTrue(self.hear(far, LONG * writing + 5).endswith(b"WORDS"))
            port.stopListening()


class UnixImmediateIOTests(UnixCase, ImmediateIOTests):
    """
    Immediate input and output of Unix stream connections.
    """


class ReceivingTests(UnixCase):
    """
    Protocols that accept descriptors.
    """

    kind = Receiving

    def test_descriptorsReceived(self) -> None:
        """
        The protocol receives the descriptors.
        """
        client, protocol, _ = self.open()
        socket.send_fds(client, [b"words"], [client.fileno()] * 2)
        self.assertEqual(self.hear(client, 5), b"WORDS")
        for descriptor in protocol.events:
            with socket.socket(fileno=descriptor) as received:
                self.assertEqual(received.getpeername(), client.getpeername())
        self.assertEqual(len(protocol.events), 2)


class TLSTests(ConnectionCase):
    """
    C{startTLS}.
    """

    if tls is None:
        skip = "there is no TLS"

    def test_startTLS(self) -> None:
        """
        After C{startTLS} nothing is written in plain text, and data and the close pass over TLS.
        """
        certificate = str(Path(twisted.test.__file__).with_name("server.pem"))
        # Less than that is put off by Twisted until the global reactor turns.
        secret = os.urandom(70000)
        client, protocol, transport = self.open()

        def received(protocol: StreamRecorder, data: bytes) -> None:
            transport.write(b"plain")
            assert tls is not None
            transport.startTLS(tls.DefaultOpenSSLContextFactory(certificate, certificate))
            self.assertTrue(ISSLTransport.providedBy(transport))
            transport.write(secret)
            transport.writeSequence([secret, secret])

        self.received = received
        client.sendall(b"now")
        self.assertEqual(self.hear(client, 5), b"plain")
        self.turn(3)
        self.assertRaises(BlockingIOError, client.recv, 1)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        secure: Any = self.keep(context.wrap_socket(client, do_handshake_on_connect=False))

        def done(step: Callable[[], object]) -> Any:
            results: list[Any] = []

            def tried() -> bool:
                try:
                    results.append(step())
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    return False
                return True

            self.until(tried)
            return results[0]

        done(secure.do_handshake)
        output = b""
        while len(output) < 3 * len(secret):
            output += done(lambda: secure.recv(MAX_BUFFER))
        self.assertTrue(output == secret * 3)
        protocol.segments.clear()
        self.received = lambda protocol, data: transport.loseConnection()
        done(lambda: secure.send(b"words"))
        self.assertEqual((done(lambda: secure.recv(100)), protocol.segments), (b"", [b"words"]))
        secure.close()
        self.waitForEvents(protocol)
