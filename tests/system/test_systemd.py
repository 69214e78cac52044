"""
The unit files of docs/systemd under systemd itself.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.systemd import Systemd, missingForSystemd, waitFor
from tests.support.twistd import ROOT
from tests.support.watched import exchange, readToEnd, sender
from tests.support.workers import EchoLoad, echo, isRunning

missing = missingForSystemd()
pytestmark = pytest.mark.skipif(bool(missing), reason=missing)

SOCKET = "sockservices@echo.socket"
SERVICE = "sockservices@echo.service"

#: The address in the socket unit.
HOST, PORT = ADDRESS = ("127.0.0.1", 7)

#: More than the buffers of a connection hold: its conversation continues until the client has read some of it.
LONG = os.urandom(16 << 20)


@pytest.fixture
def systemd() -> Iterator[Systemd]:
    """
    A systemd that knows the unit files, and has started none of them.
    """
    with Systemd() as started:
        yield started


def listen(systemd: Systemd, options: str = "", settings: str = "") -> None:
    """
    Start the socket unit.

    @param options: more options of the server.
    @param settings: more lines of the section C{[Service]}.
    """
    unit = (ROOT / "docs/systemd/sockservices@.service").read_text()
    (command,) = re.findall("^ExecStart=.*", unit, re.MULTILINE)
    systemd.edit("sockservices@.service", f"[Service]\nExecStart=\n{command} {options}\n{settings}\n")
    systemd.systemctl("start", SOCKET)


def serve(systemd: Systemd, options: str = "", settings: str = "") -> list[int]:
    """
    Start the service, too.

    @return: its processes, of which the first one is the main process.
    """
    listen(systemd, options, settings)
    systemd.systemctl("start", SERVICE)
    return systemd.processes(SERVICE)


def state(systemd: Systemd) -> str:
    """
    The state of the service, for instance C{active}.
    """
    return systemd.property(SERVICE, "ActiveState")


def events(systemd: Systemd) -> list[str]:
    """
    The messages of the service, and those of systemd about it.
    """
    return [json.loads(line)["event"] if line.startswith("{") else line for line in systemd.journal(SERVICE)]


def waitForEvent(systemd: Systemd, text: str) -> None:
    """
    Wait until a message contains a text.
    """
    waitFor(lambda: any(text in event for event in events(systemd)))


def streamEcho(host: str = HOST) -> bytes:
    """
    The echo of a connection.
    """
    return echo((host, PORT))


def datagramEcho(host: str = HOST) -> bytes:
    """
    The echo of a datagram.
    """
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(20)
        client.connect((host, PORT))
        client.send(b"hello")
        return client.recv(100)


@pytest.mark.parametrize("first", [streamEcho, datagramEcho])
def test_theFirstPeerStartsTheService(systemd: Systemd, first: Callable[[], bytes]) -> None:
    """
    The sockets are open before the service runs. The first peer starts it; it serves this peer, and all sockets.
    """
    listen(systemd)
    assert state(systemd) == "inactive"
    assert first() == b"hello"
    assert (streamEcho(), datagramEcho()) == (b"hello", b"hello")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(f"/proc/{systemd.pid}/root/run/echo.sock")
        exchange(client)
    waitFor(lambda: state(systemd) == "active")


def test_theCommandsOfTheDocument(systemd: Systemd) -> None:
    """
    After the installation, the commands of docs/operating.md enable the socket, connect to it, and print the log.
    """
    if not shutil.which("nc"):
        pytest.skip("netcat-openbsd is not installed")
    text = (ROOT / "docs/operating.md").read_text().partition("\n## With systemd\n")[2].partition("\n## ")[0]
    reload, enable, ask, show = re.findall(r"    (?:sudo )?((?:systemctl d|systemctl en|printf|journalctl).*)", text)
    systemd.run(*shlex.split(reload))
    systemd.run(*shlex.split(enable))
    # The shell is in the network namespace of systemd, like this thread.
    asked = subprocess.run(ask, shell=True, capture_output=True, text=True, timeout=30, check=True)
    assert asked.stdout == "hello"
    waitFor(lambda: "5 bytes received, 5 sent" in systemd.run(*shlex.split(show)))
    assert systemd.journal(SOCKET) == ["Listening on sockservices@echo.socket - Sockets of the echo service."]


def test_theEditsOfTheDocument(systemd: Systemd) -> None:
    """
    The lines that docs/operating.md adds to the units change the address and the options of a server that runs.
    """
    text = (ROOT / "docs/operating.md").read_text().partition("\n## With systemd\n")[2].partition("\n## ")[0]
    sockets, service = (block.group() for block in re.finditer(r"^    \[\w+\]\n(    .+\n)+", text, re.MULTILINE))
    serve(systemd)
    systemd.edit(SOCKET, textwrap.dedent(sockets).replace("192.0.2.1", "127.0.0.2"))
    systemd.edit("sockservices@.service", textwrap.dedent(service))
    systemd.systemctl("restart", SOCKET)
    assert (streamEcho("127.0.0.2"), datagramEcho("127.0.0.2")) == (b"hello", b"hello")
    assert b"--trusted" in Path(f"/proc/{systemd.processes(SERVICE)[0]}/cmdline").read_bytes()
    with pytest.raises(ConnectionRefusedError):
        streamEcho()


def test_theJournalHasEachLineOnce(systemd: Systemd) -> None:
    """
    The journal has one entry for each line of the log, from all workers.
    """
    serve(systemd, "--workers 2")
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(ADDRESS, 20)) for _ in range(50)]
        for client in clients:
            exchange(client)
        expected = sorted(f"127.0.0.1:{client.getsockname()[1]}" for client in clients)
    waitForEvent(systemd, expected[-1])
    systemd.systemctl("stop", SERVICE)
    waitForEvent(systemd, "totals: echo 50 conversations (50 done), 50 bytes received, 50 sent")
    lines = [json.loads(line) for line in systemd.journal(SERVICE) if line.startswith("{")]
    assert sorted(line["peer"] for line in lines if "peer" in line) == expected
    assert len(lines) == len(expected) + len(("tcp", "udp", "unix", "ready", "stopping", "totals"))


def test_theStartCompletesWhenTheServerIsReady(systemd: Systemd) -> None:
    """
    While a worker starts, systemd reports the service as activating. It is active when all workers serve.
    """
    (systemd.root / "hold").mkdir()
    hold = systemd.root / "hold" / "sitecustomize.py"
    hold.write_text(
        "import os, sys, time\n"
        "while 'sockservices.workers' in sys.orig_argv and os.path.exists(__file__):\n"
        "    time.sleep(0.01)\n"
    )
    listen(systemd, "--workers 2", "Environment=PYTHONPATH=/hold")
    systemd.systemctl("start", "--no-block", SERVICE)
    waitForEvent(systemd, "echo listening on udp")
    assert state(systemd) == "activating"
    hold.unlink()
    waitFor(lambda: state(systemd) == "active")
    waitForEvent(systemd, "ready: 3 listeners, 2 workers")
    assert streamEcho() == b"hello"


def test_reloadIsARollingRestart(systemd: Systemd) -> None:
    """
    C{systemctl reload} replaces the workers under load. No conversation breaks, and the main process remains. systemd
    reports the service as reloading until all new workers serve.
    """
    main, *workers = serve(systemd, "--workers 4")
    load = EchoLoad(ADDRESS, 2)
    with load.running():
        waitFor(lambda: load.done > 0)
        systemd.systemctl("reload", "--no-block", SERVICE)
        waitFor(lambda: state(systemd) == "reloading")
        waitFor(lambda: state(systemd) == "active")
        waitForEvent(systemd, "restarted: 4 workers")
        waitFor(lambda: not any(map(isRunning, workers)))
    assert load.failures == []
    assert systemd.processes(SERVICE)[0] == main
    assert len(systemd.processes(SERVICE)) == 5


def test_restartRefusesNoConnection(systemd: Systemd) -> None:
    """
    While C{systemctl restart} runs, the sockets remain open: connections wait for the new process.
    """
    before = serve(systemd, "--workers 2")
    load = EchoLoad(ADDRESS, 2)
    with load.running():
        waitFor(lambda: load.done > 0)
        systemd.systemctl("restart", SERVICE)
        done = load.done
        waitFor(lambda: load.done > done)
    assert load.failures == []
    assert not set(before) & set(systemd.processes(SERVICE))


@pytest.mark.parametrize("workers", [1, 2])
def test_aHungProcessIsKilled(systemd: Systemd, workers: int) -> None:
    """
    When a process hangs, the server or one of its workers, WatchdogSec= restarts the service.
    """
    before = serve(systemd, f"--workers {workers}", "WatchdogSec=1")
    os.kill(before[-1], signal.SIGSTOP)
    waitForEvent(systemd, "Watchdog timeout")
    assert streamEcho() == b"hello"
    assert not any(map(isRunning, before))
    assert systemd.property(SERVICE, "NRestarts") == "1"


def test_processesThatAreKilled(systemd: Systemd) -> None:
    """
    The supervisor replaces a worker that is killed, without a restart of the service. When the supervisor is killed,
    none of its workers remains, and systemd restarts the service.
    """
    main, first, second = serve(systemd, "--workers 2")
    os.kill(first, signal.SIGKILL)
    waitForEvent(systemd, "worker 3 serves")
    before = systemd.processes(SERVICE)
    assert {main, second} < set(before)
    assert (len(before), state(systemd), systemd.property(SERVICE, "NRestarts")) == (3, "active", "0")
    os.kill(main, signal.SIGKILL)
    waitForEvent(systemd, "code=killed, status=9/KILL")
    assert streamEcho() == b"hello"
    assert not any(map(isRunning, before))
    assert systemd.property(SERVICE, "NRestarts") == "1"


def test_sandbox(systemd: Systemd) -> None:
    """
    The server runs with all restrictions of the unit: a user without a name in the machine's files, no capability, no
    new privileges, a filter of system calls, and a file system that is mounted read-only.
    """
    (pid,) = serve(systemd)
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    assert all(61184 <= int(uid) <= 65519 for uid in status["Uid"].split())
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    mounts = [line.split() for line in Path(f"/proc/{pid}/mounts").read_text().splitlines()]
    assert next(fields[3] for fields in mounts if fields[1] == "/").startswith("ro,")
    assert streamEcho() == b"hello"


def test_stopDrains(systemd: Systemd) -> None:
    """
    C{systemctl stop} waits until the server has answered all that a peer has sent.
    """
    serve(systemd)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        client.settimeout(20)
        client.connect(ADDRESS)
        client.sendall(b"a")
        sending = sender(client, LONG)
        assert client.recv(1) == b"a"
        systemd.systemctl("stop", "--no-block", SERVICE)
        waitForEvent(systemd, "stopping: 1 connection")
        assert state(systemd) == "deactivating"
        assert readToEnd(client) == LONG
        sending.join()
    waitFor(lambda: state(systemd) == "inactive")
    assert systemd.property(SERVICE, "Result") == "success"
