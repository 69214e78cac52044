"""
The C{sockservices} command, at a terminal, with pipes or in this process, and plain servers for it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from fcntl import ioctl
from pathlib import Path
from termios import FIONREAD
from typing import IO, Any, NamedTuple, Self

import pexpect
import pytest

from tests.support.sockets import boundSocket, closeWithReset
from tests.support.twistd import Twistd, environment

__all__ = [
    "COMMAND",
    "PATIENCE",
    "Completed",
    "Piped",
    "datagramServer",
    "ownServer",
    "resetAfterData",
    "runCommand",
    "runInProcess",
    "streamServer",
    "terminal",
    "unreadBytes",
    "unusedPort",
    "waitForExit",
]

#: The command. A shell ignores SIGINT for its background jobs, and the tests may be one: this restores Ctrl-C.
COMMAND = (
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from sockservices.__main__ import main; main()",
)

#: Seconds to wait for an expected event.
PATIENCE = 20.0


class Completed(NamedTuple):
    """
    The result of a command: exit status, standard output and standard error.
    """

    status: int
    out: bytes
    err: str


def runCommand(*arguments: str | bytes, stdin: bytes = b"", variables: Mapping[str, str] | None = None) -> Completed:
    """
    Run the command with pipes.

    @param variables: additions to its environment.
    """
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(**variables or {}),
        input=stdin,
        capture_output=True,
        timeout=3 * PATIENCE,
        check=False,
    )
    return Completed(done.returncode, done.stdout, done.stderr.decode())


def runInProcess(capfd: pytest.CaptureFixture[str], *arguments: str) -> Completed:
    """
    Run the command in this process.
    """
    from sockservices.cli.commands import run

    status = run(arguments)
    out, err = capfd.readouterr()
    return Completed(status, out.encode(), err)


class Piped:
    """
    A context manager: the command with pipes, while it runs.

    @ivar stdin: the write end of its standard input.
    @ivar stdout: the read end of its standard output.
    """

    def __init__(self, *arguments: str) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [*COMMAND, *arguments], env=environment(), stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0
        )
        assert self.process.stdin
        assert self.process.stdout
        self.stdin, self.stdout = self.process.stdin, self.process.stdout

    def __enter__(self) -> Self:
        return self

    def interrupt(self) -> None:
        """
        Send SIGINT, as Ctrl-C does.
        """
        self.process.send_signal(signal.SIGINT)

    def exited(self) -> tuple[int, str]:
        """
        Wait for the end.

        @return: the exit status, and standard error.
        """
        assert self.process.stderr
        status = self.process.wait(PATIENCE)
        return status, self.process.stderr.read().decode()

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        with self.process:
            pass


def unreadBytes(pipe: IO[bytes]) -> int:
    """
    Give the number of bytes in a pipe.
    """
    return int.from_bytes(ioctl(pipe, FIONREAD, bytes(4)), sys.byteorder)


@contextmanager
def terminal(*arguments: str) -> Iterator[pexpect.spawn[bytes]]:
    """
    Run a program at a pseudo-terminal.
    """
    with warnings.catch_warnings():
        # Python 3.12 and later warn of fork() beside threads. The child only calls exec().
        warnings.simplefilter("ignore", DeprecationWarning)
        child: pexpect.spawn[bytes] = pexpect.spawn(
            arguments[0],
            [*arguments[1:]],
            # Ignore the user's readline settings.
            env=environment(TERM="xterm", LC_ALL="C.UTF-8", INPUTRC=os.devnull),
            dimensions=(24, 200),
            timeout=PATIENCE,
            encoding=None,
        )
    child.delaybeforesend = None
    try:
        yield child
    finally:
        child.close(force=True)


def waitForExit(child: pexpect.spawn[bytes]) -> tuple[int | None, bytes]:
    """
    Wait for the end of a program at a terminal.

    @return: the exit status, and the output since the last match.
    """
    child.expect_exact(pexpect.EOF)
    child.wait()
    return child.exitstatus, child.before or b""


@contextmanager
def ownServer(folder: Path, *services: str) -> Iterator[Callable[[str, str], str]]:
    """
    Serve the project's services on each transport.

    @return: a function that gives the URL of a service on a transport.
    """
    listens = [
        f"--listen={service}={kind}:{folder / service}.{kind}" for service in services for kind in ("unix", "unixgram")
    ]
    with Twistd(*(f"--service={service}=0" for service in services), "--proto=all", *listens) as server:
        yield lambda service, transport: f"{transport}://{server.listeners[service, transport][0]}"


def _bound(transport: str, path: Path | None) -> tuple[socket.socket, str]:
    """
    Bind a socket.

    @return: the socket, and its URL.
    """
    bound = boundSocket(transport, path or "")
    return bound, f"{transport}://{path or '{}:{}'.format(*bound.getsockname())}"


@contextmanager
def streamServer(serve: Callable[[socket.socket], object], path: Path | None = None) -> Iterator[str]:
    """
    Serve streams in a thread.

    @param serve: called with each connection, which is closed after it.
    @param path: of a Unix socket; by default the server uses TCP.
    @return: the URL.
    """
    listener, url = _bound("unix" if path else "tcp", path)
    listener.listen()

    def acceptAll() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.settimeout(PATIENCE)
                with connection, suppress(OSError):
                    serve(connection)

    with _inThread(acceptAll), listener:
        try:
            yield url
        finally:
            # Wakes accept(), which close() does not.
            listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def datagramServer(reply: Callable[[socket.socket, bytes, Any], object], path: Path | None = None) -> Iterator[str]:
    """
    Serve datagrams in a thread.

    @param reply: called with the socket, a datagram and its source.
    @param path: of a Unix socket; by default the server uses UDP.
    @return: the URL.
    """
    bound, url = _bound("unixgram" if path else "udp", path)
    stop = os.urandom(16)

    def receiveAll() -> None:
        while (received := bound.recvfrom(2**18))[0] != stop:
            with suppress(OSError):
                reply(bound, *received)

    with bound, _inThread(receiveAll):
        try:
            yield url
        finally:
            with socket.socket(bound.family, socket.SOCK_DGRAM) as stopper:
                stopper.sendto(stop, bound.getsockname())


@contextmanager
def _inThread(function: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(PATIENCE)
        assert not thread.is_alive()


@contextmanager
def unusedPort() -> Iterator[str]:
    """
    Give the URL of a TCP port at which nothing listens. A bound socket keeps the port unused.
    """
    bound, url = _bound("tcp", None)
    with bound:
        yield url


def resetAfterData(connection: socket.socket) -> None:
    """
    Reset a connection when data has arrived.
    """
    connection.recv(1, socket.MSG_PEEK)
    closeWithReset(connection)
