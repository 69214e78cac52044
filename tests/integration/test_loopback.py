"""
The protocols over real sockets of this host, on Twisted's own listeners and on those of this package.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import select
import socket
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
import pytest_twisted
from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import ensureDeferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import LoopingCall, deferLater
from twisted.internet.threads import deferToThread

from sockservices import Outcome, Policy, StreamFactory, Visit, datagramService, streamService
from sockservices.conversation.responder import MakeResponder
from sockservices.conversation.transport import Transport
from sockservices.registry import find, names
from sockservices.responders import Chargen, Echo, Greet, Hello, Welcome
from sockservices.responders.chargen import PATTERN
from sockservices.transports.bindings import InetBinding, UnixBinding
from sockservices.transports.endpoints import StreamEndpoint
from sockservices.transports.unacked import userspaceBytes
from tests.support.sockets import closeWithReset
from tests.support.watched import readToEnd

TCP, UDP, UNIX, UNIXGRAM = Transport

MIB = 2**20

#: The maximum number of bytes in user-space buffers for one peer.
BOUND = 128 * 1024

#: Seconds to wait for an expected event.
TIMEOUT = 10.0

T = TypeVar("T")
Test = TypeVar("Test", bound=Callable[..., Coroutine[Any, Any, None]])


def reactor() -> Any:
    """
    Import the reactor that pytest-twisted has installed.
    """
    from twisted.internet import reactor

    return reactor


def runningReactor(test: Test) -> Test:
    """
    Run the reactor while a test waits.
    """
    turned: Test = pytest_twisted.ensureDeferred(test)
    return turned


class Server:
    """
    A factory that listens.

    @ivar maxBuffered: the maximum number of bytes in user-space buffers for one peer.
    """

    def __init__(self, responder: MakeResponder, how: str, folder: Path, **limits: Any) -> None:
        self.visits: list[Visit] = []
        self.maxBuffered = 0
        self.factory = StreamFactory(responder, Policy(**limits), self.visits.append, reactor())
        self._port = self._listen(how, folder)
        self._sampling = LoopingCall(self._sample)
        self._sampling.clock = reactor()
        self._sampling.start(0.01)

    def _listen(self, how: str, folder: Path) -> IListeningPort:
        if how == "listenTCP":
            return IListeningPort(reactor().listenTCP(0, self.factory, interface="127.0.0.1"))
        path = str(folder / f"{self.factory.responder.name}.sock")  # type: ignore[union-attr]
        binding = UnixBinding(UNIX, path) if "unix" in how else InetBinding(TCP, 0)
        ports: list[IListeningPort] = []
        StreamEndpoint(reactor(), binding, plain="plain" in how).listen(self.factory).addCallback(ports.append)
        return ports[0]

    def _sample(self) -> None:
        for protocol in self.factory.protocols:
            self.maxBuffered = max(self.maxBuffered, userspaceBytes(cast(FileDescriptor, protocol.transport)))

    async def converse(self, client: Callable[[socket.socket], T]) -> T:
        """
        Run a blocking client of this server in a thread. @return: its result.
        """
        host: Any = self._port.getHost()
        address = os.fsdecode(host.name) if hasattr(host, "name") else (host.host, host.port)

        def run() -> T:
            with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as connected:
                connected.settimeout(TIMEOUT)
                connected.connect(address)
                return client(connected)

        return await deferToThread(run)

    async def ended(self, count: int = 1) -> list[Outcome]:
        """
        Wait for the end of so many conversations. @return: all outcomes.
        """
        for _ in range(int(TIMEOUT * 100)):
            if len(self.visits) >= count:
                break
            await deferLater(reactor(), 0.01, lambda: None)
        return [visit.outcome for visit in self.visits]

    async def stop(self) -> None:
        """
        Stop listening and reset all connections.
        """
        self._sampling.stop()
        await maybeDeferred(self._port.stopListening)
        await self.factory.drain(0)


Listen = Callable[..., Server]


@pytest.fixture(params=["listenTCP", "StreamEndpoint", "unix", "plain unix"])
def listen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listen]:
    """
    Start servers on one kind of listener. They are stopped after the test.
    """
    servers: list[Server] = []

    def start(responder: MakeResponder, **limits: Any) -> Server:
        servers.append(Server(responder, request.param, tmp_path, **limits))
        return servers[-1]

    yield start
    for server in servers:
        pytest_twisted.blockon(ensureDeferred(server.stop()))


def sendAll(client: socket.socket, data: bytes, read: int, eager: bool = True) -> bytes:
    """
    Send data, half-close, and read to the end.

    @param read: the maximum number of bytes to read at a time.
    @param eager: whether to read at once; otherwise the client reads only when it cannot send.
    """
    client.setblocking(False)
    unsent, output = memoryview(data), bytearray()
    while True:
        timeout = TIMEOUT if eager or not unsent else 0.02
        readers = [client] if eager or not unsent else []
        readable, writable, _ = select.select(readers, [client] if unsent else [], [], timeout)
        if writable:
            unsent = unsent[client.send(unsent) :]
            if not unsent:
                client.shutdown(socket.SHUT_WR)
        elif readable or not eager:
            try:
                segment = client.recv(read)
            except BlockingIOError:
                continue
            if not segment:
                return bytes(output)
            output += segment
        else:
            raise TimeoutError("the server neither reads nor writes")


@pytest.mark.parametrize(
    ("size", "read", "eager"), [(8 * MIB, 262_144, True), (8 * MIB, 262_144, False), (MIB, 1000, True)]
)
@runningReactor
async def test_noByteLost(listen: Listen, size: int, read: int, eager: bool) -> None:
    """
    All data is echoed byte for byte to a peer that half-closes, even if it reads only when the server does not read, or
    little at a time.
    """
    server = listen(Echo)
    data = os.urandom(size)
    output = await server.converse(lambda client: sendAll(client, data, read, eager))
    assert hashlib.sha256(output).digest() == hashlib.sha256(data).digest()
    assert await server.ended() == [Outcome.DONE]
    assert (server.visits[0].received, server.visits[0].sent) == (size, size)
    assert server.maxBuffered <= BOUND


@pytest.mark.parametrize("responder", [Echo, Chargen])
@runningReactor
async def test_boundedMemory(listen: Listen, responder: MakeResponder) -> None:
    """
    The server stops reading from a peer that does not read, buffers at most 128 KiB, and resets it at the stall
    timeout.
    """

    def client(connected: socket.socket) -> int:
        connected.setblocking(False)
        sent = 0
        while responder is Echo and select.select([], [connected], [], 0.1)[1]:
            sent += connected.send(bytes(65536))
        poll = select.poll()
        poll.register(connected, 0)
        assert poll.poll(TIMEOUT * 1000), "the connection is still open"
        return sent

    server = listen(responder, stallTimeout=0.5)
    sent = await server.converse(client)
    assert await server.ended() == [Outcome.STALLED]
    assert 65536 <= server.maxBuffered <= BOUND
    assert 0.5 <= server.visits[0].seconds < 5
    assert responder is Chargen or server.visits[0].received < sent < 64 * MIB


@runningReactor
async def test_slowReaderGetsTheLastOutput(listen: Listen) -> None:
    """
    A peer that reads the last output slowly gets all of it, long after the close grace.
    """

    class Long(Greet):
        def greeting(self) -> bytes:
            self.finished = True
            return bytes(2 * MIB)

    def client(connected: socket.socket) -> int:
        output = 0
        while segment := connected.recv(MIB // 10):
            output += len(segment)
            select.select([], [], [], 0.05)
        return output

    server = listen(Long, closeGrace=0.5)
    assert await server.converse(client) == 2 * MIB
    assert await server.ended() == [Outcome.FINISHED]
    assert server.visits[0].seconds > 0.75


@runningReactor
async def test_inputDoesNotDestroyTheLastOutput(listen: Listen) -> None:
    """
    Input after the last output does not destroy it.
    """

    def client(connected: socket.socket) -> bytes:
        connected.sendall(b"1")
        while not select.select([connected], [], [], 0)[0]:
            connected.sendall(bytes(10_000))
        connected.sendall(bytes(200_000))
        connected.shutdown(socket.SHUT_WR)
        return readToEnd(connected)

    server = listen(Welcome)
    for _ in range(10):
        assert await server.converse(client) in (b"welcome to server!", b"please go out!")
    assert set(await server.ended(10)) == {Outcome.FINISHED}


@runningReactor
async def test_generatedOutputUntilTheFin(listen: Listen) -> None:
    """
    Generated output continues as fast as the peer reads, until the peer's FIN. The last block is whole.
    """

    def client(connected: socket.socket) -> bytes:
        output = b""
        while len(output) < 4 * MIB:
            output += connected.recv(MIB)
        connected.shutdown(socket.SHUT_WR)
        return output + readToEnd(connected)

    server = listen(Chargen)
    output = await server.converse(client)
    assert output == PATTERN * (len(output) // len(PATTERN))
    assert await server.ended() == [Outcome.DONE]
    assert server.visits[0].sent == len(output)
    assert server.maxBuffered <= BOUND


@pytest.mark.parametrize("responder", [Echo, Chargen, Greet])
@runningReactor
async def test_resetWhileWriting(listen: Listen, responder: MakeResponder, caplog: pytest.LogCaptureFixture) -> None:
    """
    A peer that resets while the server writes is released, and no traceback is logged.
    """

    def client(connected: socket.socket) -> None:
        connected.setblocking(False)
        for _ in range(20):
            if not select.select([], [connected], [], 0.01)[1]:
                break
            connected.send(bytes(65536))
        closeWithReset(connected)

    server = listen(responder)
    for _ in range(10):
        await server.converse(client)
    assert len(await server.ended(10)) == 10
    assert set(await server.ended()) <= {Outcome.RESET, Outcome.FINISHED, Outcome.DONE}
    assert (server.factory.census.connections, server.factory.protocols) == (0, set())
    assert [record for record in caplog.records if record.exc_info] == []


@runningReactor
async def test_silentPeersAreClosed(listen: Listen) -> None:
    """
    A silent peer is closed cleanly at the responder's deadline or at the idle timeout.
    """
    for responder, outcome in ((Welcome, Outcome.TIMED_OUT), (Hello, Outcome.IDLE)):
        server = listen(responder, timeout=0.2, idleTimeout=0.2)
        assert await server.converse(readToEnd) == b""
        assert await server.ended() == [outcome]


@runningReactor
async def test_drain(listen: Listen) -> None:
    """
    During a drain quiet peers are closed cleanly, and input that arrives before is answered.
    """

    def client(connected: socket.socket) -> bytes:
        connected.sendall(b"hi~")
        output = connected.recv(3)
        reactor().callFromThread(server.factory.drain, 5)
        connected.sendall(b"bye")
        return output + readToEnd(connected)

    server = listen(Echo)
    assert await server.converse(client) == b"hi~bye"
    assert await server.ended() == [Outcome.DRAINED]
    assert server.visits[0].seconds < 2


@runningReactor
async def test_everyServiceByItsName() -> None:
    """
    C{streamService} and C{datagramService} serve every service over TCP and UDP. The peer of C{discard} gets no
    datagram.
    """

    def converse(kind: socket.SocketKind, port: int) -> bytes:
        with socket.socket(type=kind) as client:
            client.settimeout(TIMEOUT)
            client.connect(("127.0.0.1", port))
            client.sendall(b"1".ljust(600))
            if kind == socket.SOCK_DGRAM:
                return client.recv(65536)
            client.shutdown(socket.SHUT_WR)
            return readToEnd(client)

    makers: Any = [(socket.SOCK_STREAM, "tcp:0", streamService), (socket.SOCK_DGRAM, "udp:0", datagramService)]
    for name, (kind, endpoint, makeService) in itertools.product(names(), makers):
        if (name, kind) == ("discard", socket.SOCK_DGRAM):
            continue
        visits: list[Visit] = []
        service = makeService(endpoint, find(name), reactor=reactor(), record=visits.append)
        service.startService()
        host = service.port.getHost()
        received = await deferToThread(converse, kind, host.port)
        assert received or name in ("discard", "users")
        if name == "whoami":
            assert json.loads(received)["host"] == f"127.0.0.1:{host.port}"
        await service.stopService()
        assert [visit.outcome in (Outcome.DONE, Outcome.FINISHED) for visit in visits] == [True]


@runningReactor
async def test_twistedsDatagramPort() -> None:
    """
    L{DatagramResponder} works on Twisted's UDP port, where it sets C{maxPacketSize}.
    """
    from sockservices import DatagramResponder

    def client(port: int) -> tuple[int, bytes]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connected:
            connected.settimeout(TIMEOUT)
            connected.connect(("127.0.0.1", port))
            connected.send(bytes(65507))
            echoed = len(connected.recv(65536))
            connected.send(b"")
            return echoed, connected.recv(65536)

    protocol = DatagramResponder(Echo, clock=reactor())
    port = reactor().listenUDP(0, protocol, interface="127.0.0.1")
    try:
        assert await deferToThread(client, port.getHost().port) == (65507, b"")
    finally:
        await port.stopListening()
    assert protocol.census.outcomes == {Outcome.DONE: 2}
    assert not protocol.census.udpPorts
