"""
The server in operation: as a daemon, with dropped privileges, under a service manager, and its log.
"""

from __future__ import annotations

import grp
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sockservices.registry import find, names
from tests.support.twistd import ROOT, Twistd, environment
from tests.support.watched import readToEnd

TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")

needsRoot = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up privileges")


def waitUntil(condition: Callable[[], bool]) -> None:
    """
    Wait for another process, for at most 10 seconds.
    """
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "timeout"
        time.sleep(0.02)


def echoes(address: tuple[str, int]) -> bool:
    """
    Whether an echo service replies at an address.
    """
    with socket.create_connection(address, 5) as client:
        client.sendall(b"hello")
        client.shutdown(socket.SHUT_WR)
        return readToEnd(client) == b"hello"


def test_daemon(tmp_path: Path) -> None:
    """
    Without -n, twistd returns when the server listens. The pid file, the log and the Unix socket have the given paths.
    After SIGTERM only the log remains.
    """
    path, pidfile, log = tmp_path / "socket", tmp_path / "pid", tmp_path / "log"
    command = [*TWISTD, f"--pidfile={pidfile}", f"--logfile={log}", "sockservices", "--log-format", "json"]
    started = subprocess.run([*command, "--listen", f"echo=unix:{path}"], env=environment(), timeout=20, check=False)
    assert started.returncode == 0
    # twistd returns before the reactor runs, and a signal before that kills the process without a clean-up.
    waitUntil(lambda: "ready: " in log.read_text())
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"
    pid = int(pidfile.read_text())
    os.kill(pid, signal.SIGTERM)
    waitUntil(lambda: not Path(f"/proc/{pid}").exists())
    assert [each.name for each in tmp_path.iterdir()] == ["log"]
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert "ready: 1 listener" in events
    assert events[-1] == "Server Shut Down."


@needsRoot
@pytest.mark.parametrize("arguments", [("--uid=65534", "--gid=65534"), ("--uid=65534",), ("--gid=65534",)])
def test_privilegesAreDropped(arguments: tuple[str, ...]) -> None:
    """
    The server drops its privileges after it has opened the socket, and serves. No supplementary group of root remains.
    """
    os.setgroups([0, grp.getgrnam("adm").gr_gid])
    command = (*TWISTD, "-n", "--pidfile=", *arguments, "sockservices")
    with Twistd("--service", "echo=0", command=command) as server:
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{server.pid}/status").read_text().splitlines())
        assert echoes(server.address("echo"))
    uid = "65534" if "--uid=65534" in arguments else "0"
    assert status["Uid"].split() == [uid] * 4
    assert status["Gid"].split() == ["65534"] * 4
    assert status["Groups"].split() == ["65534"]
    if uid != "0":
        assert int(status["CapEff"], 16) == 0
    assert ("running as root" in server.log) == (uid == "0")


def test_jsonLog(tmp_path: Path) -> None:
    """
    With --log-format json, every line is a JSON object. The line of a conversation has the fields of its visit.
    """
    with Twistd("--service", "echo=0", "--log-format", "json", "--show") as server:
        assert echoes(server.address("echo"))
        server.waitFor("echo tcp .* done")
    lines = [json.loads(line) for line in server.log.splitlines()]
    assert all({"time", "level", "event"} <= line.keys() for line in lines)
    (visit,) = (line for line in lines if "outcome" in line)
    assert visit["outcome"] == "done"
    assert (visit["service"], visit["transport"], visit["received"], visit["sent"]) == ("echo", "tcp", 5, 5)
    assert visit["event"].startswith(f"echo tcp {visit['peer']} done: ")
    assert lines[-1]["event"] == "Server Shut Down."


def test_logFile(tmp_path: Path) -> None:
    """
    The option --logfile of twistd names the log file, and SIGUSR1 rotates it.
    """
    log = tmp_path / "log"
    command = (*TWISTD, "-n", "--pidfile=", f"--logfile={log}", "sockservices")
    process = subprocess.Popen([*command, "--service", "echo=0"], env=environment())
    waitUntil(lambda: log.exists() and "ready: 1 listener" in log.read_text())
    process.send_signal(signal.SIGUSR1)
    waitUntil((tmp_path / "log.1").exists)
    process.terminate()
    process.wait(10)
    assert "ready: 1 listener" in (tmp_path / "log.1").read_text()
    assert "Server Shut Down." in log.read_text()


