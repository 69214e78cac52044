"""
What the server guarantees, put to the test from outside: hostile and unlucky peers on loopback, bounded in number and
time. T01 to T30 are their names in the list of what can go wrong.
"""

from __future__ import annotations

import hashlib
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
from pathlib import Path

import pytest

from sockservices.registry import names
from tests.support.soak import soak
from tests.support.sockets import closeWithReset
from tests.support.twistd import Twistd, environment
from tests.support.watched import Probe, Watched, readToEnd, sender

MIB = 1 << 20

#: A wall clock that is set by writing to a file, as the first thing that a Python process imports.
SETTABLE = """
import pathlib, time

real = time.time
time.time = lambda: real() + float(pathlib.Path({offset!r}).read_text() or 0)
"""

#: Loopback addresses that stand for peers of their own.
SOURCES = [f"127.0.0.{last}" for last in range(2, 10)]


def connect(address: tuple[str, int], source: str = "127.0.0.1", seconds: float = 20) -> socket.socket:
    """
    A connection from a source of choice.
    """
    return socket.create_connection(address, seconds, (source, 0))


def ask(address: tuple[str, int], words: bytes) -> bytes:
    """
    Say something, and hear what is said to it. A reset may come at any moment, that of connecting included.
    """
    with connect(address) as client:
        client.sendall(words)
        return client.recv(65536)


def together(run: Callable[[int], None], count: int) -> None:
    """
    Run so many at the same time.
    """
    faults: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            run(number)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults


