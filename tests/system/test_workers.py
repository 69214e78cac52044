"""
Several processes that serve the same sockets: C{--workers}.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from operator import sub
from pathlib import Path

import pytest

from tests.support.datagram_load import datagramLoad
from tests.support.twistd import COMMAND, ROOT, environment
from tests.support.watched import readToEnd
from tests.support.workers import EchoLoad, WorkerServer, breakWorkers, echo, isRunning, listens, waitUntil

FOUR = ("--service", "echo=0", "--workers", "4")

needsRoot = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up privileges")


def whoami(address: tuple[str, int]) -> int:
    """
    The serial number of a conversation with the service C{whoami}.
    """
    serial: int = json.loads(echo(address))["serial"]
    return serial


def test_oneServer(tmp_path: Path) -> None:
    """
    Together, the workers have one line for each listener, one ready line, one ports file and unique serial numbers.
    Each line of a worker names it. One line at the stop has the totals of all.
    """
    ports = tmp_path / "ports"
    options = ("--proto", "all", "--ports-file", str(ports), "--service", "whoami=0")
    with WorkerServer(*FOUR, *options) as server:
        assert "ready: 4 listeners, 4 workers" in server.log
        assert len(json.loads(ports.read_text())) == 4
        assert len(server.workers) == 4
        with ExitStack() as stack:
            clients = [stack.enter_context(socket.create_connection(server.address("echo"), 10)) for _ in range(40)]
            for client in clients:
                client.sendall(b"hello")
            assert [client.recv(10) for client in clients] == [b"hello"] * 40
        serials = [whoami(server.address("whoami")) for _ in range(40)]
        assert len(set(serials)) == 40
        assert len({serial >> 40 for serial in serials}) > 1
        with socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            datagrams.settimeout(10)
            datagrams.connect(server.address("echo", "udp"))
            for _ in range(20):
                datagrams.send(b"hi")
                assert datagrams.recv(10) == b"hi"
        server.stop()
    lines = [line for line in server.lines if re.search(r"echo tcp .* done", line)]
    assert len(lines) == 40
    assert all(re.search(r"\[worker [1-4]#info\]", line) for line in lines)
    totals = [line for line in server.lines if "totals:" in line]
    assert len(totals) == 1
    assert "echo 40 conversations (40 done), 200 bytes received, 200 sent" in totals[0]
    assert "echo 20 datagrams (20 answered)" in totals[0]
    assert not ports.exists()


def test_jsonLinesNameTheirWorker() -> None:
    """
    With --log-format json, each line is one object; a line of a worker has its number, and the fields of the
    conversation.
    """
    with WorkerServer(*FOUR, "--log-format", "json") as server:
        echo(server.address("echo"))
        server.waitFor("echo tcp .* done")
        server.stop()
    (line,) = (line for line in map(json.loads, server.lines) if line.get("outcome") == "done")
    assert line["worker"] in range(1, 5)
    assert (line["received"], line["transport"]) == (5, "tcp")


def test_aStartThatFails(tmp_path: Path) -> None:
    """
    When a worker does not start, the server exits with status 1. One line of its log has the last line that the worker
    has printed. No process and no file remains.
    """
    variables = breakWorkers(tmp_path)
    (tmp_path / "broken").write_text("Traceback ...\nno such module\n")
    path = tmp_path / "socket"
    arguments = ["--listen", f"echo=unix:{path}", "--workers", "4"]
    ended = subprocess.run([*COMMAND, *arguments], env=variables, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1, ended.stdout
    assert ended.stdout.count("no such module") == 1, ended.stdout
    assert "--workers 4: a worker did not start: no such module" in ended.stdout
    assert "ready" not in ended.stdout
    assert not path.exists()


def descriptors(pid: int) -> int:
    """
    The number of open descriptors of a process.
    """
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_connectionsAreShared() -> None:
    """
    The workers have equal numbers of connections, to within 20 %. A worker that hangs delays no connection.
    """
    with WorkerServer("--service", "whoami=0", "--service", "echo=0", "--workers", "2") as server:
        before = [descriptors(pid) for pid in server.workers]
        with connections(server.address("echo"), 400) as clients:
            assert sum(map(isServed, clients)) == 400
            fewer, more = sorted(map(sub, map(descriptors, server.workers), before))
            assert fewer + more == 400
            assert more < 1.2 * fewer
        os.kill(server.workers[0], signal.SIGSTOP)
        with connections(server.address("echo"), 50) as clients:
            assert sum(map(isServed, clients)) == 50
        os.kill(server.workers[0], signal.SIGCONT)


def wakes(pid: int) -> int:
    """
    How often a process has waited.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    (count,) = re.findall(r"^voluntary_ctxt_switches:\s+(\d+)$", status, re.MULTILINE)
    return int(count)


