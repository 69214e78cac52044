"""
Peers in memory: connections without a kernel, on a clock that the test moves, and the log beside them.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterable
from random import Random
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
from sockservices.conversation.responder import MakeResponder

__all__ = ["HOST", "NOW", "PEER", "LogCase", "Peer", "StreamCase", "fixedEnvironment"]

#: 2026-11-21 00:26:40 UTC.
NOW = 1795220800.0

PEER = IPv4Address("TCP", "192.0.2.7", 40000)
HOST = IPv4Address("TCP", "192.0.2.1", 8007)


def fixedEnvironment(**known: Any) -> Environment:
    """
    A world where nothing is left to chance.

    @param known: what shall be otherwise.
    """
    return Environment(**{"server": "here", "now": lambda: NOW, "random": Random(7), "users": lambda: ["ada"], **known})


class LogCase(SynchronousTestCase):
    """
    A test that sees what the project logs. None of it comes with a traceback.
    """

    def setUp(self) -> None:
        """
        Observe the log.
        """
        self._events: list[LogEvent] = []
        self._told = 0
        observer: Any = self._events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def tearDown(self) -> None:
        """
        Look for tracebacks.
        """
        self.assertEqual([event for event in self._events if "log_failure" in event], [])

    def lines(self) -> list[str]:
        """
        The lines that were logged since this was last asked.
        """
        events, self._told = self._events[self._told :], len(self._events)
        return [formatEvent(event) for event in events if event.get("log_namespace") == "sockservices"]


class StreamCase(LogCase):
    """
    A test of conversations. When it is over all of them have ended, each was recorded once, and nothing is left.

    @ivar clock: the time, and a reactor in memory.
    @ivar visits: what was recorded.
    """

    def setUp(self) -> None:
        """
        Nobody is here yet.
        """
        super().setUp()
        self.clock = MemoryReactorClock()
        self.visits: list[Visit] = []
        self.census = Census(fixedEnvironment())
        self._factories: list[StreamFactory] = []
        self._peers: list[Peer] = []

    def factory(self, responder: MakeResponder, **limits: Any) -> StreamFactory:
        """
        A factory in the test's world, with these limits.
        """
        factory = StreamFactory(responder, Policy(**limits), self.visits.append, self.clock, self.census)
        self._factories.append(factory)
        return factory

    def connect(
        self, responder: MakeResponder, transport: StringTransport | None = None, **limits: Any
    ) -> tuple[Any, StringTransport]:
        """
        A protocol, connected to a transport that keeps what is said.
        """
        transport = StringTransport(HOST, PEER) if transport is None else transport
        protocol = self.factory(responder, **limits).buildProtocol(transport.getPeer())
        assert protocol is not None
        protocol.makeConnection(transport)
        return protocol, transport

    def peer(self, served: StreamFactory | MakeResponder, room: int = 2**30, **limits: Any) -> Peer:
        """
        A connected peer.

        @param served: a factory, or what the factory is made of.
        @param room: how many bytes it takes before it has to read.
        """
        factory = served if isinstance(served, StreamFactory) else self.factory(served, **limits)
        peer = Peer(factory, self.clock, room)
        self._peers.append(peer)
        return peer

    def wait(self, seconds: float) -> None:
        """
        Let time pass, a little at a time.
        """
        for _ in range(int(seconds * 8)):
            self.clock.advance(0.125)
            for peer in self._peers:
                peer.turn()

    @property
    def outcomes(self) -> list[Outcome]:
        """
        How the conversations ended, in this order.
        """
        return [visit.outcome for visit in self.visits]

    def tearDown(self) -> None:
        """
        End what goes on, and look at what is left.
        """
        self.clock.advance(0)
        for factory in self._factories:
            for protocol in list(factory.protocols):
                protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.census.connections, 0)
        self.assertEqual(sum(self.census.outcomes.values()), len(self.visits))
        super().tearDown()


class _Socket:
    """
    The server's end of a connection, as far as Twisted's TCP transport asks for it.
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self.inbox: list[bytes] = []
        self.outbox = bytearray()
        self.peerEnded = self.peerReset = False
        self.ended = self.reset = self.closed = False

    def readable(self) -> bool:
        return bool(self.inbox) or self.peerEnded or self.peerReset

    def writable(self) -> bool:
        return len(self.outbox) < self.room or self.peerReset

    def recv(self, size: int) -> bytes:
        if self.peerReset:
            raise ConnectionResetError(errno.ECONNRESET, "reset")
        if not self.inbox:
            if self.peerEnded:
                return b""
            raise BlockingIOError(errno.EWOULDBLOCK, "nothing there")
        segment = self.inbox.pop(0)
        if len(segment) > size:
            self.inbox.insert(0, segment[size:])
        return segment[:size]

    def send(self, words: memoryview) -> int:
        if self.peerReset:
            raise ConnectionResetError(errno.ECONNRESET, "reset")
        taken = min(len(words), self.room - len(self.outbox))
        self.outbox += words[:taken]
        return taken

    def shutdown(self, how: int) -> None:
        self.ended = True

    def setsockopt(self, level: int, option: int, value: bytes) -> None:
        assert (level, option) == (socket.SOL_SOCKET, socket.SO_LINGER)
        self.reset = True

    def close(self) -> None:
        # With input unread the kernel resets (RFC 1122 4.2.2.13), and what the peer has not read yet is gone.
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
    The far end of a connection whose near end is Twisted's own TCP transport, buffers, half-close and all.

    @ivar heard: what it has read.
    @ivar transport: the server's transport.
    """

    def __init__(self, factory: StreamFactory, clock: MemoryReactorClock, room: int, address: IAddress = PEER) -> None:
        self.heard = b""
        self._clock = clock
        self._socket = _Socket(room)
        protocol = factory.buildProtocol(address)
        assert protocol is not None
        self.protocol = protocol
        port: Any = type("Port", (), {"_realPortNumber": HOST.port})
        near: Any = self._socket
        self.transport: Any = Server(near, protocol, (PEER.host, PEER.port), port, 1, clock)
        protocol.makeConnection(self.transport)
        self.turn()

    def say(self, *segments: bytes) -> None:
        """
        Send some segments: as in a network, one read by the server gets one of them.
        """
        self._socket.inbox.extend(segments)
        self.turn()

    def read(self, size: int = 2**30) -> bytes:
        """
        Read at most so many bytes, of those that have come or come on being read.
        """
        read = b""
        while size > len(read) and (some := bytes(self._socket.outbox[: size - len(read)])):
            del self._socket.outbox[: len(some)]
            read += some
            self.turn()
        self.heard += read
        return read

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
    def sawEnd(self) -> bool:
        """
        Whether it has read all, and then the server's FIN.
        """
        return self._socket.ended and not self._socket.outbox and not self.sawReset

    @property
    def sawReset(self) -> bool:
        """
        Whether the server has reset the connection.
        """
        return self._socket.reset

    @property
    def unread(self) -> int:
        """
        How many bytes it has sent that the server has not read.
        """
        return sum(map(len, self._socket.inbox))

    @property
    def buffered(self) -> int:
        """
        How many bytes the server holds for it in user space.
        """
        transport = self.transport
        held: int = len(transport.dataBuffer) - transport.offset + transport._tempDataLen
        return held

    def turn(self) -> None:
        """
        Turn the reactor until there is nothing to do.
        """
        for _ in range(10_000):
            if not (self._ready(self._clock.readers, self._socket.readable, self._doRead)) and not (
                self._ready(self._clock.writers, self._socket.writable, self._doWrite)
            ):
                break
        else:
            raise AssertionError("the reactor spins")
        self._clock.advance(0)

    def _ready(self, waiting: Iterable[object], can: Callable[[], bool], do: Callable[[], None]) -> bool:
        if self._socket.closed or self.transport not in waiting or not can():
            return False
        do()
        return True

    def _doRead(self) -> None:
        why = self.transport.doRead()
        if isinstance(why, ConnectionDone):
            self._clock.removeReader(self.transport)
            self.transport.readConnectionLost(Failure(why))
        elif why is not None:
            self.transport.connectionLost(Failure(ConnectionLost()))

    def _doWrite(self) -> None:
        why = self.transport.doWrite()
        if why is not None:
            self._clock.removeReader(self.transport)
            self.transport.connectionLost(Failure(why))