class TestServiceManager:
    """
    Tests for the server's messages to the notification socket of a service manager.
    """

    @pytest.fixture
    def manager(self, tmp_path: Path) -> Iterator[socket.socket]:
        """
        The notification socket.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
            listening.bind(str(tmp_path / "notify"))
            listening.settimeout(10)
            yield listening

    def test_notifications(self, manager: socket.socket) -> None:
        """
        The server notifies that it is ready, alive, and stopping.
        """
        variables = environment(NOTIFY_SOCKET=manager.getsockname(), WATCHDOG_USEC="100000")
        with Twistd("--service", "echo=0", env=variables) as server:
            assert manager.recv(100) == b"READY=1"
            for _ in range(3):
                assert manager.recv(100) == b"WATCHDOG=1"
            server.stop()
            states = set()
            while b"STOPPING=1" not in states:
                states.add(manager.recv(100))
            assert states <= {b"WATCHDOG=1", b"STOPPING=1"}

    def test_watchdogOfAnotherProcess(self, manager: socket.socket) -> None:
        """
        The server sends no keep-alive if WATCHDOG_PID names another process. It serves even if the socket is closed.
        """
        variables = environment(NOTIFY_SOCKET=manager.getsockname(), WATCHDOG_USEC="20000", WATCHDOG_PID="1")
        with Twistd("--service", "echo=0", env=variables) as server:
            assert manager.recv(100) == b"READY=1"
            manager.settimeout(0.2)
            with pytest.raises(TimeoutError):
                manager.recv(100)
            manager.close()
            assert echoes(server.address("echo"))


needsActivate = pytest.mark.skipif(
    not shutil.which("systemd-socket-activate"), reason="systemd-socket-activate is not installed"
)
needsAnalyze = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")


@needsActivate
def test_adoptedSocket(tmp_path: Path) -> None:
    """
    The server serves a Unix socket that the service manager opened, and does not change its mode or remove its path.
    """
    path = tmp_path / "socket"
    activate = ("systemd-socket-activate", f"--listen={path}", "--fdname=echo")
    command = (*activate, f"--setenv=PYTHONPATH={ROOT}/src:{ROOT}", *TWISTD, "-n", "--pidfile=", "sockservices")
    process = subprocess.Popen([*command, "--listen", "echo=systemd:echo"], stderr=subprocess.PIPE, text=True)
    waitUntil(path.exists)
    mode = path.stat().st_mode
    for _ in range(2):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            # The path exists before the socket listens.
            waitUntil(lambda client=client: client.connect_ex(str(path)) == 0)  # type: ignore[misc]
            client.sendall(b"hello")
            assert client.recv(10) == b"hello"
    process.terminate()
    process.communicate(timeout=10)
    assert path.stat().st_mode == mode


@needsAnalyze
def test_units(tmp_path: Path) -> None:
    """
    There is a unit file for each service. The files are valid, and systemd knows all their keys.
    """
    units = []
    for unit in sorted((ROOT / "docs" / "systemd").iterdir()):
        text = unit.read_text().replace("/opt/sockservices/bin/sockservices", sys.executable)
        (tmp_path / unit.name).write_text(text)
        units.append(str(tmp_path / unit.name))
    expected = [f"sockservices@{name}.socket" for name in names()]
    assert sorted(Path(unit).name for unit in units) == sorted([*expected, "sockservices@.service"])
    (tmp_path / "sockservices@echo.service").write_text((tmp_path / "sockservices@.service").read_text())
    units.append(str(tmp_path / "sockservices@echo.service"))
    verify = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units]
    ended = subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("name", names())
def test_unitsListenForTheirService(name: str) -> None:
    """
    A socket unit has the name of its service, and the RFC's port or the service's own, for TCP and UDP.
    """
    lines = (ROOT / "docs" / "systemd" / f"sockservices@{name}.socket").read_text().splitlines()
    port = find(name).port
    port -= 8000 if port in (8007, 8009, 8011, 8013, 8017, 8019, 8037) else 0
    expected = {f"FileDescriptorName={name}", f"ListenStream=127.0.0.1:{port}", f"ListenDatagram=127.0.0.1:{port}"}
    assert expected <= set(lines)


def test_tls(tmp_path: Path) -> None:
    """
    The commands of the document make a certificate, and serve it.
    """
    pytest.importorskip("OpenSSL")
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    text = (ROOT / "docs" / "operating.md").read_text().partition("\n## TLS\n")[2].partition("\n## ")[0]
    make, serve, ask = (line.strip() for line in text.splitlines() if line.startswith("    ") and "pip" not in line)
    subprocess.run(make, shell=True, cwd=tmp_path, capture_output=True, check=True, timeout=60)
    listen = serve.partition("--listen ")[2].replace(":8443:", ":0:")
    command = (sys.executable, "-m", "sockservices", "serve")
    with Twistd("--listen", listen, command=command, cwd=tmp_path) as server:
        _, port = server.address("echo")
        ask = ask.replace(":8443", f":{port}")
        pipe = subprocess.PIPE
        with subprocess.Popen(
            ask, shell=True, stdout=pipe, stderr=subprocess.DEVNULL, start_new_session=True
        ) as client:
            assert client.stdout is not None
            assert client.stdout.readline() == b"hello\n"
            # As the Ctrl-C of a terminal, to the shell and openssl.
            os.killpg(client.pid, signal.SIGINT)