def test_oneWorkerWakes() -> None:
    """
    The kernel wakes one worker for a new connection or datagram, not all of them.
    """
    with (
        WorkerServer(*FOUR, "--proto", "all", "--service", "greet=0") as server,
        socket.socket(type=socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(10)
        client.connect(server.address("echo", "udp"))

        def datagram() -> None:
            client.send(b"a")
            assert client.recv(10) == b"a"

        def conversation() -> None:
            assert echo(server.address("greet"), b"") == b"connected"

        # A worker wakes for the connection, and for its end.
        for exchange, most in ((datagram, 1), (conversation, 2)):
            before = sum(map(wakes, server.workers))
            for _ in range(200):
                exchange()
            assert sum(map(wakes, server.workers)) - before < (most + 0.5) * 200


def test_datagramsOfAHungWorker() -> None:
    """
    Each source belongs to one worker. When that worker hangs, another one answers within half a second.
    """
    with WorkerServer(*FOUR, "--proto", "udp") as server, ExitStack() as stack:
        clients = [stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(40)]
        for worker in server.workers[1:]:
            os.kill(worker, signal.SIGSTOP)
        for client in clients:
            client.connect(server.address("echo", "udp"))
            client.settimeout(5)
            client.send(b"a")
        assert [client.recv(10) for client in clients] == [b"a"] * 40
        for worker in server.workers[1:]:
            os.kill(worker, signal.SIGCONT)


def test_aWorkerThatEndsIsReplaced() -> None:
    """
    The log names a worker that ends, and another one takes its place. The server serves all the time.
    """
    with WorkerServer(*FOUR) as server:
        first = server.workers
        server.kill(first[0])
        assert [echo(server.address("echo")) for _ in range(10)] == [b"hello"] * 10
        server.waitFor(r"worker \d ended: signal 9 \(Killed\); another one starts$")
        server.waitFor(r"worker 5 serves: process \d+")
        assert len(server.workers) == 4
        assert set(first[1:]) < set(server.workers)


def test_aWorkerThatEndsAgainAndAgain(tmp_path: Path) -> None:
    """
    Replacements that do not start are tried again, each time after a longer pause.
    """
    with WorkerServer(*FOUR, env=breakWorkers(tmp_path)) as server:
        (tmp_path / "broken").write_text("no such module\n")
        server.kill(server.workers[0])
        server.waitFor("ended: no such module; another one starts in 0.5 s")
        server.waitFor("ended: no such module; another one starts in 1 s")
        assert echo(server.address("echo")) == b"hello"
        (tmp_path / "broken").unlink()
        server.waitFor("serves: process")


def test_noWorkerOutlivesTheSupervisor() -> None:
    """
    SIGKILL of the supervisor ends its workers within 2 s, also one that hangs: no process and no listener remains.
    """
    with WorkerServer(*FOUR) as server:
        workers, address = server.workers, server.address("echo")
        with socket.create_connection(address, 5) as client:
            client.sendall(b"a")
            assert client.recv(1) == b"a"
            os.kill(workers[0], signal.SIGSTOP)
            assert server.stop(signal.SIGKILL) == -signal.SIGKILL
            try:
                waitUntil(lambda: not any(map(isRunning, workers)) and not listens(address), 2)
            finally:
                for worker in workers:
                    with suppress(ProcessLookupError):
                        os.kill(worker, signal.SIGKILL)


@contextmanager
def connections(address: tuple[str, int], count: int) -> Iterator[list[socket.socket]]:
    """
    Connect so many times, and send one byte each time.
    """
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(address, 10)) for _ in range(count)]
        for client in clients:
            client.setblocking(True)
            client.settimeout(10)
            try:
                client.sendall(b"a")
            except OSError:
                continue
        yield clients


def isServed(client: socket.socket) -> bool:
    """
    Whether the byte is echoed, not refused.
    """
    try:
        return client.recv(1) == b"a"
    except ConnectionError:
        return False


@pytest.mark.parametrize("option", ["--max-connections", "--max-per-source"])
def test_theLimitsOnConnectionsHoldForAllWorkers(option: str) -> None:
    """
    Of many connections at the same time, no more are served than the option says. Each place is free again when its
    connection ends, and when its worker is killed.
    """
    with WorkerServer(*FOUR, option, "8") as server:
        address = server.address("echo")

        def allServed() -> bool:
            with connections(address, 8) as clients:
                return sum(map(isServed, clients)) == 8

        for _ in range(10):
            with connections(address, 20) as clients:
                assert sum(map(isServed, clients)) <= 8
            waitUntil(allServed)
        with connections(address, 8):
            server.kill(*server.workers)
        server.waitFor("serves")
        waitUntil(allServed)


