"""
C{sockservices serve}: its options beside the server's, and its log.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from sockservices.cli.exit_status import USAGE
from tests.support.twistd import Twistd, environment

SERVE = (sys.executable, "-m", "sockservices", "serve", "--service=echo=0")

needsRoot = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up privileges")


def error(*arguments: str) -> tuple[int, str]:
    """
    Run a command line that is wrong.

    @return: its status, and its standard error.
    """
    command = [*SERVE, *arguments]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=20)
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_log() -> None:
    """
    The log has the server's own lines only, in both formats.
    """
    with Twistd(command=SERVE) as server:
        server.stop()
    assert all("[sockservices#" in line for line in server.lines), server.log
    assert "stopping: 0 connections" in server.lines[-2]
    with Twistd("--log-format=json", command=SERVE) as server:
        server.stop()
    events = [json.loads(line)["event"] for line in server.lines]
    assert not [event for event in events if "twistd" in event or "Main loop" in event]


def test_pidfile(tmp_path: Path) -> None:
    """
    --pidfile names a file that has the number of the process while it runs.
    """
    pidfile = tmp_path / "pid"
    with Twistd(f"--pidfile={pidfile}", command=SERVE) as server:
        assert int(pidfile.read_text()) == server.pid
        server.stop()
    assert not pidfile.exists()
    status, text = error("--pidfile", f"{tmp_path}/missing/pid")
    assert (status, text) == (1, f"sockservices: --pidfile {tmp_path}/missing/pid: there is no such folder\n")


@needsRoot
@pytest.mark.parametrize("names", [("nobody", "nogroup"), ("65534", "65534"), ("nobody", None)])
def test_privilegesAreDropped(names: tuple[str, str | None]) -> None:
    """
    --uid and --gid are names or numbers. The server opens its sockets, and then runs as that user.
    """
    user, group = names
    if not user.isdecimal() and user not in [each.pw_name for each in pwd.getpwall()]:
        pytest.skip("there is no such user")
    if group is not None and not group.isdecimal() and group not in [each.gr_name for each in grp.getgrall()]:
        pytest.skip("there is no such group")
    arguments = [f"--uid={user}", *([f"--gid={group}"] if group else [])]
    with Twistd(*arguments, command=SERVE) as server:
        lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines)
        server.stop()
    assert status["Uid"].split() == ["65534"] * 4
    assert status["Gid"].split() == ["65534"] * 4
    assert all("[sockservices#" in line for line in server.lines), server.log
    assert "running as root" not in server.log


def test_noSuchUser() -> None:
    """
    A user or group that does not exist is an error of one line.
    """
    assert error("--uid", "no such") == (USAGE, "sockservices: --uid no such: there is no such user\n")
    assert error("--gid=no-such") == (USAGE, "sockservices: --gid no-such: there is no such group\n")
    assert error("--uid=-1") == (USAGE, "sockservices: --uid -1: expected 0 to 4294967294\n")


def test_help() -> None:
    """
    The help has these options, and no others of twistd.
    """
    for option in ("--help", "-h"):
        command = [sys.executable, "-m", "sockservices", "serve", option]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True, timeout=20)
        assert done.stdout.startswith("Usage: sockservices serve [options]")
        for expected in ("--uid", "--gid", "--pidfile", "--trusted", "--service"):
            assert expected in done.stdout
        assert "--chroot" not in done.stdout
