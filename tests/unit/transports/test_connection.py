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

#: More than any kernel takes before the peer reads.
MUCH = 1 << 23

#: The most that is read at a time, less what is held.
MOST = 131072

#: The least.
MIN_READ = 4096


@implementer(IFileDescriptorReceiver)
class Receiving(StreamRecorder):
    """
    One that wants descriptors.
    """

    def fileDescriptorReceived(self, descriptor: int) -> None:
        """
        Note it.
        """
        self.events.append(descriptor)


class Producer:
    """
    One that notes what is asked of it.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []

    def pauseProducing(self) -> None:
        """
        Note it.
        """
        self.asked.append("pause")

    def resumeProducing(self) -> None:
        """
        Note it.
        """
        self.asked.append("resume")

    def stopProducing(self) -> None:
        """
        Note it.
        """
        self.asked.append("stop")


class Pulled:
    """
    A producer that writes a piece when it is asked to, and closes the connection after the last.
    """

    def __init__(self, transport: Any, pieces: list[bytes]) -> None:
        self._transport = transport
        self._pieces = pieces

    def resumeProducing(self) -> None:
        """
        Write a piece, or close.
        """
        if self._pieces:
            self._transport.write(self._pieces.pop(0))
        else:
            self._transport.unregisterProducer()
            self._transport.loseConnection()

    def stopProducing(self) -> None:
        """
        There is nothing to stop.
        """


class TCPTests(ConnectionCase):
    """
    What TCP connections have of their own.
    """

    def test_interfaces(self) -> None:
        """
        They are what Twisted's are.
        """
        _, _, transport = self.open()
        for interface in (ITCPTransport, IConsumer, IPushProducer, IHalfCloseableDescriptor):
            verifyObject(interface, transport)

    def test_addresses(self) -> None:
        """
        They know both ends.
        """
        port = self.listen()
        client, _, transport = self.open(port)
        peer = transport.getPeer()
        self.assertEqual((transport.getHost(), (peer.host, peer.port)), (port.getHost(), client.getsockname()))
        self.assertEqual(transport.hostname, "127.0.0.1")

    def test_options(self) -> None:
        """
        The options of TCP can be set and asked for.
        """
        _, _, transport = self.open()
        for value in (True, False):
            transport.setTcpNoDelay(value)
            transport.setTcpKeepAlive(value)
            self.assertEqual((transport.getTcpNoDelay(), transport.getTcpKeepAlive()), (value, value))

    def test_names(self) -> None:
        """
        They name themselves by protocol and number.
        """
        _, _, transport = self.open()
        self.assertIn("StreamRecorder", repr(transport))
        self.assertEqual(transport.logPrefix(), f"StreamRecorder,{transport.sessionno},127.0.0.1")

    def test_namesWhenLost(self) -> None:
        """
        They still do something of the kind when they are lost.
        """
        client, protocol, transport = self.open()
        client.close()
        self.waitForEvents(protocol)
        self.assertIn(str(transport.sessionno), repr(transport))
        self.assertIn("127.0.0.1", transport.logPrefix())


class StreamTests(ConnectionCase):
    """
    What connections have in common.
    """

    def test_writeSequence(self) -> None:
        """
        A sequence is written in its order.
        """
        client, _, transport = self.open()
        transport.writeSequence([b"a", b"", b"bc"])
        transport.writeSequence([])
        self.assertEqual(self.hear(client, 3), b"abc")

    def test_writeOther(self) -> None:
        """
        Nothing but bytes can be written.
        """
        client, _, transport = self.open()
        for data in ("text", None, bytearray(b"bytes"), memoryview(b"bytes")):
            self.assertRaises(TypeError, transport.write, data)
        self.assertRaises(TypeError, transport.writeSequence, ["text"])
        self.assertServed(client)

    def test_writeNothing(self) -> None:
        """
        To write nothing does nothing.
        """
        client, _, transport = self.open()
        transport.write(b"")
        self.assertServed(client)

    def test_writeLate(self) -> None:
        """
        What is written when the connection is lost, or about to be, raises nothing.
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

    def test_writeToLost(self) -> None:
        """
        Whose peer has gone learns of it from the reactor, not from what it writes.
        """
        client, protocol, transport = self.open()
        closeWithReset(client)
        transport.write(b"words")
        transport.write(b"words")
        self.assertEqual(protocol.events, [])
        self.waitForEvents(protocol)
        self.assertEqual(len(protocol.events), 1)

    def test_much(self) -> None:
        """
        What a late reader asked for arrives whole and in order, and a push producer is paused until it has.
        """
        client, _, transport = self.open()
        producer = Producer()
        data = os.urandom(MUCH)
        transport.registerProducer(producer, True)
        transport.write(data[:-5])
        self.assertEqual(producer.asked, ["pause"])
        transport.write(data[-5:])
        self.turn(5)
        self.assertTrue(self.hear(client, MUCH) == data)
        self.assertEqual((producer.asked[-1], producer.asked.count("resume")), ("resume", 1))
        transport.unregisterProducer()
        self.assertServed(client)

    def test_producerStopped(self) -> None:
        """
        A producer is told when the connection is lost.
        """
        client, protocol, transport = self.open()
        producer = Producer()
        transport.registerProducer(producer, True)
        client.close()
        self.waitForEvents(protocol)
        self.assertEqual(producer.asked, ["stop"])

    def test_pulled(self) -> None:
        """
        A pull producer is asked for the next piece when the last one is gone, and no sooner; it may close in the end.
        """
        client, _, transport = self.open()
        transport.registerProducer(Pulled(transport, [b"piece" * 2000] * 300), False)
        self.turn(5)
        self.assertLess(userspaceBytes(transport), MOST)
        self.assertTrue(self.restOf(client) == b"piece" * 2000 * 300)

    def test_closedWithProducer(self) -> None:
        """
        A connection that is to be closed waits for its pull producer.
        """
        for pieces in ([b"a", b"b"], [b"", b"a", b"b"]):
            client, _, transport = self.open()
            transport.registerProducer(Pulled(transport, pieces), False)
            transport.loseConnection()
            self.assertEqual(self.restOf(client), b"ab")

    def test_paused(self) -> None:
        """
        Who pauses receives nothing until it resumes.
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
        What was written before the connection is closed arrives, however much it is, and then its end. The protocol is
        told of that later, not from within its own call.
        """
        for data in (b"words", b"much " * (MUCH // 5)):
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

    def test_closeByAnother(self) -> None:
        """
        A connection that another one closes, or that is closed while none is served, is told of it later, too.
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

    def test_closeOften(self) -> None:
        """
        To close more than once is to close once.
        """
        client, protocol, transport = self.open()
        for close in (transport.loseWriteConnection, *[transport.loseConnection] * 3):
            close()
        self.assertEqual((self.restOf(client), protocol.events), (b"", [ConnectionDone]))

    def test_abort(self) -> None:
        """
        An aborted connection ends at once, whatever was to be written; the protocol is told later.
        """
        client, protocol, transport = self.open()
        transport.write(bytes(MUCH))
        transport.abortConnection()
        transport.abortConnection()
        transport.loseConnection()
        self.assertEqual(protocol.events, [])
        self.turn()
        self.assertEqual(protocol.events, [ConnectionAborted])
        with contextlib.suppress(ConnectionResetError):
            self.assertLess(len(self.restOf(client)), MUCH)

    def test_writeAborted(self) -> None:
        """
        Nothing is written any more when a connection was aborted.
        """
        client, protocol, transport = self.open()
        transport.abortConnection()
        transport.write(b"late")
        try:
            heard = client.recv(4)
        except BlockingIOError:
            heard = b""
        self.assertEqual(heard, b"")
        self.waitForEvents(protocol)

    def test_peerCloses(self) -> None:
        """
        A peer that closes is a connection that is done.
        """
        client, protocol, _ = self.open()
        client.close()
        self.assertEqual(self.waitForEvents(protocol), [ConnectionDone])

    def test_raises(self) -> None:
        """
        A protocol that raises loses its own connection, and the log says so.
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
        Whatever a protocol returns for a segment means nothing.
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
    Connections that are closed by halves.
    """

    kind = HalfCloseRecorder

    def test_ofRead(self) -> None:
        """
        A protocol is told that its peer has ended, and may still write.
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

    def test_ofWrite(self) -> None:
        """
        What was written is sent, however much it is, and then its end; after that the peer is still heard. The protocol
        is told of it later.
        """
        for data in (b"words", b"much " * (MUCH // 5)):
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

    def test_ofWriteWhileServed(self) -> None:
        """
        The same from within its own call, where it is told later as well.
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

    def test_ofWriteTwice(self) -> None:
        """
        Who asks for it twice is told once.
        """
        client, protocol, transport = self.open()
        transport.loseWriteConnection()
        transport.loseWriteConnection()
        self.assertEqual(self.restOf(client), b"")
        self.turn(5)
        self.assertEqual(protocol.events, ["write"])

    def test_thenClosed(self) -> None:
        """
        A connection of which a half is closed can be closed altogether.
        """
        client, protocol, transport = self.open()
        transport.loseWriteConnection()
        self.waitForEvents(protocol)
        transport.loseConnection()
        self.assertEqual((protocol.events, self.restOf(client)), (["write", ConnectionDone], b""))

    def test_raises(self) -> None:
        """
        A protocol that raises when it is told of either half loses its connection.
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
    Resets, which only TCP knows.
    """

    def test_reset(self) -> None:
        """
        An aborted connection is reset.
        """
        client, _, transport = self.open()
        transport.abortConnection()
        self.assertRaises(ConnectionResetError, self.hear, client)

    def test_byPeer(self) -> None:
        """
        A connection that the peer resets is lost.
        """
        client, protocol, _ = self.open()
        closeWithReset(client)
        self.assertEqual(self.waitForEvents(protocol), [ConnectionLost])

    def test_byPeerWhilePaused(self) -> None:
        """
        So is one that is not read but has something to write.
        """
        client, protocol, transport = self.open()
        transport.pauseProducing()
        transport.write(bytes(MUCH))
        self.turn(5)
        closeWithReset(client)
        self.assertEqual(self.waitForEvents(protocol), [ConnectionLost])


class BatchTests(ConnectionCase):
    """
    Connections that are ready at the same time.
    """

    def test_pausedByAnother(self) -> None:
        """
        One that is paused by the one served before is not served, until it is resumed.
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
    A test of Unix-stream connections.
    """

    def binding(self) -> Binding:
        """
        What to listen on: another path each time.
        """
        return UnixBinding(UNIX, str(self.folder / f"{len(list(self.folder.iterdir()))}"))


class UnixStreamTests(UnixCase, StreamTests):
    """
    The same over Unix sockets.
    """


class UnixHalfCloseTests(UnixCase, HalfCloseTests):
    """
    The same over Unix sockets.
    """


class UnixTests(UnixCase):
    """
    What Unix-stream connections have of their own.
    """

    def test_interfaces(self) -> None:
        """
        They are what Twisted's are.
        """
        _, _, transport = self.open()
        for interface in (IUNIXTransport, IConsumer, IPushProducer, IHalfCloseableDescriptor):
            verifyObject(interface, transport)

    def test_noDelay(self) -> None:
        """
        Who takes them for TCP's may ask for its options.
        """
        _, _, transport = self.open()
        transport.setTcpNoDelay(True)
        self.assertFalse(transport.getTcpNoDelay())

    def test_sendDescriptors(self) -> None:
        """
        Descriptors are sent along with what is written next, all in order.
        """
        client, _, transport = self.open()
        files = [self.keep((self.folder / f"file{count}").open("wb")) for count in range(3)]
        transport.write(b"0")
        for count, file in enumerate(files, 1):
            transport.sendFileDescriptor(file.fileno())
            transport.write(b"%d" % count)
        heard = b""
        inodes = []

        def receive() -> bool:
            nonlocal heard
            try:
                data, received, _, _ = socket.recv_fds(client, 10, 10)
            except BlockingIOError:
                return False
            heard += data
            for descriptor in received:
                inodes.append(os.fstat(descriptor).st_ino)
                os.close(descriptor)
            return len(heard) == 4

        self.until(receive)
        self.assertEqual((heard, inodes), (b"0123", [os.fstat(file.fileno()).st_ino for file in files]))
        self.assertServed(client)

    def test_descriptorsDropped(self) -> None:
        """
        Descriptors that nobody wants are dropped.
        """
        for self.plain in (False, True):
            client, _, _ = self.open()
            before = descriptors()
            socket.send_fds(client, [b"words"], [client.fileno()] * 16)
            self.assertEqual((self.hear(client, 5), descriptors()), (b"WORDS", before))


class AtOnceTests(ConnectionCase):
    """
    What these connections do, and Twisted's do not: they write at once, and read as much as it is worth.
    """

    def test_answerAtOnce(self) -> None:
        """
        After one turn of the reactor the peer has its answer, and nobody has to be told of room for output.
        """
        port = self.listen(self.binding())
        client, _, _ = self.open(port)
        for _ in range(3):
            client.sendall(b"words")
            self.turn()
            self.assertEqual(client.recv(5), b"WORDS")
            assert port.group is not None
            self.assertEqual((self.reactor.getWriters(), port.group._writers), ([], {}))

    def test_closeAtOnce(self) -> None:
        """
        So it is with an answer and the end of the connection.
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

    def test_inOrder(self) -> None:
        """
        What is written while something waits goes after it.
        """
        client, _, transport = self.open()
        data = os.urandom(MUCH)
        heard = b""
        transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        for start in range(0, MUCH, 70000):
            transport.write(data[start : start + 70000])
            with contextlib.suppress(BlockingIOError):
                # It makes room.
                heard += client.recv(35000)
        self.assertGreater(userspaceBytes(transport), 0)
        self.assertTrue(heard + self.hear(client, MUCH - len(heard)) == data)

    def test_readsGrow(self) -> None:
        """
        The size of reads follows what there is: more when more is there, less when it is not.
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

    def test_readsLimited(self) -> None:
        """
        No more is read at a time than may be held.
        """
        self.received = lambda protocol, data: None
        client, protocol, _ = self.open()
        self.send(client, bytes(MUCH))
        longest = max(self.segments(protocol, MUCH))
        self.assertTrue(MIN_READ < longest <= MOST, longest)

    def test_closedByAnother(self) -> None:
        """
        Of one that is closed, aborted or lost meanwhile nothing is read any more.
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
    What they do over TCP, where a test knows how much the kernel holds, and where there are resets.
    """

    def hold(self, transport: Any, length: int) -> None:
        """
        Have a connection whose peer does not read hold just so much.
        """
        transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MIN_READ)
        while not userspaceBytes(transport):
            transport.write(bytes(MIN_READ))
        self.turn(5)
        transport.write(bytes(length - userspaceBytes(transport)))
        self.assertEqual(userspaceBytes(transport), length)

    def test_boundedMemory(self) -> None:
        """
        What is read and what is held are 128 KiB together (invariant 2).
        """
        self.received = lambda protocol, data: sums.append(len(data) + userspaceBytes(protocol.transport))
        sums: list[int] = []
        client, protocol, transport = self.open()
        self.hold(transport, 100000)
        self.send(client, bytes(200000))
        self.segments(protocol, 200000)
        self.assertEqual(max(sums), MOST)

    def test_readsNeverSmall(self) -> None:
        """
        However much was held when there was little to read, no read asks for less than 4096 bytes afterwards.
        """
        self.received = lambda protocol, data: None
        client, protocol, transport = self.open()
        client.sendall(bytes(MIN_READ))
        self.segments(protocol, MIN_READ)
        self.hold(transport, MOST - MIN_READ - 100)
        client.sendall(b"!")
        self.segments(protocol, MIN_READ + 1)

        def heardAll() -> bool:
            try:
                client.recv(MOST)
            except BlockingIOError:
                return not userspaceBytes(transport)
            return False

        self.until(heardAll)
        client.sendall(bytes(MIN_READ))
        self.assertEqual(self.segments(protocol, 2 * MIN_READ + 1), [MIN_READ, 1, MIN_READ])

    def test_numberReused(self) -> None:
        """
        What the kernel told of a connection that the one served before has lost is not meant for the one that has its
        number now.
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
                    fresh.transport.write(bytes(MUCH))
                self.received = UpperStream.dataReceived

            self.received = received
            if writing:
                transport.pauseProducing()
                transport.write(bytes(MUCH))
                self.turn(5)
            client.sendall(b"words")
            closeWithReset(other)
            self.turn()
            self.assertEqual((len(gone.events), fresh.segments, fresh.events), (1, [], []))
            far.sendall(b"words")
            self.assertTrue(self.hear(far, MUCH * writing + 5).endswith(b"WORDS"))
            port.stopListening()


class UnixAtOnceTests(UnixCase, AtOnceTests):
    """
    The same over Unix sockets.
    """


class ReceivingTests(UnixCase):
    """
    Protocols that want descriptors.
    """

    kind = Receiving

    def test_received(self) -> None:
        """
        They receive them.
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
    Connections that go over to TLS.
    """

    if tls is None:
        skip = "there is no TLS"

    def test_startTLS(self) -> None:
        """
        After that nothing is written in plain text, and all goes on as before, to the end.
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
        heard = b""
        while len(heard) < 3 * len(secret):
            heard += done(lambda: secure.recv(MOST))
        self.assertTrue(heard == secret * 3)
        protocol.segments.clear()
        self.received = lambda protocol, data: transport.loseConnection()
        done(lambda: secure.send(b"words"))
        self.assertEqual((done(lambda: secure.recv(100)), protocol.segments), (b"", [b"words"]))
        secure.close()
        self.waitForEvents(protocol)