@pytest.mark.slow
def test_aLimitHoldsForConnectionsOneAfterTheOther() -> None:
    """
    Of 500 connections, one after the other, never more than 8 are served at once; at the end, exactly 8 are.
    """
    with WorkerServer(*FOUR, "--max-connections", "8") as server, ExitStack() as stack:
        address = server.address("echo")
        served: list[socket.socket] = []
        for number in range(500):
            client = stack.enter_context(socket.create_connection(address, 10))
            client.sendall(b"a")
            if isServed(client):
                served.append(client)
            assert len(served) <= 8
            if number < 400 and len(served) == 8:
                served.pop(0).close()
        assert len(served) == 8


def test_theRatesHoldForAllWorkers() -> None:
    """
    The tokens of a source are the same with all workers: new connections, and replies to datagrams.
    """
    with WorkerServer(*FOUR, "--proto", "all", "--max-rate", "10", "--udp-rate", "10") as server:
        startedAt = time.monotonic()
        with connections(server.address("echo"), 100) as clients:
            served = sum(map(isServed, clients))
        # Two workers that take a token at the same moment may lose one of the two.
        assert 20 <= served <= 20 + 10 * (time.monotonic() - startedAt) + 4
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.settimeout(1)
            client.connect(server.address("echo", "udp"))
            startedAt = time.monotonic()
            for _ in range(500):
                client.send(b"hi")
                time.sleep(0.0005)
            sent = time.monotonic() - startedAt
            answered = 0
            try:
                while client.recv(10):
                    answered += 1
            except TimeoutError:
                pass
        assert 20 <= answered <= 20 + 10 * sent + 4


def test_ownPortsAreKnownToAll() -> None:
    """
    A datagram whose source is a port of the server is not answered, whichever worker receives it.
    """
    with WorkerServer(*FOUR, "--proto", "all", "--service", "upper=0") as server:
        port = server.address("upper", "udp")[1]
        command = [sys.executable, "-c", FORGE, str(server.address("echo", "udp")[1]), str(port)]
        if os.geteuid() != 0:
            pytest.skip("only root can send a datagram with a forged source")
        subprocess.run(command, check=True, timeout=10)
        server.waitFor("own source port")
        server.stop()
    assert re.search(r"totals: .*echo 20 datagrams \(20 own source port\)", server.log), server.log


#: Sends 20 datagrams from one port of loopback to another, with a raw socket.
FORGE = """
import socket, struct, sys
target, source = map(int, sys.argv[1:])
with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
    for _ in range(20):
        raw.sendto(struct.pack("!4H", source, target, 10, 0) + b"hi", ("127.0.0.1", 0))
"""


def test_stopDrainsAll() -> None:
    """
    SIGTERM ends quiet connections of all workers cleanly, refuses new ones, and resets the rest at the end of --drain.
    """
    with WorkerServer(*FOUR, "--drain", "1", "--service", "chargen=0") as server, ExitStack() as stack:
        quiet = [stack.enter_context(socket.create_connection(server.address("echo"), 10)) for _ in range(20)]
        for client in quiet:
            client.sendall(b"a")
            assert client.recv(1) == b"a"
        full = stack.enter_context(socket.create_connection(server.address("chargen"), 10))
        assert full.recv(10)
        os.kill(server.pid, signal.SIGTERM)
        assert [client.recv(1) for client in quiet] == [b""] * 20
        waitUntil(lambda: not listens(server.address("echo")), 1)
        assert server.wait() == -signal.SIGTERM
        with pytest.raises(ConnectionResetError):
            readToEnd(full)
    assert "stopping: 21 connections" in server.log


