"""
Test cases that check the log, and peers in memory on a clock that the test advances.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress
from twisted.internet.tcp import Server
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Census, Environment, Outcome, Policy, StreamFactory, Visit
from sockservices.scripting.coroutine_service import Service
from sockservices.testing import memory_exchange
from sockservices.testing.memory_exchange import NOW

__all__ = ["HOST", "NOW", "PEER", "LogCase", "Peer", "StreamCase", "fixedEnvironment"]

PEER = IPv4Address("TCP", "192.0.2.7", 40000)
HOST = IPv4Address("TCP", "192.0.2.1", 8007)


def fixedEnvironment(**values: Any) -> Environment:
    """
    Make a deterministic environment with one user.

    @param values: fields of L{Environment} with other values.
    """
    return memory_exchange.fixedEnvironment(**{"users": lambda: ["ada"], **values})


class LogCase(SynchronousTestCase):
    """
    A test that observes the project's log. It fails if an event has a traceback.
    """

    def setUp(self) -> None:
        """
        Observe the log.
        """
        self._events: list[LogEvent] = []
        self._reported = 0
        observer: Any = self._events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def tearDown(self) -> None:
        """
        Check that no event has a traceback.
        """
        self.assertEqual([event for event in self._events if "log_failure" in event], [])

    def lines(self) -> list[str]:
        """
        Return the lines that were logged since the last call.
        """
        events, self._reported = self._events[self._reported :], len(self._events)
        return [formatEvent(event) for event in events if event.get("log_namespace") == "sockservices"]


class StreamCase(LogCase):
    """
    A test of stream conversations. After it, each conversation has one visit, and no timer or connection is left.

    @ivar clock: a memory reactor with a clock.
    @ivar visits: the recorded visits.
    """

    def setUp(self) -> None:
        """
        Make the clock and the census.
        """
        super().setUp()
        self.clock = MemoryReactorClock()
        self.visits: list[Visit] = []
        self.census = Census(fixedEnvironment())
        self._factories: list[StreamFactory] = []
        self._peers: list[Peer] = []

    def factory(self, responder: Service, **limits: Any) -> StreamFactory:
        """
        Make a factory with the test's clock and census.
        """
        factory = StreamFactory(responder, Policy(**limits), self.visits.append, self.clock, self.census)
        self._factories.append(factory)
        return factory

    def connect(
        self, responder: Service, transport: StringTransport | None = None, **limits: Any
    ) -> tuple[Any, StringTransport]:
        """
        Connect a protocol to a transport in memory.
        """
        transport = StringTransport(HOST, PEER) if transport is None else transport
        protocol = self.factory(responder, **limits).buildProtocol(transport.getPeer())
        assert protocol is not None
        protocol.makeConnection(transport)
        return protocol, transport

    def peer(self, service: StreamFactory | Service, window: int = 2**30, **limits: Any) -> Peer:
        """
        Connect a peer.

        @param service: a factory, or the responder class of a new factory.
        @param window: the bytes that the server can send before the peer reads: the size of the kernel's buffers.
        """
        factory = service if isinstance(service, StreamFactory) else self.factory(service, **limits)
        peer = Peer(factory, self.clock, window)
        self._peers.append(peer)
        return peer

    def wait(self, seconds: float) -> None:
        """
        Advance the clock in steps of 1/8 s. The peers' transports read and write after each step.
        """
        for _ in range(int(seconds * 8)):
            self.clock.advance(0.125)
            for peer in self._peers:
                peer.turn()

    @staticmethod
    def lose(protocol: Any, reason: type[Exception] = ConnectionDone) -> None:
        """
        Report to a protocol that its connection is lost.
        """
        protocol.connectionLost(Failure(reason()))

    @property
    def outcomes(self) -> list[Outcome]:
        """
        The outcomes of the visits, in their order.
        """
        return [visit.outcome for visit in self.visits]

    def tearDown(self) -> None:
        """
        End the open conversations, and check that no timer or connection is left.
        """
        self.clock.advance(0)
        for factory in self._factories:
            for protocol in list(factory.protocols):
                self.lose(protocol)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.census.connections, 0)
        self.assertEqual(sum(self.census.outcomes.values()), len(self.visits))
        super().tearDown()


class _Socket:
    """
    The server's socket: the methods that Twisted's TCP transport uses.
    """

    def __init__(self, window: int) -> None:
        self.window = window
        self.inbox: list[bytes] = []
        self.outbox = bytearray()
        self.peerEnded = self.peerReset = False
        self.ended = self.reset = self.closed = False

    def readable(self) -> bool:
        return bool(self.inbox) or self.peerEnded or self.peerReset

    def writable(self) -> bool:
        return len(self.outbox) < self.window or self.peerReset

    def recv(self, size: int) -> bytes:
        if self.peerReset:
            raise ConnectionResetError(errno.ECONNRESET, "reset")
        if not self.inbox:
            if self.peerEnded:
                return b""
            raise BlockingIOError(errno.EWOULDBLOCK, "no data")
        segment = self.inbox.pop(0)
        if len(segment) > size:
            self.inbox.insert(0, segment[size:])
        return segment[:size]

    def send(self, data: memoryview) -> int:
        if self.peerReset:
            raise ConnectionResetError(errno.ECONNRESET, "reset")
        sent = min(len(data), self.window - len(self.outbox))
        self.outbox += data[:sent]
        return sent

    def shutdown(self, how: int) -> None:
        self.ended = True

    def setsockopt(self, level: int, option: int, value: bytes) -> None:
        assert (level, option) == (socket.SOL_SOCKET, socket.SO_LINGER)
        self.reset = True

    def close(self) -> None:
        # If input is unread, the kernel sends a reset (RFC 1122, 4.2.2.13). It discards unread data of the peer.
        self.reset = self.reset or bool(self.inbox)
        if self.reset:
            self.outbox.clear()
        self.closed = self.ended = True

    def setblocking(self, _: bool) -> None:
        pass

    def fileno(self) -> int:
        raise OSError(errno.EBADF, "in memory")

    def getsockname(self) -> tuple[str, int]:
        return HOST.host, HOST.port


class Peer:
    """
    The peer of a connection in memory. The server's transport is Twisted's own TCP transport, with its buffers and its
    half-close.

    @ivar received: the bytes that the peer has read.
    @ivar transport: the server's transport.
    """

    def __init__(
        self, factory: StreamFactory, clock: MemoryReactorClock, window: int, address: IAddress = PEER
    ) -> None:
        self.received = b""
        self._clock = clock
        self._socket = _Socket(window)
        protocol = factory.buildProtocol(address)
        assert protocol is not None
        self.protocol = protocol
        port: Any = type("Port", (), {"_realPortNumber": HOST.port})
        serverSocket: Any = self._socket
        self.transport: Any = Server(serverSocket, protocol, (PEER.host, PEER.port), port, 1, clock)
        protocol.makeConnection(self.transport)
        self.turn()

    def send(self, *segments: bytes) -> None:
        """
        Send segments. Each read of the server returns one segment.
        """
        self._socket.inbox.extend(segments)
        self.turn()

    def read(self, size: int = 2**30) -> bytes:
        """
        Read up to C{size} bytes, with those that the server sends while the peer reads.
        """
        data = bytearray()
        while size > len(data) and (segment := bytes(self._socket.outbox[: size - len(data)])):
            del self._socket.outbox[: len(segment)]
            data += segment
            self.turn()
        self.received += data
        return bytes(data)

    def end(self) -> None:
        """
        Send a FIN.
        """
        self._socket.peerEnded = True
        self.turn()

    def reset(self) -> None:
        """
        Send a reset.
        """
        self._socket.peerReset = True
        self.turn()

    @property
    def eofReceived(self) -> bool:
        """
        Whether the peer has read the whole output and the server's FIN.
        """
        return self._socket.ended and not self._socket.outbox and not self.resetReceived

    @property
    def resetReceived(self) -> bool:
        """
        Whether the server has reset the connection.
        """
        return self._socket.reset

    @property
    def unread(self) -> int:
        """
        The bytes sent that the server has not read.
        """
        return sum(map(len, self._socket.inbox))

    @property
    def buffered(self) -> int:
        """
        The bytes of output in the server's user space.
        """
        transport = self.transport
        size: int = len(transport.dataBuffer) - transport.offset + transport._tempDataLen
        return size

    def turn(self) -> None:
        """
        Iterate the reactor until no descriptor is ready.
        """
        for _ in range(10_000):
            if not (self._ready(self._clock.readers, self._socket.readable, self._doRead)) and not (
                self._ready(self._clock.writers, self._socket.writable, self._doWrite)
            ):
                break
        else:
            raise AssertionError("a descriptor is ready, but the transport neither reads nor writes")
        self._clock.advance(0)

    def _ready(self, waiting: Iterable[object], isReady: Callable[[], bool], act: Callable[[], None]) -> bool:
        if self._socket.closed or self.transport not in waiting or not isReady():
            return False
        act()
        return True

    def _doRead(self) -> None:
        reason = self.transport.doRead()
        if isinstance(reason, ConnectionDone):
            self._clock.removeReader(self.transport)
            self.transport.readConnectionLost(Failure(reason))
        elif reason is not None:
            self.transport.connectionLost(Failure(ConnectionLost()))

    def _doWrite(self) -> None:
        reason = self.transport.doWrite()
        if reason is not None:
            self._clock.removeReader(self.transport)
            self.transport.connectionLost(Failure(reason))
