"""
Server processes: their clock, the sockets that they inherit, and the files that remain after the end.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.support.twistd import COMMAND, Twistd, environment

#: Opens the sockets of a server, prints whether the reactor's clock is the monotonic one, and exits.
NEVER_STARTED = """
import sys, time
from sockservices.tap import Options, makeService
options = Options()
options.parseOptions(["--listen", f"echo=unix:{sys.argv[1]}"])
makeService(options)
from twisted.internet import reactor
print(reactor.seconds is time.monotonic)
"""


def test_neverStarted(tmp_path: Path) -> None:
    """
    A process that exits before it serves leaves no file of a Unix socket. Its reactor has the monotonic clock.
    """
    path = tmp_path / "socket"
    command = [sys.executable, "-c", NEVER_STARTED, str(path)]
    assert subprocess.check_output(command, env=environment(), timeout=20) == b"True\n"
    assert not path.exists()


#: Receives sockets over a Unix socket, and becomes twistd with them, as a service manager does.
MANAGER = """
import os, socket, sys
path, names, *command = sys.argv[1:]
with socket.socket(socket.AF_UNIX) as channel:
    channel.connect(path)
    _, passed, _, _ = socket.recv_fds(channel, 1, 100)
for number in passed:
    os.dup2(number, number + 100)
for target, number in enumerate(passed, 3):
    os.dup2(number + 100, target)
os.closerange(3 + len(passed), 300)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(passed)), LISTEN_FDNAMES=names)
os.execv(command[0], command)
"""


def startWithSockets(passed: dict[socket.socket, str], folder: Path) -> Twistd:
    """
    Start a server that adopts sockets for echo services.

    @param passed: the sockets with their names.
    """
    with socket.socket(socket.AF_UNIX) as channel:
        channel.bind(str(folder / "channel"))
        channel.listen()
        command = (sys.executable, "-c", MANAGER, str(folder / "channel"), ":".join(passed.values()), *COMMAND)
        options = [f"--listen=echo=systemd:{name}" for name in dict.fromkeys(passed.values())]
        twistd = Twistd(*options, command=command)
        connection, _ = channel.accept()
        with connection:
            socket.send_fds(connection, [b"."], [each.fileno() for each in passed])
    (folder / "channel").unlink()
    return twistd


def echoOf(listener: socket.socket) -> bytes:
    """
    Send a message to an echo service.

    @return: the reply.
    """
    with socket.socket(listener.family, listener.type) as client:
        client.settimeout(10)
        client.connect(listener.getsockname())
        client.send(b"hello")
        return client.recv(10)


def test_adoptedSockets(tmp_path: Path) -> None:
    """
    Adopted sockets of every kind are served, several with one name together. They are unchanged after the stop, and the
    next server serves connections that arrived in between.
    """
    path = tmp_path / "socket"
    with ExitStack() as stack:

        def bound(family: socket.AddressFamily, kind: socket.SocketKind, address: Any) -> socket.socket:
            made = stack.enter_context(socket.socket(family, kind))
            made.bind(address)
            if kind is socket.SOCK_STREAM:
                made.listen()
            return made

        passed = {
            bound(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)): "streams",
            bound(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)): "streams",
            bound(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)): "datagrams",
            bound(socket.AF_UNIX, socket.SOCK_STREAM, str(path)): "unix",
        }
        path.chmod(0o640)
        before = path.stat()
        with startWithSockets(passed, tmp_path) as twistd:
            assert sorted(twistd.listeners) == [("echo", "tcp"), ("echo", "udp"), ("echo", "unix")]
            assert [echoOf(each) for each in passed] == [b"hello"] * 4
        after = path.stat()
        assert (after.st_mode, after.st_ino) == (before.st_mode, before.st_ino)
        early = stack.enter_context(socket.socket(socket.AF_UNIX))
        early.settimeout(10)
        early.connect(str(path))
        early.send(b"early")
        with startWithSockets(passed, tmp_path):
            assert early.recv(10) == b"early"
            assert [echoOf(each) for each in passed] == [b"hello"] * 4