def test_halfClosedPeersGetEveryByte() -> None:
    """
    Whoever sends, ends its side, and then reads gets every byte and a clean end (T03).
    """
    with Watched("--service", "echo=0", "--service", "upper=0") as server:

        def converse(number: int) -> None:
            sent = random.Random(number).randbytes((0, 1, 65536, 8 * MIB)[number % 4])
            service, expected = (("echo", sent), ("upper", sent.upper()))[number // 4 % 2]
            with connect(server.address(service)) as client:
                writer = sender(client, sent)
                assert readToEnd(client) == expected
                writer.join()

        together(converse, 8)
        for number in range(200):
            if number % 4 != 3:
                converse(number)


def test_everyServiceEndsCleanlyAfterAHalfClose() -> None:
    """
    The end is a clean one, whatever was sent and whether it was wanted (T03).
    """
    with Watched("--service", "all=0") as server:
        for number, service in enumerate(names() * 3):
            with connect(server.address(service)) as client:
                with suppress(ConnectionError):
                    client.sendall(bytes((0, 1, 65536)[number // len(names())]))
                with suppress(OSError):
                    client.shutdown(socket.SHUT_WR)
                readToEnd(client)


def test_wordsAreNotDestroyedByAReset() -> None:
    """
    A service that speaks and ends is understood even by a peer that goes on sending (fact: unread input resets).
    """
    with Watched("--service", "all=0") as server:
        for service, words in {"greet": b"connected", "welcome": b"please go out!"}.items():
            for _ in range(50):
                with connect(server.address(service)) as client:
                    client.sendall(b"x" * 200_000)
                    time.sleep(0.002)
                    assert client.recv(100) == words


def test_aSlowReaderGetsEveryByte() -> None:
    """
    8 MiB echoed to a peer that half-closes and reads slower than the stall deadline alone would allow: byte for byte.
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
    A peer that offers 8 MiB and never reads costs bounded memory, and is reset at its deadline (T02).
    """
    listener = f"{service}=tcp:0" if transport == "tcp" else f"{service}=unix:{tmp_path}/socket"
    with (
        Watched("--listen", listener, "--listen", "echo=tcp:0", "--stall-timeout", "2") as server,
        ExitStack() as stack,
    ):
        probe = stack.enter_context(Probe(server.address("echo")))
        peers = []
        began = time.monotonic()
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
        assert 1.9 < time.monotonic() - began < 4
        for peer in peers:
            peer.settimeout(5)
            with pytest.raises(ConnectionError) if transport == "tcp" else suppress(ConnectionError):
                while peer.recv(1 << 20):
                    pass
        assert probe.worst() < 0.05


def test_aPeerThatIsOwedLittleStallsAsSoon() -> None:
    """
    What is owed need not fill a buffer: a peer that takes nothing of it is reset as soon as any other.
    """
    with Watched("--service", "echo=0", "--stall-timeout", "2") as server, socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect(server.address("echo"))
        peer.sendall(bytes(60_000))
        said = server.waitFor("stalled", 10)
        assert 2 <= float(re.findall(r"([\d.]+) s,", said)[0]) < 2.6


def test_anUrgentByteStaysInItsPlace() -> None:
    """
    TCP's urgent data is data.
    """
    with Watched("--service", "echo=0") as server, connect(server.address("echo")) as client:
        client.send(b"ab")
        client.send(b"c", socket.MSG_OOB)
        client.send(b"d")
        client.shutdown(socket.SHUT_WR)
        assert readToEnd(client) == b"abcd"


def test_limitsHoldBehindAWrapper() -> None:
    """
    The limits hold for connections with a PROXY header.
    """
    listener = "tcp:0:interface=127.0.0.1"
    arguments = ("--listen", f"daytime=haproxy:{listener}", "--listen", f"echo=haproxy:{listener}")
    with Watched(*arguments, "--max-connections", "1", "--close-grace", "1") as server:
        header = b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n"
        with connect(server.address("daytime")) as client:
            client.sendall(header)
            assert len(readToEnd(client)) == 26
        server.waitFor("daytime tcp .* finished")
        with connect(server.address("echo")) as held:
            held.sendall(header + b"a")
            assert held.recv(10) == b"a"
            for _ in range(20):
                with suppress(ConnectionError):
                    assert ask(server.address("echo"), header) == b""
        server.waitForCount("refused", 1, 15)


def test_silentPeersAreEndedAtTheirDeadline() -> None:
    """
    Whoever connects and is silent, or says a byte now and then to a service that waits for more, is ended (T01).
    """
    with Watched("--service", "all=0", "--timeout", "1", "--idle-timeout", "1.5") as server:
        deadlines = {"welcome": 1.0, "echo": 1.5, "upper": 1.5, "discard": 1.5, "hello": 1.5}
        with Probe(server.address("echo")) as probe, ExitStack() as stack:
            clients = [
                (service, stack.enter_context(connect(server.address(service), SOURCES[number % 8])), time.monotonic())
                for service in sorted(deadlines, key=lambda name: deadlines[name])
                for number in range(20)
            ]
            for service, client, began in clients:
                assert client.recv(1) == b""
                assert abs(time.monotonic() - began - deadlines[service]) < 0.5, service
        assert probe.worst() < 0.05


def test_resetsLeaveNothingBehind() -> None:
    """
    Peers that reset in the middle of a write, before they are accepted, or while paused: all released (T04).
    """
    with Watched("--service", "echo=0", "--service", "chargen=0") as server:
        for number in range(500):
            client = connect(server.address(("echo", "chargen")[number % 2]))
            if number % 3:
                client.setblocking(False)
                with suppress(BlockingIOError):
                    client.send(bytes(MIB))
            closeWithReset(client)


def test_theLimitInAllHoldsAcrossServices() -> None:
    """
    Eight connections in all: the ninth is refused, whichever service it asks, and a slot is free at once (T08).
    """
    with Watched("--service", "echo=0", "--service", "upper=0", "--max-connections", "8") as server:
        with ExitStack() as stack:
            for number in range(8):
                client = stack.enter_context(connect(server.address(("echo", "upper")[number % 2])))
                client.sendall(b"a")
                assert client.recv(1) in (b"a", b"A")
            for service in ("echo", "upper"):
                began = time.monotonic()
                with connect(server.address(service)) as ninth, suppress(ConnectionError):
                    assert ninth.recv(1) == b""
                assert time.monotonic() - began < 0.1
            client.close()
            time.sleep(0.05)
            with connect(server.address("echo")) as again:
                again.sendall(b"a")
                assert again.recv(1) == b"a"
        server.stop()
        assert sum(map(int, re.findall(r"(\d+) refused", server.log))) == 2


def test_theLimitPerSourceHolds() -> None:
    """
    Five connections from a source: of twenty, five are served and fifteen refused; another source is not hindered.
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


def test_theRateOfConnectionsHolds() -> None:
    """
    Fifty connections a second from a source, after a burst of a hundred: the excess is refused, nothing is switched off
    (T09).
    """
    with Watched("--service", "daytime=0", "--max-rate", "50") as server:

        def served(source: str) -> bool:
            with connect(server.address("daytime"), source) as client, suppress(ConnectionError):
                return len(client.recv(100)) == 26
            return False

        began = time.monotonic()
        count = 0
        for number in range(400):
            time.sleep(max(0.0, began + number / 200 - time.monotonic()))
            count += served("127.0.0.2")
        elapsed = time.monotonic() - began
        assert abs(count - (100 + 50 * elapsed)) <= 6
        assert served("127.0.0.3")


def test_aFloodOfDatagramsDoesNotStopTheRest() -> None:
    """
    100,000 empty datagrams, as fast as they go: TCP is served throughout, and replies keep to their rate (T13).
    """
    with Watched("--listen", "echo=tcp:0", "--listen", "echo=udp:0", "--udp-rate", "20") as server:
        with Probe(server.address("echo")) as probe, socket.socket(type=socket.SOCK_DGRAM) as flood:
            flood.connect(server.address("echo", "udp"))
            began = time.monotonic()
            for _ in range(100_000):
                with suppress(OSError):
                    flood.send(b"")
            elapsed = time.monotonic() - began
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
    For every service: at most one reply, no longer than the request, or 40 bytes (T12 over the wire, some sizes).
    """
    with Watched("--service", "all=0", "--proto", "udp") as server:
        for service in names():
            with socket.socket(type=socket.SOCK_DGRAM) as client:
                client.connect(server.address(service, "udp"))
                client.settimeout(0.05)
                replies = 0
                for size in (0, 1, 39, 40, 41, 200, 600):
                    client.send(bytes(size))
                    with suppress(TimeoutError):
                        assert len(client.recv(65536)) <= max(size, 40), service
                        replies += 1
                        client.recv(65536)
                        pytest.fail(f"{service} replied twice")
                assert bool(replies) is (service != "discard"), service


def test_serversDoNotAnswerEachOther() -> None:
    """
    Nothing from a port of the server's own, from a privileged one, or from 2049 is answered; a reflector on any other
    port is answered until its burst is used up (T14).
    """
    with Watched("--proto", "udp", "--service", "echo=0", "--service", "chargen=0", "--udp-rate", "20") as server:
        port = server.address("echo", "udp")[1]
        for source in (server.address("chargen", "udp")[1], 2049, 7, 1023):
            with socket.socket(type=socket.SOCK_DGRAM) as client, suppress(PermissionError):
                client.bind(("127.0.0.2", source))
                client.settimeout(0.2)
                client.sendto(b"echo me", ("127.0.0.1", port))
                with pytest.raises(TimeoutError):
                    client.recv(100)
        with socket.socket(type=socket.SOCK_DGRAM) as reflector:
            reflector.bind(("127.0.0.3", 0))
            reflector.settimeout(0.5)
            reflector.sendto(b"again and again", ("127.0.0.1", port))
            began, count = time.monotonic(), 0
            with suppress(TimeoutError):
                while time.monotonic() - began < 2:
                    reply, address = reflector.recvfrom(100)
                    count += 1
                    reflector.sendto(reply, address)
            # The datagram that finds the bucket empty is dropped, and the loop has ended.
            assert 40 <= count <= 80
        server.waitFor("privileged source port")
        assert server.log.count("privileged source port") == 1


def test_broadcastsAreNotAnswered() -> None:
    """
    Neither to all of a network of this host, nor to everybody.
    """
    with Watched("--listen", "hello=udp:0:interface=0.0.0.0") as server:
        port = server.address("hello", "udp", "0.0.0.0")[1]
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            client.settimeout(0.3)
            client.sendto(b"anybody?", ("127.255.255.255", port))
            with pytest.raises(TimeoutError):
                client.recv(100)
            client.sendto(b"you there?", ("127.0.0.1", port))
            assert client.recv(100) == b"hello"
        server.waitFor("not answered: broadcast")


def test_unixSourcesOfNoFixedPlaceAreNotAnswered(tmp_path: Path) -> None:
    """
    A client's relative name would be looked up in the server's folder: there it may be the server's own.
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


def test_repliesLeaveFromTheAddressThatWasAsked() -> None:
    """
    On a wildcard socket as well.
    """
    with Watched("--listen", "echo=udp:0:interface=0.0.0.0") as server:
        port = server.address("echo", "udp", "0.0.0.0")[1]
        for asked in SOURCES:
            with socket.socket(type=socket.SOCK_DGRAM) as client:
                client.settimeout(5)
                client.sendto(b"from where?", (asked, port))
                assert client.recvfrom(100) == (b"from where?", (asked, port))


def test_nothingThatAPeerSendsForgesALogLine() -> None:
    """
    Control characters, line ends and bytes of no encoding are shown quoted (T17).
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


def test_aClockThatIsSetEndsNothing(tmp_path: Path) -> None:
    """
    The wall clock is set an hour forward, and two back: no deadline moves, and C{time} tells the new time (T27).
    """
    offset = tmp_path / "offset"
    offset.write_text("0")
    (tmp_path / "sitecustomize.py").write_text(SETTABLE.format(offset=str(offset)))
    path = f"{tmp_path}:{environment()['PYTHONPATH']}"
    arguments = ("--service", "echo=0", "--service", "time=0", "--service", "welcome=0", "--timeout", "2")
    with (
        Twistd(*arguments, env=environment(PYTHONPATH=path)) as server,
        connect(server.address("echo")) as kept,
        connect(server.address("welcome")) as timed,
    ):
        began = time.monotonic()
        for seconds in (0, 3600, -3600):
            offset.write_text(str(seconds))
            with connect(server.address("time")) as client:
                told = int.from_bytes(readToEnd(client), "big") - 2208988800
            assert abs(told - time.time() - seconds) < 2
            kept.sendall(b"still there?")
            assert kept.recv(100) == b"still there?"
        assert timed.recv(1) == b""
        assert abs(time.monotonic() - began - 2) < 0.2


@pytest.mark.slow
def test_steadySlowReadersAreKept() -> None:
    """
    Clients that send 4 MB, end their side and read 2, 5 or 10 kB/s with default buffers are not reset, however rarely
    their kernels acknowledge; when they read the rest, they have every byte. All limits have their defaults.
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

        together(read, 3)
    assert {rate: data == sent for rate, data in received.items()} == {2_000: True, 5_000: True, 10_000: True}


@pytest.mark.slow
def test_tenThousandIdleConnections() -> None:
    """
    Ten thousand connections that say nothing: none refused, at most 20 KiB each, no processor time, all freed (T06).
    """
    arguments = ("--service", "echo=0", "--max-connections", "12000")
    with Watched(*arguments, growth=200 * MIB) as server, ExitStack() as stack:
        with Probe(server.address("echo")) as probe:
            for number in range(10_000):
                client = stack.enter_context(connect(server.address("echo"), SOURCES[number % 8]))
                if number % 100 == 0:
                    client.sendall(b"a")
                    assert client.recv(1) == b"a"
            each = (server.resident() - server.memory) / 10_000
            cpu, began = server.cpu(), time.monotonic()
            time.sleep(3)
            busy = (server.cpu() - cpu) / (time.monotonic() - began)
        assert each < 20 * 1024, f"{each:.0f} bytes each"
        # The probe's own twenty round trips a second are in it.
        assert busy < 0.02, f"{busy:.1%} of a core"
        assert probe.worst() < 0.05
        print(f"{each:.0f} bytes each, {busy:.1%} of a core, probe p99 {probe.worst() * 1000:.1f} ms")


@pytest.mark.slow
def test_longUseLeavesNothing() -> None:
    """
    Twenty clients of all kinds for half a minute; C{python -m tests.support.soak} does it for longer (T30).
    """
    print(soak(30))


@pytest.mark.slow
def test_aThousandPeersThatDoNotRead() -> None:
    """
    A thousand peers that offer 8 MiB each and never read: less than 160 MiB in all, each reset at its deadline, and a
    well-behaved peer is served throughout.
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
