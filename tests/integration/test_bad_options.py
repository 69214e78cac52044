"""
Invalid options and failing starts under twistd and twist: one line, an exit status, and no file or listener remains.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.forks import TWIST, TWISTD, runInForks

#: Command lines, and their error messages. TCP, UDP and LIVE stand for the addresses of another server; all paths are
#: relative. tests/unit/server/test_options.py has the other invalid values of options.
INVALID = [
    ("--proto sctp", "--proto sctp: expected tcp, udp or all"),
    ("--service telnet", "--service telnet: no service 'telnet': expected one of chargen, daytime"),
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
    ("--listen echo=tcp:0:backlog=5", "'backlog': tcp has no such argument"),
    ("--listen echo=systemd:echo", "systemd:echo: the service manager passed no socket of this name"),
    ("--listen echo=nonsense:7", "--listen echo=nonsense:7: "),
    ("--listen echo=unix:new --listen echo=ssl:0:privateKey=nowhere", "--listen echo=ssl:0:privateKey=nowhere: "),
    ("--listen echo=haproxy:tcp:TCP:interface=127.0.0.1", "--listen echo=haproxy:tcp:TCP:interface=127.0.0.1: "),
    ("--listen echo=unix:new --listen time=tcp6:0", "--listen time=tcp6:0: expected :interface=ADDRESS"),
    ("--listen echo=unix:new --interface ::1", "--interface: expected --service beside it"),
    ("--service echo=9 --service time=9", "--service time=9: tcp:127.0.0.1:9 has a listener already"),
    ("--listen echo=unix:new --listen time=stdio:", "expected an endpoint that listens"),
    ("--listen echo=tcp:\x1b[31m", "--listen echo=tcp:\\x1b[31m: "),
]

#: Options of twistd itself, and their error messages. Twisted would find these errors with every socket open.
INVALID_TWISTD = [
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

FOREGROUND = "twistd -n --pidfile= sockservices "


class Taken(NamedTuple):
    """
    The addresses of another server.
    """

    tcp: int
    udp: int
    live: Path

    def insert(self, text: str) -> str:
        """
        Replace the names of the addresses in a text.
        """
        return text.replace("TCP", str(self.tcp)).replace("UDP", str(self.udp)).replace("LIVE", str(self.live))


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taken]:
    """
    Listen on one address of each kind.
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


def checkStarts(starts: list[tuple[str, str]], folder: Path, openFiles: int = 0) -> None:
    """
    Each start under twistd fails with one line on standard error and status 1, and leaves no file.

    @param starts: command lines, and a part of their error messages.
    """
    commands = [command.split(" ") for command, _ in starts]
    for (command, message), result in zip(starts, runInForks(TWISTD, commands, folder, openFiles), strict=True):
        assert (result.status, result.out, result.files) == (1, "", []), (command, result)
        assert result.err.startswith("sockservices: "), (command, result)
        assert result.err.count("\n") == 1, (command, result)
        assert result.err[:-1].isprintable(), (command, result)
        assert message in result.err, (command, result)


def test_twistd(taken: Taken, tmp_path: Path) -> None:
    """
    Under twistd the line names the option and the error (T24, T26).
    """
    checkStarts([(FOREGROUND + taken.insert(line), taken.insert(message)) for line, message in INVALID], tmp_path)
    assert taken.live.is_socket()


@pytest.mark.parametrize("start", ["twistd", "twistd -n"])
def test_twistdsOwnOptions(start: str, tmp_path: Path) -> None:
    """
    The line also reports options of twistd itself, in the foreground and as a daemon. No Unix socket and no log file
    remains.
    """
    starts = [(f"{start} {line} sockservices --listen echo=unix:new", message) for line, message in INVALID_TWISTD]
    starts.append((f"{start} --logfile log sockservices --listen echo=unix:nowhere/new", "No such file or directory"))
    checkStarts(starts, tmp_path)


@pytest.mark.parametrize(
    ("openFiles", "message"), [(24, "Too many open files"), (40, "25 listeners: expected more than 40 open files")]
)
def test_tooFewDescriptors(openFiles: int, message: str, tmp_path: Path) -> None:
    """
    The limit of open files is too low for the listeners, or for the files that a start opens after them.
    """
    line = FOREGROUND + "--service all=0 --proto all --listen echo=unix:new"
    checkStarts([(line, message)], tmp_path, openFiles)


def test_twist(taken: Taken, tmp_path: Path) -> None:
    """
    Invalid options are reported by twist itself, with its status for usage errors, 64. A socket that cannot be opened
    is reported in one line, with status 1. Control characters of an option's value do not reach the terminal.
    """
    starts = [
        ("--proto sctp", 64, "--proto sctp: expected tcp, udp or all"),
        ("echo", 64, "such as --service echo"),
        ("--listen echo=tcp:\x1b[31m", 64, "--listen echo=tcp:\\x1b[31m: "),
        ("--listen echo=unix:new --service time=TCP", 1, "time=TCP: tcp:127.0.0.1:TCP: Address already in use"),
    ]
    commands = [["twist", "sockservices", *taken.insert(line).split(" ")] for line, _, _ in starts]
    for (line, status, message), result in zip(starts, runInForks(TWIST, commands, tmp_path), strict=True):
        output = result.out + result.err
        assert (result.status, result.files) == (status, []), (line, result)
        assert taken.insert(message) in output, (line, result)
        assert "Traceback" not in output, (line, result)
        assert "\x1b" not in output, (line, result)
        assert status == 64 or result.err.count("\n") == 1, (line, result)