def test_stopDuringTheStart() -> None:
    """
    SIGTERM before the workers are ready ends the server within the drain, without a ready line.
    """
    process = subprocess.Popen([*COMMAND, *FOUR], env=environment(), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert any("listening on" in line for line in process.stdout)
    process.terminate()
    out, _ = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGTERM
    assert "ready" not in out
    assert "Traceback" not in out


def test_theSecondSignalCutsOff() -> None:
    """
    The second SIGTERM ends all conversations at once.
    """
    options = ("--service", "chargen=0", "--workers", "2", "--drain", "60")
    with WorkerServer(*options) as server, socket.create_connection(server.address("chargen"), 10) as client:
        assert client.recv(10)
        os.kill(server.pid, signal.SIGTERM)
        server.waitFor("stopping: 1 connection$")
        startedAt = time.monotonic()
        assert server.stop() == -signal.SIGTERM
        assert time.monotonic() - startedAt < 3


def test_restart(tmp_path: Path) -> None:
    """
    SIGHUP starts new workers. The previous ones serve their connections, and end with the last one.
    """
    with WorkerServer(*FOUR) as server:
        first = server.workers
        with socket.create_connection(server.address("echo"), 10) as client:
            client.sendall(b"a")
            assert client.recv(1) == b"a"
            os.kill(server.pid, signal.SIGHUP)
            server.waitFor("restarted: 4 workers")
            waitUntil(lambda: len(server.workers) == 5)
            client.sendall(b"b")
            assert client.recv(1) == b"b"
        waitUntil(lambda: len(server.workers) == 4)
        assert not set(first) & set(server.workers)
        assert echo(server.address("echo")) == b"hello"


def test_aRestartReadsScripts(tmp_path: Path) -> None:
    """
    After SIGHUP, the workers serve a script as it is on disk. A script with an error leaves the present workers.
    """
    path = tmp_path / "hello.toml"
    path.write_text('[[step]]\nsend = "first"\n')
    with WorkerServer("--script", f"{path}=0", "--workers", "2") as server:
        address = server.address("hello")
        assert echo(address, b"") == b"first"
        path.write_text("no script")
        os.kill(server.pid, signal.SIGHUP)
        assert str(path) in server.waitFor("the restart failed: .*; the previous workers continue")
        assert echo(address, b"") == b"first"
        path.write_text('[[step]]\nsend = "second"\n')
        os.kill(server.pid, signal.SIGHUP)
        server.waitFor("restarted: 2 workers")
        waitUntil(lambda: echo(address, b"") == b"second")


def test_aRestartThatFails(tmp_path: Path) -> None:
    """
    When a new worker does not start, the present workers continue, and one line has the cause.
    """
    with WorkerServer(*FOUR, env=breakWorkers(tmp_path)) as server:
        first = server.workers
        (tmp_path / "broken").write_text("no such module\n")
        os.kill(server.pid, signal.SIGHUP)
        server.waitFor("the restart failed: no such module; the previous workers continue")
        waitUntil(lambda: set(server.workers) == set(first))
        assert echo(server.address("echo")) == b"hello"


@contextmanager
def serviceManager(folder: Path) -> Iterator[socket.socket]:
    """
    The socket of a service manager, for C{NOTIFY_SOCKET}.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.settimeout(10)
        yield manager


def waitForState(manager: socket.socket, state: bytes) -> None:
    """
    Receive notifications until one begins with this state.
    """
    received = [manager.recv(100)]
    while not received[-1].startswith(state):
        assert len(received) < 100, received
        received.append(manager.recv(100))


def readDatagrams(manager: socket.socket, seconds: float) -> None:
    """
    Receive notifications for so many seconds, or until there are none.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        manager.recv(100)


def test_notifications(tmp_path: Path) -> None:
    """
    The supervisor notifies the service manager, also of a restart. While a worker hangs, it sends no keep-alive.
    """
    with serviceManager(tmp_path) as manager:
        variables = environment(NOTIFY_SOCKET=manager.getsockname(), WATCHDOG_USEC="200000")
        with WorkerServer(*FOUR, env=variables) as server:
            assert manager.recv(100) == b"READY=1"
            assert manager.recv(100) == b"WATCHDOG=1"
            os.kill(server.pid, signal.SIGHUP)
            waitForState(manager, b"RELOADING=1\nMONOTONIC_USEC=")
            waitForState(manager, b"READY=1")
            worker = server.workers[-1]
            os.kill(worker, signal.SIGSTOP)
            manager.settimeout(1)
            with pytest.raises(TimeoutError):
                readDatagrams(manager, 10)
            os.kill(worker, signal.SIGCONT)
            manager.settimeout(10)
            assert manager.recv(100) == b"WATCHDOG=1"
            server.stop()
            waitForState(manager, b"STOPPING=1")


def test_oneLogFileIsRotated(tmp_path: Path) -> None:
    """
    SIGUSR1 to the supervisor rotates the log file, which has the lines of all workers.
    """
    path = tmp_path / "log"
    command = (*COMMAND[:-1], f"--logfile={path}", f"--pidfile={tmp_path / 'pid'}", "sockservices")
    ports = tmp_path / "ports"
    process = subprocess.Popen([*command, *FOUR, "--ports-file", str(ports)], env=environment())
    try:
        waitUntil(ports.exists)
        assert int((tmp_path / "pid").read_text()) == process.pid
        address = ("127.0.0.1", json.loads(ports.read_text())[0]["port"])
        process.send_signal(signal.SIGUSR1)
        waitUntil(lambda: (tmp_path / "log.1").exists() and path.exists())
        echo(address)
        waitUntil(lambda: "echo tcp" in path.read_text())
    finally:
        process.terminate()
        assert process.wait(20) == -signal.SIGTERM


@needsRoot
@pytest.mark.parametrize(("uid", "arguments"), [(0, ["--gid=65534"]), (65534, ["--uid=65534", "--gid=65534"])])
def test_workersDropPrivileges(uid: int, arguments: list[str]) -> None:
    """
    With --uid and --gid, all workers have the user and the group, and no supplementary group of root.
    """
    try:
        subprocess.run([sys.executable, "-c", ""], user=uid, check=True)
    except PermissionError:
        pytest.skip(f"the user {uid} may not run {sys.executable}")
    with WorkerServer(*FOUR, command=(*COMMAND[:-1], *arguments, "sockservices")) as server:
        for pid in [server.pid, *server.workers]:
            status = Path(f"/proc/{pid}/status").read_text()
            assert f"\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n" in status
            assert "\nGid:\t65534\t65534\t65534\t65534\n" in status
            assert "\nGroups:\t65534 \n" in status
        assert echo(server.address("echo")) == b"hello"


@needsRoot
def test_aUserWhoMayNotStartWorkers(tmp_path: Path) -> None:
    """
    When the user of --uid may not run the interpreter, the server exits with status 1 and one line.
    """
    python = tmp_path / "python"
    python.write_bytes(b"")
    start = f"import sys; sys.executable = {str(python)!r}; from twisted.scripts.twistd import run; run()"
    command = [sys.executable, "-c", start, "-n", "--pidfile=", "sockservices", *FOUR]
    ended = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1, ended.stdout
    assert f"--workers 4: a worker did not start: {python}: Permission denied" in ended.stdout
    assert "Traceback" not in ended.stdout


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="systemd-socket-activate is not installed")
def test_adoptedSocket(tmp_path: Path) -> None:
    """
    The workers serve a socket that a service manager opened.
    """
    path = tmp_path / "socket"
    activate = ("systemd-socket-activate", f"--listen={path}", "--fdname=echo")
    command = (*activate, f"--setenv=PYTHONPATH={ROOT}/src:{ROOT}", *COMMAND)
    arguments = ["--listen", "echo=systemd:echo", "--workers", "2"]
    process = subprocess.Popen([*command, *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    waitUntil(path.exists)
    for _ in range(5):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            waitUntil(lambda client=client: client.connect_ex(str(path)) == 0)  # type: ignore[misc]
            client.sendall(b"hello")
            assert client.recv(10) == b"hello"
    assert process.stdout is not None
    assert any("ready: 1 listener, 2 workers" in line for line in process.stdout)
    process.terminate()
    process.communicate(timeout=10)
    assert path.exists()


@pytest.mark.slow
def test_underLoad() -> None:
    """
    Under 50 echoes of 1 MiB and 2,000 datagrams per second, SIGKILL of one of four workers breaks only its own
    conversations, and two restarts break none. All datagrams that are sent after the kill are answered.
    """
    with WorkerServer(*FOUR, "--proto", "all") as server:
        echoes = EchoLoad(server.address("echo"))
        with datagramLoad(server.address("echo", "udp"), 2000) as datagrams, echoes.running():
            waitUntil(lambda: echoes.done > 50, 60)
            assert echoes.failures == []
            server.kill(server.workers[0])
            killedAt = time.monotonic()
            server.waitFor("worker 5 serves")
            waitUntil(lambda: len(echoes.failures) > 0 or echoes.done > 150, 60)
            broken = len(echoes.failures)
            assert broken <= 50
            for number in (1, 2):
                os.kill(server.pid, signal.SIGHUP)
                waitUntil(lambda number=number: server.log.count("restarted: 4 workers") == number, 60)  # type: ignore[misc]
                done = echoes.done
                waitUntil(lambda done=done: echoes.done > done + 50, 60)  # type: ignore[misc]
        waitUntil(lambda: len(server.workers) == 4, 30)
        assert len(echoes.failures) == broken, echoes.failures
        assert [sent - killedAt for sent in datagrams.lost if sent > killedAt] == []
