"""
Faults over real sockets: the fixture, the command, and Twisted's own factories and transports.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from operator import not_
from typing import Any

import pytest
from twisted.internet.protocol import Factory
from twisted.protocols.wire import Echo as TwistedEcho
from twisted.web.resource import Resource
from twisted.web.server import Site

from sockservices import Outcome, StreamFactory, Visit, streamService
from sockservices.faults import (
    Bandwidth,
    Corrupt,
    Fault,
    FaultyFactory,
    Hang,
    Latency,
    Limit,
    Loss,
    Refuse,
    Reset,
    Slice,
)
from sockservices.faults.factory import StreamFaults
from sockservices.fixture import BackgroundServer, Servers
from sockservices.responders import Chargen, Discard, Echo
from tests.support.loop import LoopCase
from tests.support.sockets import closeWithReset
from tests.support.twistd import Twistd

STREAMS = ("tcp", "unix")

#: Seconds by which a busy machine may be late.
SLACK = 0.15

#: The offsets of C{tcpi_bytes_received} and C{tcpi_data_segs_in} in struct tcp_info (linux/tcp.h).
BYTES_RECEIVED, DATA_SEGMENTS_IN = 128, 152


def connect(server: BackgroundServer) -> socket.socket:
    """
    Connect to a server over TCP or a Unix socket.
    """
    client = socket.socket(socket.AF_UNIX if isinstance(server.address, str) else socket.AF_INET)
    # Without a timeout: with one, connect() waits for the socket, and may find that it has been reset already.
    client.connect(server.address)
    client.settimeout(10)
    return client


def receive(client: socket.socket, length: int) -> bytes:
    """
    Receive exactly so many bytes.
    """
    received = b""
    while len(received) < length:
        data = client.recv(length - len(received))
        assert data, f"an end after {len(received)} of {length} bytes"
        received += data
    return received


def roundTrip(client: socket.socket, data: bytes = b"hello") -> float:
    """
    Send data, receive as much, and return the seconds that it took.
    """
    start = time.monotonic()
    client.sendall(data)
    receive(client, len(data))
    return time.monotonic() - start


def arrived(client: socket.socket) -> tuple[int, int]:
    """
    Count the bytes that have come, whether they are read or not, and the segments that they came in.
    """
    info = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return *struct.unpack_from("@Q", info, BYTES_RECEIVED), *struct.unpack_from("@I", info, DATA_SEGMENTS_IN)


def exchange(client: socket.socket, data: bytes) -> bytes:
    """
    Send data and a FIN while receiving to the end.
    """
    received, rest, ended = bytearray(), memoryview(data), False
    client.setblocking(False)
    while True:
        readable, writable, _ = select.select([client], [client] if rest else [], [], 60)
        assert readable or writable, f"{len(received)} of {len(data)} bytes"
        if writable:
            rest = rest[client.send(rest[:65536]) :]
        if not rest and not ended:
            client.shutdown(socket.SHUT_WR)
            ended = True
        if readable:
            piece = client.recv(1 << 20)
            if not piece:
                return bytes(received)
            received += piece


# Connections.


@pytest.mark.parametrize("transport", STREAMS)
@pytest.mark.parametrize(
    ("faults", "seconds"),
    [
        ([Latency(0)], 0),
        ([Latency(0.1, direction="in")], 0.1),
        ([Latency(0.1, direction="out")], 0.1),
        ([Latency(0.1)], 0.2),
        ([Latency(0.3, direction="in"), Latency(0.1, direction="out")], 0.4),
        ([Latency(0.2, direction="in"), Latency(0.2, direction="in")], 0.4),
    ],
)
def test_latency(sockservice: Servers, transport: str, faults: list[Fault], seconds: float) -> None:
    """
    A round trip of 32 KiB takes the sum of the delays of both directions, and the next one as long.
    """
    server = sockservice("echo", transport, faults=faults)
    with connect(server) as client:
        for _ in range(2):
            assert seconds <= roundTrip(client, os.urandom(32768)) < seconds + SLACK


def test_bandwidth(sockservice: Servers) -> None:
    """
    480,000 bytes at a million bytes per second take 0.48 s, and none is changed.
    """
    server = sockservice("echo", faults=[Bandwidth(1_000_000, "out")])
    data = os.urandom(480_000)
    with connect(server) as client:
        start = time.monotonic()
        assert exchange(client, data) == data
        assert 0.47 <= time.monotonic() - start < 0.48 + SLACK


def test_slice(sockservice: Servers) -> None:
    """
    An echo of 100 bytes arrives in 100 segments of one byte.
    """
    server = sockservice("echo", faults=[Slice(1)])
    with connect(server) as client:
        client.sendall(b"x" * 100)
        assert receive(client, 100) == b"x" * 100
        assert arrived(client) == (100, 100)
    server.wait(1)
    assert server.visits[0].faults == (("slice", 100),)


@pytest.mark.parametrize("transport", STREAMS)
def test_limit(sockservice: Servers, transport: str) -> None:
    """
    Exactly 1000 bytes arrive; then a FIN, a reset, or nothing.
    """
    server = sockservice("echo", transport)
    for then in ("fin", "reset", "hang"):
        server.faults = (Limit(1000, then),)
        with connect(server) as client:
            client.sendall(bytes(3000))
            # On TCP the reset discards no data that the peer's kernel has acknowledged.
            assert receive(client, 1000) == bytes(1000)
            client.settimeout(0.3)
            if then == "hang":
                with pytest.raises(TimeoutError):
                    client.recv(1)
            elif then == "reset" and transport == "tcp":
                with pytest.raises(ConnectionResetError):
                    client.recv(1)
            else:  # Unix sockets have no reset.
                assert client.recv(1) == b""
    server.wait(3, timeout=20)
    assert [dict(visit.faults) for visit in server.visits] == [{"limit": 1}] * 3


def test_limitWaitsForTheAcknowledgement(sockservice: Servers) -> None:
    """
    The reset comes only when the peer's kernel has all bytes of the limit, also where that takes a while.
    """
    server = sockservice("echo", faults=[Limit(300_000, "reset")])
    with connect(server) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(bytes(300_000))
        assert receive(client, 300_000) == bytes(300_000)
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_refuse(sockservice: Servers) -> None:
    """
    The first three connections are reset, and each later one works.
    """
    server = sockservice("greet", faults=[Refuse(first=3)])
    for _ in range(3):
        with pytest.raises(ConnectionResetError), connect(server) as client:
            client.recv(1)
    for _ in range(2):
        with connect(server) as client:
            assert receive(client, 9) == b"connected"
    server.wait(5)
    assert [visit.outcome for visit in server.visits] == [Outcome.FAULT] * 3 + [Outcome.FINISHED] * 2


@pytest.mark.parametrize("fault", [Reset(), Reset(0.2), Reset(afterBytes=5)])
def test_reset(sockservice: Servers, fault: Reset) -> None:
    """
    A connection is reset, at its time; the socket then is at its end.
    """
    server = sockservice("discard", faults=[fault])
    start = time.monotonic()
    with connect(server) as client:
        if fault.afterBytes:
            client.sendall(b"hello")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        assert fault.after <= time.monotonic() - start < fault.after + SLACK
        assert client.recv(1) == b""


@pytest.mark.parametrize("transport", STREAMS)
def test_hang(sockservice: Servers, transport: str) -> None:
    """
    A hung peer gets nothing, and no end when it half-closes. When it leaves, the conversation ends.
    """
    server = sockservice("echo", transport, faults=[Hang(afterBytes=5)])
    with connect(server) as client:
        assert roundTrip(client, b"hello") < SLACK
        client.sendall(b"more")
        client.shutdown(socket.SHUT_WR)
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.recv(1)
    server.wait(1, timeout=20)
    assert (server.visits[0].received, server.visits[0].faults) == (9, (("hang", 1),))


def test_corrupt(sockservice: Servers) -> None:
    """
    The same seed corrupts the same bytes, for any segmentation.
    """
    data = bytes(200_000)
    results = []
    for seed in (7, 7, 8):
        server = sockservice("echo", faults=[Corrupt(0.001)], seed=seed)
        with connect(server) as client:
            results.append(exchange(client, data))
        server.wait(1)
        assert dict(server.visits[0].faults)["corrupt"] == sum(byte.bit_count() for byte in results[-1])
    assert results[0] == results[1] != results[2]


@pytest.mark.parametrize("transport", STREAMS)
@pytest.mark.parametrize("megabytes", [2, pytest.param(50, marks=pytest.mark.slow)])
def test_nothingIsLost(sockservice: Servers, transport: str, megabytes: int) -> None:
    """
    All bytes pass latency, bandwidth and slices, and then the end.
    """
    faults = [Latency(0.005, jitter=0.003), Bandwidth(30_000_000), Slice(10_000)]
    server = sockservice("echo", transport, faults=faults)
    data = os.urandom(1 << 20) * megabytes
    with connect(server) as client:
        assert exchange(client, data) == data
    server.wait(1)
    (visit,) = server.visits
    assert (visit.received, visit.sent, visit.outcome) == (len(data), len(data), Outcome.DONE)


def test_manyConnectionsThatCloseAtOnce(sockservice: Servers) -> None:
    """
    A client that closes while its bytes are delayed leaves nothing behind.
    """
    server = sockservice("echo", faults=[Latency(0.01)])
    for _ in range(200):
        with connect(server) as client:
            client.sendall(b"hello")
    server.wait(200)
    assert {visit.received for visit in server.visits} == {5}


def test_changesBetweenConnections(sockservice: Servers) -> None:
    """
    Faults that change hold from the next connection on, and change nothing about an open one.
    """
    server = sockservice("echo")
    with connect(server) as first:
        server.faults = (Latency(0.2, direction="out"),)
        assert roundTrip(first) < SLACK
        with connect(server) as second:
            assert roundTrip(second) >= 0.2
            server.faults = ()
            assert roundTrip(second) >= 0.2
        with connect(server) as third:
            assert roundTrip(third) < SLACK


def test_report(sockservice: Servers) -> None:
    """
    The report of a failed test gives the faults and the seeds of its servers.
    """
    sockservice("echo")
    server = sockservice("echo", faults=[Latency(0.5), Refuse(first=1)])
    later = sockservice("upper", "udp", seed=7)
    later.faults = (Loss(0.3),)
    later.faults = ()
    first, second = sockservice.log().splitlines()[:2]
    assert first.startswith("echo on tcp:127.0.0.1:")
    assert first.endswith(f": faults: latency,delay=0.5 refuse,first=1; seed={server.seed}")
    assert second.endswith(": faults: none now; seed=7")


def test_wrongFault(sockservice: Servers) -> None:
    """
    A fault that the transport cannot have is rejected, when a server starts and when faults change.
    """
    with pytest.raises(ValueError, match=r"^loss,rate=0\.5: expected a fault for connections$"):
        sockservice("echo", faults=[Loss(0.5)])
    server = sockservice("echo", "udp", faults=[Loss(0.5)])
    with pytest.raises(ValueError, match=r"^refuse: expected a fault for datagrams$"):
        server.faults = (Refuse(),)
    assert server.faults == (Loss(0.5),)


# Datagrams.


@pytest.fixture
def datagramClient() -> Iterator[Any]:
    """
    Makes clients for datagrams.
    """
    with ExitStack() as stack:

        def make(server: BackgroundServer) -> socket.socket:
            unix = isinstance(server.address, str)
            client = stack.enter_context(socket.socket(socket.AF_UNIX if unix else socket.AF_INET, socket.SOCK_DGRAM))
            if unix:
                client.bind("")
            client.connect(server.address)
            client.settimeout(5)
            return client

        yield make


def answered(server: BackgroundServer, client: socket.socket, count: int) -> set[int]:
    """
    Send numbered datagrams. @return: the numbers that are answered.
    """
    numbers = set()
    for start in range(0, count, 50):
        for number in range(start, start + 50):
            client.send(b"%d" % number)
        server.wait(start + 50)
        client.setblocking(False)
        try:
            while True:
                numbers.add(int(client.recv(100)))
        except BlockingIOError:
            client.settimeout(5)
    return numbers


@pytest.mark.parametrize("transport", ["udp", "unixgram"])
def test_loss(sockservice: Servers, datagramClient: Any, transport: str) -> None:
    """
    The same seed loses the same of 1000 datagrams, within the bounds of the binomial distribution, and another seed
    others. The visits name exactly the missing ones.
    """
    received = []
    for seed in (7, 7, 8):
        server = sockservice("echo", transport, faults=[Loss(0.3, direction="in")], seed=seed)
        received.append(answered(server, datagramClient(server), 1000))
        lost = [visit.serial - 1 for visit in server.visits if visit.outcome is Outcome.LOST]
        assert {*lost} == {*range(1000)} - received[-1]
        # 99.9 % of the binomial distribution of 1000 draws of 0.3.
        assert 252 <= len(lost) <= 348
    assert received[0] == received[1] != received[2]


@pytest.mark.parametrize("transport", ["udp", "unixgram"])
def test_jitter(sockservice: Servers, datagramClient: Any, transport: str) -> None:
    """
    Each of 200 datagrams is delayed within the jitter.
    """
    server = sockservice("echo", transport, faults=[Latency(0.03, jitter=0.02, direction="out")], seed=7)
    client = datagramClient(server)
    sent: list[float] = []
    times: list[float] = []
    for start in range(0, 200, 20):
        for number in range(start, start + 20):
            sent.append(time.monotonic())
            client.send(b"%d" % number)
        for _ in range(20):
            number = int(client.recv(100))
            times.append(time.monotonic() - sent[number])
    assert 0.01 <= min(times) < 0.02
    assert max(times) > 0.04
    assert sorted(times)[100] < 0.05 + SLACK


# Factories and transports of Twisted's own.


class Page(Resource):
    """
    A page of the web.
    """

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        """
        A long page.
        """
        return b"page" * 50_000


class TwistedFactoryTests(LoopCase):
    """
    Faults around factories of Twisted's, on transports of Twisted's.
    """

    def serve(self, factory: Any, *faults: Fault) -> tuple[FaultyFactory, socket.socket]:
        """
        Serve on Twisted's own TCP port, and connect a client.
        """
        faulty = FaultyFactory(factory, faults, seed=7, clock=self.reactor)
        layers: list[Any] = []
        build = faulty.buildProtocol

        def buildProtocol(addr: Any) -> Any:
            layers.append(build(addr))
            return layers[-1]

        faulty.buildProtocol = buildProtocol
        port = self.reactor.listenTCP(0, faulty, interface="127.0.0.1")
        client = self.connect(port.getHost())

        def stop() -> None:
            client.close()
            self.until(lambda: not any(layer.transport._transport.connected for layer in layers))
            self.wait(port.stopListening())

        self.addCleanup(stop)
        return faulty, client

    def test_echo(self) -> None:
        """
        Twisted's Echo is delayed and cut, and each byte arrives by itself.
        """
        faulty, client = self.serve(Factory.forProtocol(TwistedEcho), Latency(0.1), Slice(1))
        start = time.monotonic()
        client.sendall(bytes(range(100)))
        self.assertEqual(self.receive(client, 100), bytes(range(100)))
        self.assertGreaterEqual(time.monotonic() - start, 0.2)
        self.assertEqual(arrived(client), (100, 100))
        self.assertEqual(faulty.counts["slice"], 100)

    def test_limit(self) -> None:
        """
        A limit is exact on Twisted's transports, and resets.
        """
        _, client = self.serve(Factory.forProtocol(TwistedEcho), Limit(1000, "reset"))
        client.sendall(bytes(5000))
        self.assertEqual(self.receive(client, 1000), bytes(1000))
        self.assertRaises(ConnectionResetError, self.receive, client)

    def test_slicesOfAClientThatDoesNotRead(self) -> None:
        """
        Slices have segments of their own also if the client does not read: then its kernel delays the acknowledgements,
        and the congestion window is full after ten segments.
        """
        layers: Any = [StreamFaults([Slice(1)], seed=7, clock=self.reactor)]
        service = streamService("tcp:0", Echo, reactor=self.reactor, record=lambda visit: None, layers=layers)
        service.startService()
        self.addCleanup(lambda: self.wait(service.stopService()))
        assert service.port is not None
        client = self.connect(service.port.getHost())
        client.sendall(bytes(100))
        self.until(lambda: arrived(client)[0] == 100)
        self.assertEqual(arrived(client)[1], 100)

    def test_recordOfAServedFactory(self) -> None:
        """
        A connection of a factory that a service limits is recorded with its faults.
        """
        visits: list[Visit] = []
        layers: Any = [StreamFaults([Limit(3, "reset")], seed=7, clock=self.reactor)]
        factory: Any = Factory.forProtocol(TwistedEcho)
        service = streamService("tcp:0", factory, reactor=self.reactor, record=visits.append, layers=layers)
        service.startService()
        self.addCleanup(lambda: self.wait(service.stopService()))
        assert service.port is not None
        client = self.connect(service.port.getHost())
        client.sendall(b"hello")
        self.assertEqual(self.receive(client, 3), b"hel")
        self.until(lambda: visits)
        self.assertEqual((visits[0].outcome, visits[0].faults), (Outcome.FAULT, (("limit", 1),)))

    def test_site(self) -> None:
        """
        A web site answers through faults, two requests on one connection; and through a limit in part.
        """
        request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
        faults = [Latency(0.05), Bandwidth(2_000_000), Slice(3000)]
        _, client = self.serve(Site(Page(), reactor=self.reactor), *faults)
        for _ in range(2):
            client.sendall(request)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += self.receive(client, 1)
            self.assertIn(b"200 OK", head)
            self.assertEqual(self.receive(client, 200_000), b"page" * 50_000)
        client.close()
        _, client = self.serve(Site(Page(), reactor=self.reactor), Limit(500))
        client.sendall(request)
        self.assertEqual(len(self.receive(client, 1000)), 500)


class MemoryTests(LoopCase):
    """
    The memory of connections with faults, whose peer sends and does not read.
    """

    def test_memory(self) -> None:
        """
        A connection holds less than 128 KiB in user space, on transports of this project and of Twisted's.
        """
        cases: list[tuple[Any, list[Fault]]] = [
            (Echo, [Latency(0.02)]),
            (Echo, [Latency(0.02), Bandwidth(200_000), Slice(1000)]),
            (Echo, [Slice(10)]),
            (Chargen, [Latency(0.02)]),
            (Discard, [Latency(0.02), Latency(0.02, jitter=0.02)]),
        ]
        for responder, faults in cases:
            factory = StreamFactory(responder, record=lambda visit: None, clock=self.reactor)
            layers: Any = [StreamFaults(faults, seed=7, clock=self.reactor)]
            service = streamService("tcp:0", responder, reactor=self.reactor, record=lambda visit: None, layers=layers)
            service.startService()
            faulty = FaultyFactory(factory, faults, seed=7, clock=self.reactor)
            plain = self.reactor.listenTCP(0, faulty, interface="127.0.0.1")
            ports: list[tuple[Any, Any]] = [(service.port, service._served.protocols), (plain, factory.protocols)]
            for port, protocols in ports:
                client, sent, most = self.connect(("127.0.0.1", port.getHost().port)), 0, 0
                end = time.monotonic() + 0.4
                while time.monotonic() < end:
                    with contextlib.suppress(BlockingIOError):
                        sent += client.send(bytes(1 << 20))
                    self.reactor.iterate(0.001)
                    for protocol in protocols:
                        layer: Any = protocol.transport
                        most = max(most, layer.userspaceBytes() + layer._inbound.held)
                self.assertTrue(65536 < most < 131072, (most, faults))
                closeWithReset(client)
            self.until(partial(not_, factory.protocols))
            self.wait(plain.stopListening())
            self.wait(service.stopService())


# The command.


def test_command() -> None:
    """
    Faults of the command line hold for a service, or for all that can have them. The log repeats them with the seed.
    """
    options = [
        *("--proto", "all", "--service", "echo=0", "--service", "upper=0", "--seed", "7"),
        *("--fault", "echo:latency,delay=0.2", "--fault", "upper:latency,delay=0.2,direction=out"),
        *("--fault", "loss,rate=100%,first=1", "--log-format", "json"),
    ]
    with Twistd(*options) as server:
        notice = server.waitFor("^faults: ")
        assert notice == (
            "faults: --fault echo:latency,delay=0.2 --fault echo:loss,rate=1,first=1 "
            "--fault upper:latency,delay=0.2,direction=out --fault upper:loss,rate=1,first=1 --seed 7"
        )
        for service, seconds in (("echo", 0.4), ("upper", 0.2)):
            with socket.create_connection(server.address(service)) as client:
                for _ in range(2):
                    assert seconds <= roundTrip(client) < seconds + SLACK
            with socket.socket(type=socket.SOCK_DGRAM) as client:
                client.connect(server.address(service, "udp"))
                client.settimeout(5)
                client.send(b"lost")
                server.waitFor(f"{service} udp .* not answered: lost")
                assert seconds <= roundTrip(client) < seconds + SLACK
        server.waitFor("upper tcp .* done")
    fields = [line["faults"] for line in map(json.loads, server.lines) if "faults" in line]
    assert all(isinstance(each, dict) for each in fields), fields
    visits = [line for line in map(json.loads, server.lines) if line.get("outcome") == "done"]
    assert [line["faults"] for line in visits] == [{"latency": 6}, {"latency": 3}]
    assert "sent, latency 6" in visits[0]["event"]
    (totals,) = [line["totals"] for line in map(json.loads, server.lines) if "totals" in line]
    assert totals["faults"]["latency"] >= 12


def test_randomSeed() -> None:
    """
    Without a seed there is a random one, which the log names.
    """
    seeds = set()
    for _ in range(2):
        with Twistd("--service", "echo=0", "--fault", "refuse,first=3") as server:
            notice = server.waitFor("faults: --fault echo:refuse,first=3 --seed")
            seeds.add(int(notice.rpartition(" ")[2]))
            for _ in range(3):
                with socket.create_connection(server.address("echo")) as client, pytest.raises(ConnectionResetError):
                    client.recv(1)
            with socket.create_connection(server.address("echo")) as client:
                assert roundTrip(client) < SLACK
    assert len(seeds) == 2


@pytest.mark.parametrize("fault", ["hang", "latency,delay=1000", "limit,bytes=1,then=hang", "bandwidth,rate=1"])
def test_drain(fault: str) -> None:
    """
    Whatever a fault holds back, SIGTERM ends the server within C{--drain}.
    """
    with (
        Twistd("--service", "echo=0", "--fault", fault, "--drain", "1") as server,
        socket.create_connection(server.address("echo")) as client,
    ):
        client.sendall(b"hello")
        start = time.monotonic()
        server.stop()
        assert time.monotonic() - start < 2.5
        server.waitFor("echo tcp .* drained")
