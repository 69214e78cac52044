"""
The server as an operator meets it: as a daemon, without root, under a service manager, and by its log.
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
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.twistd import ROOT, Twistd, environment
from tests.support.watched import readToEnd

TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")

needsRoot = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up privileges")


def echoes(address: tuple[str, int]) -> bool:
    """
    Whether an echo service is there.
    """
    with socket.create_connection(address, 5) as client:
        client.sendall(b"there?")
        client.shutdown(socket.SHUT_WR)
        return readToEnd(client) == b"there?"


def test_aDaemonServesAndLeavesNothing(tmp_path: Path) -> None:
    """
    Without -n, twistd returns when the server is there; pid file, log and Unix socket are where they were asked for.
    """
    path, pidfile, log = tmp_path / "socket", tmp_path / "pid", tmp_path / "log"
    command = [*TWISTD, f"--pidfile={pidfile}", f"--logfile={log}", "sockservices", "--log-format", "json"]
    started = subprocess.run([*command, "--listen", f"echo=unix:{path}"], env=environment(), timeout=20, check=False)
    assert started.returncode == 0
    # Its parent returns a moment before the reactor runs, and a signal then would still end it the hard way.
    until = time.monotonic() + 10
    while "ready: " not in log.read_text() and time.monotonic() < until:
        time.sleep(0.02)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"there?")
        assert client.recv(10) == b"there?"
    pid = int(pidfile.read_text())
    os.kill(pid, signal.SIGTERM)
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert [each.name for each in tmp_path.iterdir()] == ["log"]
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert "ready: 1 listeners" in events
    assert events[-1] == "Server Shut Down."


@needsRoot
@pytest.mark.parametrize("arguments", [("--uid=65534", "--gid=65534"), ("--uid=65534",), ("--gid=65534",)])
def test_privilegesAreGivenUp(arguments: tuple[str, ...]) -> None:
    """
    The socket is opened before, and served after; no group of root's remains (T25).
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


def test_aLogOfJsonIsSo(tmp_path: Path) -> None:
    """
    Every line from the first to the last is an object; a conversation's has its facts, and the sentence of the text.
    """
    with Twistd("--service", "echo=0", "--log-format", "json", "--show") as server:
        assert echoes(server.address("echo"))
        server.waitFor("echo tcp .* done")
    lines = [json.loads(line) for line in server.log.splitlines()]
    assert all({"time", "level", "event"} <= line.keys() for line in lines)
    (visit,) = (line for line in lines if "outcome" in line)
    assert visit["outcome"] == "done"
    assert (visit["service"], visit["transport"], visit["received"], visit["sent"]) == ("echo", "tcp", 6, 6)
    assert visit["event"].startswith(f"echo tcp {visit['peer']} done: ")
    assert lines[-1]["event"] == "Server Shut Down."


def test_aLogFileOfText(tmp_path: Path) -> None:
    """
    The option --logfile of twistd works in both formats; SIGUSR1 begins a new file.
    """
    log = tmp_path / "log"
    command = (*TWISTD, "-n", "--pidfile=", f"--logfile={log}", "sockservices")
    process = subprocess.Popen([*command, "--service", "echo=0"], env=environment())
    until = time.monotonic() + 10
    while not (log.exists() and "ready: 1 listeners" in log.read_text()) and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGUSR1)
    while not (tmp_path / "log.1").exists() and time.monotonic() < until:
        time.sleep(0.02)
    process.terminate()
    process.wait(10)
    assert "ready: 1 listeners" in (tmp_path / "log.1").read_text()
    assert "Server Shut Down." in log.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--logfile={}/none/log", "--logfile {}/none/log: "),
        ("--pidfile={}/none/pid", "--pidfile {}/none/pid: there is no such folder"),
        ("--uid=3999999999", "--uid 3999999999: there is no such user"),
    ],
)
def test_whatTwistdCannotDo(words: str, said: str, tmp_path: Path) -> None:
    """
    A wrong option of twistd's own, found late: one line, exit status 1, and no socket left behind.
    """
    command = [*TWISTD, "-n", "--pidfile=", words.format(tmp_path), "sockservices"]
    ended = subprocess.run(
        [*command, "--listen", f"echo=unix:{tmp_path}/socket"],
        env=environment(WATCHDOG_USEC="soon"),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert said.format(tmp_path) in ended.stderr
    assert not list(tmp_path.iterdir())


def test_noLogOfAServerThatDidNotStart(tmp_path: Path) -> None:
    """
    Nor does a file of the log tell of a server that could not listen.
    """
    command = [*TWISTD, "-n", "--pidfile=", f"--logfile={tmp_path}/log", "sockservices", "--listen"]
    ended = subprocess.run(
        [*command, "echo=unix:none/socket"], cwd=tmp_path, env=environment(), timeout=20, check=False
    )
    assert ended.returncode == 1
    assert not list(tmp_path.iterdir())


class TestServiceManager:
    """
    A service manager, as its own socket sees the server.
    """

    @pytest.fixture
    def manager(self, tmp_path: Path) -> Iterator[socket.socket]:
        """
        What the service manager listens on.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
            listening.bind(str(tmp_path / "notify"))
            listening.settimeout(10)
            yield listening

    def test_itIsTold(self, manager: socket.socket) -> None:
        """
        Ready, alive, stopping.
        """
        told = environment(NOTIFY_SOCKET=manager.getsockname(), WATCHDOG_USEC="100000")
        with Twistd("--service", "echo=0", env=told) as server:
            assert manager.recv(100) == b"READY=1"
            for _ in range(3):
                assert manager.recv(100) == b"WATCHDOG=1"
            server.stop()
            states = set()
            while b"STOPPING=1" not in states:
                states.add(manager.recv(100))
            assert states <= {b"WATCHDOG=1", b"STOPPING=1"}

    def test_somebodyElsesWatchdogIsNotFed(self, manager: socket.socket) -> None:
        """
        Nor does a service manager that is gone keep the server from serving.
        """
        told = environment(NOTIFY_SOCKET=manager.getsockname(), WATCHDOG_USEC="20000", WATCHDOG_PID="1")
        with Twistd("--service", "echo=0", env=told) as server:
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
def test_anInheritedSocketIsServed(tmp_path: Path) -> None:
    """
    A Unix socket of the service manager's is served, keeps its mode and path, and is there for the next server (T28).
    """
    path = tmp_path / "socket"
    activate = ("systemd-socket-activate", f"--listen={path}", "--fdname=echo")
    command = (*activate, f"--setenv=PYTHONPATH={ROOT}/src:{ROOT}", *TWISTD, "-n", "--pidfile=", "sockservices")
    process = subprocess.Popen([*command, "--listen", "echo=systemd:echo"], stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 10
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.02)
    mode = path.stat().st_mode
    for _ in range(2):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(path))
            client.sendall(b"there?")
            assert client.recv(10) == b"there?"
    process.terminate()
    process.communicate(timeout=10)
    assert path.stat().st_mode == mode


@needsAnalyze
def test_theUnitsAreRight(tmp_path: Path) -> None:
    """
    The unit files are what systemd takes, with no word that it does not know.
    """
    units = []
    for unit in sorted((ROOT / "docs" / "systemd").iterdir()):
        text = unit.read_text().replace("/opt/sockservices/bin/twistd", sys.executable)
        (tmp_path / unit.name).write_text(text)
        units.append(str(tmp_path / unit.name))
    assert len(units) == 2
    verify = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units]
    ended = subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
