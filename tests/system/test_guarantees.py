"""
The guarantees of docs/guarantees.md, tested with a server process and hostile or slow peers on loopback. T01 to T30 are
the names of the cases in the test matrix.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import re
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from itertools import pairwise
from pathlib import Path

import pytest

from sockservices.registry import names
from tests.support.soak import soak
from tests.support.sockets import closeWithReset
from tests.support.twistd import Twistd, environment
from tests.support.watched import Probe, Watched, exchange, readToEnd, sender

MIB = 1 << 20

#: A wall clock that is set by writing to a file, as the first thing that a Python process imports.
SETTABLE = """
import pathlib, time

real = time.time
time.time = lambda: real() + float(pathlib.Path({offset!r}).read_text() or 0)
"""

#: Loopback addresses, each a source of its own.
SOURCES = [f"127.0.0.{last}" for last in range(2, 10)]


def connect(address: tuple[str, int], source: str = "127.0.0.1", seconds: float = 20) -> socket.socket:
    """
    Connect from this source address.
    """
    return socket.create_connection(address, seconds, (source, 0))


def reply(address: tuple[str, int], message: bytes) -> bytes:
    """
    Send data and return the first reply. The connection may be reset at any time.
    """
    with connect(address) as client:
        client.sendall(message)
        return client.recv(65536)


def runInThreads(run: Callable[[int], None], count: int) -> None:
    """
    Call a function in so many threads.
    """
    faults: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            run(number)
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults


def test_halfClosedPeersGetEveryByte() -> None:
    """
    A peer that sends, closes its side and then reads gets every byte and a clean end (T03).
    """
    with Watched("--service", "echo=0", "--service", "upper=0") as server:

        def converse(number: int) -> None:
            sent = random.Random(number).randbytes((0, 1, 65536, 8 * MIB)[number % 4])
            service, expected = (("echo", sent), ("upper", sent.upper()))[number // 4 % 2]
            with connect(server.address(service)) as client:
                writer = sender(client, sent)
                assert readToEnd(client) == expected
                writer.join()

        runInThreads(converse, 8)
        for number in range(200):
            if number % 4 != 3:
                converse(number)


def test_lastOutputIsNotDestroyedByAReset() -> None:
    """
    The last output of a service that closes arrives although the peer continues to send (unread input resets a
    connection).
    """
    with Watched("--service", "all=0") as server:
        for service, message in {"greet": b"connected", "welcome": b"please go out!"}.items():
            for _ in range(50):
                with connect(server.address(service)) as client:
                    client.sendall(b"x" * 200_000)
                    time.sleep(0.002)
                    assert client.recv(100) == message


def test_aSlowReaderGetsEveryByte() -> None:
    """
    A peer that half-closes and reads slower than the stall timeout gets 8 MiB byte for byte.
    """
    sent = os.urandom(8 * MIB)
    with Watched("--service", "echo=0", "--stall-timeout", "1", "--close-grace", "1") as server:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.settimeout(20)
        client.connect(server.address("echo"))
        writer = sender(client, sent)
        received = bytearray()
        while piece := client.recv(65536):
            received += piece
            if len(received) < 2 * MIB:
                time.sleep(0.05)
        writer.join()
        client.close()
        assert hashlib.sha256(received).digest() == hashlib.sha256(sent).digest()
        assert f"{8 * MIB} bytes received, {8 * MIB} sent" in server.waitFor("echo tcp .* done")


@pytest.mark.parametrize("service", ["echo", "chargen"])
@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_peersThatDoNotReadAreBoundedAndReset(service: str, transport: str, tmp_path: object) -> None:
    """
    A peer that offers 8 MiB and never reads uses bounded memory and is reset at the stall timeout (T02).
    """
    listener = f"{service}=tcp:0" if transport == "tcp" else f"{service}=unix:{tmp_path}/socket"
    with (
        Watched("--listen", listener, "--listen", "echo=tcp:0", "--stall-timeout", "1") as server,
        ExitStack() as stack,
    ):
        probe = stack.enter_context(Probe(server.address("echo")))
        peers = []
        startedAt = time.monotonic()
        for _ in range(10):
            peer = stack.enter_context(socket.socket(socket.AF_UNIX if transport == "unix" else socket.AF_INET))
            peer.connect(server.path(service) if transport == "unix" else server.address(service))
            peer.setblocking(False)
            offered = 0
            with suppress(BlockingIOError):
                while offered < 8 * MIB:
                    offered += peer.send(bytes(65536))
            peers.append(peer)
        time.sleep(0.5)
        assert server.resident() - server.memory < 4 * MIB
        server.waitForCount("stalled", 10, 5)
        assert 0.9 < time.monotonic() - startedAt < 3
        for peer in peers:
            peer.settimeout(5)
            with pytest.raises(ConnectionError) if transport == "tcp" else suppress(ConnectionError):
                while peer.recv(1 << 20):
                    pass
        assert probe.worst() < 0.05


def test_littlePendingOutputStalls() -> None:
    """
    A peer with little pending output that acknowledges nothing is reset at the stall timeout, too.
    """
    with Watched("--service", "echo=0", "--stall-timeout", "1") as server, socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect(server.address("echo"))
        peer.sendall(bytes(60_000))
        logged = server.waitFor("stalled", 10)
        assert 1 <= float(re.findall(r"([\d.]+) s,", logged)[0]) < 1.6


def test_limitsHoldBehindAWrapper() -> None:
    """
    The limits apply to connections with a PROXY header.
    """
    listener = "tcp:0:interface=127.0.0.1"
    arguments = ("--listen", f"daytime=haproxy:{listener}", "--listen", f"echo=haproxy:{listener}")
    with Watched(*arguments, "--max-connections", "1", "--close-grace", "1") as server:
        header = b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n"
        with connect(server.address("daytime")) as client:
            client.sendall(header)
            assert len(readToEnd(client)) == 26
        server.waitFor("daytime tcp .* finished")
        with connect(server.address("echo")) as first:
            first.sendall(header + b"a")
            assert first.recv(10) == b"a"
            for _ in range(20):
                with suppress(ConnectionError):
                    assert reply(server.address("echo"), header) == b""
        server.waitForCount("refused", 1, 15)


def test_silentPeersAreEndedAtTheirDeadline() -> None:
    """
    Silent peers are closed at the deadline of the service or at the idle timeout (T01).
    """
    with Watched("--service", "all=0", "--timeout", "0.5", "--idle-timeout", "1") as server:
        deadlines = {"welcome": 0.5, "echo": 1.0, "upper": 1.0, "discard": 1.0, "hello": 1.0}
        with Probe(server.address("echo")) as probe, ExitStack() as stack:
            clients = [
                (service, stack.enter_context(connect(server.address(service), SOURCES[number % 8])), time.monotonic())
                for service in sorted(deadlines, key=lambda name: deadlines[name])
                for number in range(20)
            ]
            for service, client, startedAt in clients:
                assert client.recv(1) == b""
                assert abs(time.monotonic() - startedAt - deadlines[service]) < 0.5, service
        assert probe.worst() < 0.05


def test_resetsLeaveNothingBehind() -> None:
    """
    Peers that reset while output is written, before they are accepted, or while reading is paused are released (T04):
    memory does not grow with the number of connections. A turn of the reactor accepts up to 64 connections, each with
    128 KiB of buffers, and the process keeps the memory of the largest turn.
    """
    with Watched("--service", "echo=0", "--service", "chargen=0", growth=16 << 20) as server:
        memory = []
        for number in range(1000):
            if not number % 125:
                memory.append(server.resident())
            client = connect(server.address(("echo", "chargen")[number % 2]))
            if number % 3:
                client.setblocking(False)
                with suppress(BlockingIOError):
                    client.send(bytes(MIB))
            closeWithReset(client)
        assert min(after - before for before, after in pairwise(memory)) < MIB


def test_maxConnectionsCountsAllServices() -> None:
    """
    The limit of connections applies to all services together. A slot is free as soon as a connection ends (T08).
    """
    with Watched("--service", "echo=0", "--service", "upper=0", "--max-connections", "8") as server:
        with ExitStack() as stack:
            for number in range(8):
                client = stack.enter_context(connect(server.address(("echo", "upper")[number % 2])))
                client.sendall(b"a")
                assert client.recv(1) in (b"a", b"A")
            for service in ("echo", "upper"):
                startedAt = time.monotonic()
                with connect(server.address(service)) as ninth, suppress(ConnectionError):
                    assert ninth.recv(1) == b""
                assert time.monotonic() - startedAt < 0.1
            client.close()
            time.sleep(0.05)
            with connect(server.address("echo")) as again:
                exchange(again)
        server.stop()
        totals = server.waitFor(r"\btotals: ")
        assert sum(map(int, re.findall(r"(\d+) refused", totals))) == 2


def test_maxPerSourceAffectsOneSource() -> None:
    """
    The limit per source applies to one source and does not affect another.
    """
    with Watched("--service", "echo=0", "--max-per-source", "5") as server, ExitStack() as stack:
        served = 0
        for _ in range(20):
            client = stack.enter_context(connect(server.address("echo"), "127.0.0.2"))
            with suppress(ConnectionError):
                client.sendall(b"a")
                served += client.recv(1) == b"a"
        other = stack.enter_context(connect(server.address("echo"), "127.0.0.3"))
        other.sendall(b"a")
        assert (served, other.recv(1)) == (5, b"a")


def test_maxRateLimitsConnections() -> None:
    """
    A source gets 50 connections per second after a burst of 100. Only the excess is refused (T09).
    """
    with Watched("--service", "daytime=0", "--max-rate", "50") as server:

        def served(source: str) -> bool:
            with connect(server.address("daytime"), source) as client, suppress(ConnectionError):
                return len(client.recv(100)) == 26
            return False

        startedAt = time.monotonic()
        count = 0
        for number in range(300):
            time.sleep(max(0.0, startedAt + number / 300 - time.monotonic()))
            count += served("127.0.0.2")
        elapsed = time.monotonic() - startedAt
        assert abs(count - (100 + 50 * elapsed)) <= 6
        assert served("127.0.0.3")


def test_datagramFloodDoesNotStopOthers() -> None:
    """
    During a flood of 100,000 empty datagrams TCP is served, and the replies keep to their rate (T13).
    """
    with Watched("--listen", "echo=tcp:0", "--listen", "echo=udp:0", "--udp-rate", "20") as server:
        with Probe(server.address("echo")) as probe, socket.socket(type=socket.SOCK_DGRAM) as flood:
            flood.connect(server.address("echo", "udp"))
            startedAt = time.monotonic()
            for _ in range(100_000):
                with suppress(OSError):
                    flood.send(b"")
            elapsed = time.monotonic() - startedAt
            time.sleep(0.3)
            flood.setblocking(False)
            replies = 0
            with suppress(BlockingIOError):
                while True:
                    flood.recv(1)
                    replies += 1
        assert probe.worst() < 0.1
        assert 1 <= replies <= 40 + 20 * (elapsed + 0.3) + 1


def test_noReplyIsLongerThanItMayBe() -> None:
    """
    Every service sends at most one reply, with at most as many bytes as the request, or 40 (T12).
    """
    with Watched("--service", "all=0", "--proto", "udp") as server, ExitStack() as stack:
        clients = []
        for service, size in itertools.product(names(), (0, 1, 39, 40, 41, 200, 600)):
            client = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            client.connect(server.address(service, "udp"))
            client.settimeout(0.3)
            client.send(bytes(size))
            clients.append((service, size, client))
        with suppress(TimeoutError):
            clients[0][2].recv(65536, socket.MSG_PEEK)
        time.sleep(0.3)
        replied = set()
        for service, size, client in clients:
            client.setblocking(False)
            with suppress(BlockingIOError):
                assert len(client.recv(65536)) <= max(size, 40), service
                replied.add(service)
                client.recv(65536)
                pytest.fail(f"{service} replied twice")
        assert replied == set(names()) - {"discard"}


def test_serversDoNotAnswerEachOther() -> None:
    """
    Datagrams from the server's own ports, from privileged ports and from 2049 are not answered. A loop with any other
    port ends with the burst (T14).
    """
    with Watched("--proto", "udp", "--service", "echo=0", "--service", "chargen=0", "--udp-rate", "20") as server:
        port = server.address("echo", "udp")[1]
        for source in (server.address("chargen", "udp")[1], 2049, 7, 1023):
            with socket.socket(type=socket.SOCK_DGRAM) as client, suppress(PermissionError):
                client.bind(("127.0.0.2", source))
                client.settimeout(0.2)
                client.sendto(b"hello", ("127.0.0.1", port))
                with pytest.raises(TimeoutError):
                    client.recv(100)
        with socket.socket(type=socket.SOCK_DGRAM) as reflector:
            reflector.bind(("127.0.0.3", 0))
            reflector.settimeout(0.5)
            reflector.sendto(b"loop", ("127.0.0.1", port))
            startedAt, count = time.monotonic(), 0
            with suppress(TimeoutError):
                while time.monotonic() - startedAt < 2:
                    reply, address = reflector.recvfrom(100)
                    count += 1
                    reflector.sendto(reply, address)
            # The datagram that finds the bucket empty is dropped, and the loop has ended.
            assert 40 <= count <= 80
        server.waitFor("privileged source port")
        assert server.log.count("privileged source port") == 1


def test_broadcastsAreNotAnswered() -> None:
    """
    A datagram to a broadcast address is not answered.
    """
    with Watched("--listen", "hello=udp:0:interface=0.0.0.0") as server:
        port = server.address("hello", "udp", "0.0.0.0")[1]
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            client.settimeout(0.3)
            client.sendto(b"hello", ("127.255.255.255", port))
            with pytest.raises(TimeoutError):
                client.recv(100)
            client.sendto(b"hello", ("127.0.0.1", port))
            assert client.recv(100) == b"hello"
        server.waitFor("not answered: broadcast")


def test_relativeUnixSourcesAreNotAnswered(tmp_path: Path) -> None:
    """
    A relative source path is not answered: the server would resolve it in its working directory, where it can be the
    path of the server's socket.
    """
    (tmp_path / "client").mkdir()
    with Watched("--listen", f"echo=unixgram:{tmp_path}/socket", cwd=tmp_path) as server:
        script = (
            "import socket, sys; s = socket.socket(socket.AF_UNIX, 2); s.bind('socket'); s.sendto(b'x', sys.argv[1])"
        )
        path = server.path("echo", "unixgram")
        subprocess.run([sys.executable, "-c", script, path], cwd=tmp_path / "client", check=True, timeout=10)
        server.waitFor("not answered: source address")
        cpu = server.cpu()
        time.sleep(0.5)
        assert server.cpu() - cpu < 0.1


def test_repliesLeaveFromTheDestinationAddress() -> None:
    """
    On a wildcard socket a reply leaves from the address that the request was sent to.
    """
    with Watched("--listen", "echo=udp:0:interface=0.0.0.0") as server:
        port = server.address("echo", "udp", "0.0.0.0")[1]
        for host in SOURCES:
            with socket.socket(type=socket.SOCK_DGRAM) as client:
                client.settimeout(5)
                client.sendto(b"hello", (host, port))
                assert client.recvfrom(100) == (b"hello", (host, port))


def test_peersCannotForgeLogLines() -> None:
    """
    Control characters, line ends and undecodable bytes are quoted in the log (T17).
    """
    with Watched("--service", "echo=0", "--show") as server:
        for number in range(100):
            with connect(server.address("echo")) as client:
                client.sendall(b"\x1b[31m\r\n2026-11-21 forged\0\xff\x80" + bytes([number]))
                client.shutdown(socket.SHUT_WR)
                readToEnd(client)
        with connect(server.address("echo")) as client:
            sent = b"x" * MIB
            writer = sender(client, sent)
            assert readToEnd(client) == sent
            writer.join()
        server.stop()
        assert "\x1b" not in server.log
        assert all(line[:4].isdigit() for line in server.log.splitlines())
        assert not any(line.startswith("2026-11-21 forged") for line in server.log.splitlines())
        assert max(map(len, server.log.splitlines())) < 250


def test_settingTheWallClockMovesNoDeadline(tmp_path: Path) -> None:
    """
    When the wall clock is set forward or back by an hour, no deadline moves, and C{time} sends the new time (T27).
    """
    offset = tmp_path / "offset"
    offset.write_text("0")
    (tmp_path / "sitecustomize.py").write_text(SETTABLE.format(offset=str(offset)))
    path = f"{tmp_path}:{environment()['PYTHONPATH']}"
    arguments = ("--service", "echo=0", "--service", "time=0", "--service", "welcome=0", "--timeout", "1")
    with (
        Twistd(*arguments, env=environment(PYTHONPATH=path)) as server,
        connect(server.address("echo")) as idle,
        connect(server.address("welcome")) as timed,
    ):
        startedAt = time.monotonic()
        for seconds in (0, 3600, -3600):
            offset.write_text(str(seconds))
            with connect(server.address("time")) as client:
                wallTime = int.from_bytes(readToEnd(client), "big") - 2208988800
            assert abs(wallTime - time.time() - seconds) < 2
            exchange(idle)
        assert timed.recv(1) == b""
        assert abs(time.monotonic() - startedAt - 1) < 0.2


@pytest.mark.slow
def test_steadySlowReadersAreKept() -> None:
    """
    Peers that send 4 MB, close their side and read 2, 5 or 10 kB/s with default buffers get every byte, however rarely
    their kernels acknowledge. All limits have their defaults.
    """
    sent = os.urandom(4_000_000)
    received: dict[int, bytes] = {}
    with Watched("--service", "echo=0") as server:

        def read(number: int) -> None:
            rate = (2_000, 5_000, 10_000)[number]
            with connect(server.address("echo")) as client:
                thread = sender(client, sent)
                pieces = []
                for _ in range(700):
                    pieces.append(client.recv(rate // 10))
                    time.sleep(0.1)
                pieces.append(readToEnd(client))
                thread.join()
                received[rate] = b"".join(pieces)

        runInThreads(read, 3)
    assert {rate: data == sent for rate, data in received.items()} == {2_000: True, 5_000: True, 10_000: True}


@pytest.mark.slow
def test_tenThousandIdleConnections() -> None:
    """
    Ten thousand idle connections are accepted, use at most 20 KiB each and no CPU time, and are released (T06).
    """
    arguments = ("--service", "echo=0", "--max-connections", "12000")
    with Watched(*arguments, growth=200 * MIB) as server, ExitStack() as stack:
        with Probe(server.address("echo")) as probe:
            for number in range(10_000):
                client = stack.enter_context(connect(server.address("echo"), SOURCES[number % 8]))
                if number % 100 == 0:
                    exchange(client)
        each = (server.resident() - server.memory) / 10_000
        cpu, startedAt = server.cpu(), time.monotonic()
        time.sleep(3)
        busy = (server.cpu() - cpu) / (time.monotonic() - startedAt)
        assert each < 20 * 1024, f"{each:.0f} bytes each"
        assert busy < 0.02, f"{busy:.1%} of a core"
        assert probe.worst() < 0.05
        print(f"{each:.0f} bytes each, {busy:.1%} of a core, probe p99 {probe.worst() * 1000:.1f} ms")


@pytest.mark.slow
def test_longUseLeaksNothing() -> None:
    """
    Twenty clients of every kind leak no memory and no descriptors in 30 s (T30).
    """
    print(soak(30))


@pytest.mark.slow
def test_aThousandPeersThatDoNotRead() -> None:
    """
    A thousand peers that offer 8 MiB each and never read use less than 160 MiB together and are reset at the stall
    timeout. A well-behaved peer is served meanwhile.
    """
    arguments = ("--service", "echo=0", "--max-connections", "2000", "--stall-timeout", "5")
    with Watched(*arguments, growth=160 * MIB) as server:
        with Probe(server.address("echo")) as probe, ExitStack() as stack:
            ready = stack.enter_context(selectors.DefaultSelector())
            offered: dict[socket.socket, int] = {}
            piece = bytes(65536)
            for _ in range(1000):
                peer = stack.enter_context(socket.socket())
                for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                    peer.setsockopt(socket.SOL_SOCKET, option, 65536)
                peer.connect(server.address("echo"))
                peer.setblocking(False)
                offered[peer] = 0
                ready.register(peer, selectors.EVENT_WRITE)
            highest, resets, until = 0, 0, time.monotonic() + 40
            while resets < 1000 and time.monotonic() < until:
                for key, _ in ready.select(0.2):
                    peer = key.fileobj  # type: ignore[assignment]
                    try:
                        offered[peer] += peer.send(piece)
                    except BlockingIOError:
                        pass
                    except ConnectionError:
                        resets += 1
                        ready.unregister(peer)
                        continue
                    if offered[peer] >= 8 * MIB:
                        ready.modify(peer, selectors.EVENT_READ)
                highest = max(highest, server.resident() - server.memory)
        assert resets == 1000
        assert highest < 160 * MIB, f"{highest >> 20} MiB"
        # The probe shares its processor with the thousand.
        assert probe.worst() < 1
        print(f"{highest >> 20} MiB at most; probe p99 {probe.worst() * 1000:.1f} ms")
