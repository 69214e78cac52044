"""
What a user may get wrong, against the real commands: one line, an exit status, and nothing left behind.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.twistd import COMMAND, environment

#: C{twist} as it is found wherever Twisted is.
TWIST = (sys.executable, "-m", "twisted", "sockservices")

#: Command lines, and what is said of them. TCP, UDP and LIVE stand for what another server has; all paths are relative.
WRONG = [
    ("--proto sctp", "--proto sctp: expected tcp, udp or all"),
    ("--proto", "option --proto requires argument"),
    ("--service telnet", "--service telnet: no service 'telnet'; expected chargen, daytime"),
    ("--service echo=abc", "--service echo=abc: port 'abc': expected 0 to 65535"),
    ("--service echo=70000", "--service echo=70000: port '70000': expected 0 to 65535"),
    ("--service echo=0 --interface localhost", "--interface localhost: "),
    ("--service echo=0 --interface 192.0.2.1", "tcp:192.0.2.1:0: Cannot assign requested address"),
    ("--service echo=0 --service time=TCP", "--service time=TCP: tcp:127.0.0.1:TCP: Address already in use"),
    ("--proto udp --service time=UDP", "--service time=UDP: udp:127.0.0.1:UDP: Address already in use"),
    ("--listen echo=unix:new --service time=TCP", "--service time=TCP: tcp:127.0.0.1:TCP: Address already in use"),
    ("--listen echo=unix:new --listen time=unix:LIVE", "--listen time=unix:LIVE: unix:LIVE: Address already in use"),
    ("--listen echo=unixgram:new --listen time=tcp:TCP", "--listen time=tcp:TCP: tcp:127.0.0.1:TCP: Address already"),
    ("--listen echo=unix:new --listen time=unix:new", "--listen time=unix:new: unix:new: Address already in use"),
    ("--listen echo=unix:nowhere/new", "unix:nowhere/new: No such file or directory"),
    (f"--listen echo=unix:{108 * 'a'}", "expected at most 107 bytes, not 108"),
    ("--listen echo", "--listen echo: expected NAME=ENDPOINT"),
    ("--listen echo=tcp", "--listen echo=tcp: tcp: the port is missing"),
    ("--listen echo=tcp:0:backlog=5", "'backlog': tcp has no such argument"),
    ("--listen echo=systemd:echo", "systemd:echo: the service manager passed no socket of this name"),
    ("--listen echo=nonsense:7", "--listen echo=nonsense:7: "),
    ("--listen echo=unix:new --listen echo=ssl:0:privateKey=nowhere", "--listen echo=ssl:0:privateKey=nowhere: "),
    ("--listen echo=haproxy:tcp:TCP:interface=127.0.0.1", "--listen echo=haproxy:tcp:TCP:interface=127.0.0.1: "),
    ("--listen echo=unix:new --listen time=tcp6:0", "--listen time=tcp6:0: expected :interface=ADDRESS"),
    ("--listen echo=unix:new --interface ::1", "--interface: expected --service beside it"),
    ("--service echo=9 --service time=9", "--service time=9: tcp:127.0.0.1:9 has a listener already"),
    ("--listen echo=unix:new --listen time=stdio:", "expected an endpoint that listens"),
    ("--timeout abc", "--timeout abc: expected a number of seconds from 0 to 1000000000"),
    ("--max-connections 1.5", "--max-connections 1.5: expected an integer of connections from 0 to 1000000000"),
    ("--udp-max nan", "--udp-max nan: expected an integer of bytes from 0 to 1000000000"),
    ("--log-format xml", "--log-format xml: expected text or json"),
    ("--port 8007", "option --port not recognized"),
    ("echo", "'echo': expected an option, such as --service echo"),
]

#: Options of twistd's own, and what is said of them. Twisted would find them wrong with every socket open.
TWISTD_WRONG = [
    ("--pidfile nowhere/pid", "/nowhere/pid: there is no such folder"),
    ("--pidfile /proc/sockservices.pid", "--pidfile /proc/sockservices.pid: "),
    ("--pidfile /", "--pidfile /: Is a directory"),
    ("--rundir nowhere", "--rundir nowhere: No such file or directory"),
    ("--chroot nowhere", "--chroot nowhere: No such file or directory"),
    ("--umask 77777777777", "--umask 77777777777: expected 0 to 777"),
    ("--uid -1", "--uid -1: expected 0 to 4294967294"),
    ("--uid 4294967294", "--uid 4294967294: there is no such user"),
    ("--gid -1", "--gid -1: expected 0 to 4294967294"),
    ("--gid 99999999999", "--gid 99999999999: expected 0 to 4294967294"),
    ("--logfile nowhere/log", "--logfile nowhere/log: "),
]

#: How many run at a time.
AT_ONCE = 4


class Done(NamedTuple):
    """
    What became of a command.
    """

    status: int
    out: str
    err: str
    left: list[str]


class Taken(NamedTuple):
    """
    What another server has.
    """

    tcp: int
    udp: int
    live: Path

    def put(self, text: str) -> str:
        """
        A text with the real names.
        """
        return text.replace("TCP", str(self.tcp)).replace("UDP", str(self.udp)).replace("LIVE", str(self.live))


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taken]:
    """
    Another server.
    """
    live = tmp_path_factory.mktemp("live") / "socket"
    with ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        udp = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        unix = stack.enter_context(socket.socket(socket.AF_UNIX))
        unix.bind(str(live))
        unix.listen()
        yield Taken(tcp.getsockname()[1], udp.getsockname()[1], live)


def runAll(command: Sequence[str], lines: Sequence[str], folder: Path) -> list[Done]:
    """
    Run a command with each of some options, each in an empty folder of its own.
    """

    def run(number: int, line: str) -> Done:
        cwd = folder / str(number)
        cwd.mkdir(parents=True)
        done = subprocess.run(
            [*command, *line.split()],
            cwd=cwd,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr, [path.name for path in cwd.iterdir()])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(run, range(len(lines)), lines))


def test_twistd(taken: Taken, tmp_path: Path) -> None:
    """
    Under twistd each of these is one line on standard error, which names the option and what would be right, and status
    1; nothing is left in the folder (T24, T26).
    """
    lines = [taken.put(line) for line, _ in WRONG]
    for line, (_, message), done in zip(lines, WRONG, runAll(COMMAND, lines, tmp_path), strict=True):
        assert (done.status, done.out, done.left) == (1, "", []), (line, done)
        assert done.err.startswith("sockservices: "), (line, done)
        assert done.err.count("\n") == 1, (line, done)
        assert taken.put(message) in done.err, (line, done)
    assert taken.live.is_socket()


@pytest.mark.parametrize("daemon", [False, True])
def test_twistdsOwnOptions(daemon: bool, tmp_path: Path) -> None:
    """
    So it is for the options of twistd's own, in the foreground and as a daemon. A Unix socket is not left either.
    """
    start = [*COMMAND[:3], *([] if daemon else ["-n"])]
    listen = ["sockservices", "--listen", "echo=unix:new"]
    lines = [" ".join([options, *listen]) for options, _ in TWISTD_WRONG]
    for (options, message), done in zip(TWISTD_WRONG, runAll(start, lines, tmp_path), strict=True):
        assert (done.status, done.out, done.left) == (1, "", []), (options, done)
        assert done.err.startswith("sockservices: --"), (options, done)
        assert done.err.count("\n") == 1, (options, done)
        assert message in done.err, (options, done)


def test_tooFewDescriptors(tmp_path: Path) -> None:
    """
    A limit of open files that is too low for the listeners, or for what a start opens after them, is one line too.
    """
    for limit, message in [(24, "Too many open files"), (40, "25 listeners: expected more than 40 open files")]:
        command = ("sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", *COMMAND)
        line = "--service all=0 --proto all --listen echo=unix:new"
        (done,) = runAll(command, [line], tmp_path / str(limit))
        assert (done.status, done.out, done.left, done.err.count("\n")) == (1, "", [], 1)
        assert message in done.err


def test_controlCharacters(tmp_path: Path) -> None:
    """
    Control characters of an option's value do not reach the terminal, neither under twistd nor under twist.
    """
    for command in (COMMAND, TWIST):
        (done,) = runAll(command, ["--listen echo=tcp:\x1b[31m"], tmp_path / Path(command[-2]).name)
        assert "--listen echo=tcp:\\x1b[31m: " in done.out + done.err
        assert "\x1b" not in done.out + done.err


def test_twist(taken: Taken, tmp_path: Path) -> None:
    """
    Under twist wrong options are its own business, and end with its status for a wrong usage, 64; what cannot be opened
    is one line and status 1.
    """
    usage = [("--proto sctp", "--proto sctp: expected tcp, udp or all"), ("echo", "such as --service echo")]
    busy = [
        ("--listen echo=unix:new --service time=TCP", "--service time=TCP: tcp:127.0.0.1:TCP: Address already in use")
    ]
    lines = [taken.put(line) for line, _ in usage + busy]
    every = runAll(TWIST, lines, tmp_path)
    for (_, message), done in zip(usage + busy, every, strict=True):
        assert taken.put(message) in done.out + done.err, done
        assert "Traceback" not in done.out + done.err, done
        assert done.left == []
    assert [done.status for done in every] == [64, 64, 1]
    assert every[-1].err.count("\n") == 1
