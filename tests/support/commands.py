"""
The command as users run it, at a terminal or not, and far ends that do as the test says.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
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

from tests.support.twistd import Twistd, environment

__all__ = [
    "COMMAND",
    "PATIENCE",
    "Done",
    "Piped",
    "command",
    "datagrams",
    "finish",
    "nobody",
    "ours",
    "reset",
    "stream",
    "terminal",
    "waiting",
]

#: Ctrl-C ends it, even where it would be ignored, since the tests themselves run in the background.
COMMAND = (
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from sockservices.__main__ import main; main()",
)

#: Seconds in which something that was asked for must have happened.
PATIENCE = 20.0

#: What C{close()} does: it resets.
RESETTING = struct.pack("ii", 1, 0)


class Done(NamedTuple):
    """
    A command that has ended.
    """

    status: int
    out: bytes
    err: str


def command(*arguments: str | bytes, said: bytes = b"", variables: Mapping[str, str] | None = None) -> Done:
    """
    Run it, with pipes.

    @param said: its standard input.
    @param variables: what else is in its environment.
    """
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(**variables or {}),
        input=said,
        capture_output=True,
        timeout=3 * PATIENCE,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr.decode())


class Piped:
    """
    A context manager: the command with its output in pipes, while it runs.

    @ivar out: its standard output.
    """

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        assert self.process.stdin
        assert self.process.stdout
        self.said, self.out = self.process.stdin, self.process.stdout

    def __enter__(self) -> Self:
        return self

    def interrupt(self) -> None:
        """
        Do as Ctrl-C does.
        """
        self.process.send_signal(signal.SIGINT)

    def end(self) -> tuple[int, str]:
        """
        Wait for the end.

        @return: the exit status, and what it had to complain of.
        """
        assert self.process.stderr
        status = self.process.wait(PATIENCE)
        return status, self.process.stderr.read().decode()

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        with self.process:
            pass


def waiting(pipe: IO[bytes]) -> int:
    """
    How many bytes wait to be read.
    """
    return int.from_bytes(ioctl(pipe, FIONREAD, bytes(4)), sys.byteorder)


@contextmanager
def terminal(*arguments: str) -> Iterator[pexpect.spawn[bytes]]:
    """
    Run any command at a terminal of its own.
    """
    with warnings.catch_warnings():
        # From Python 3.12 on: it forks beside threads. All that the child does is to become another program.
        warnings.simplefilter("ignore", DeprecationWarning)
        child: pexpect.spawn[bytes] = pexpect.spawn(
            arguments[0],
            [*arguments[1:]],
            # No readline settings of whose machine this is.
            env=environment(TERM="xterm", LC_ALL="C.UTF-8", INPUTRC=os.devnull),
            dimensions=(24, 200),
            timeout=PATIENCE,
            encoding=None,
        )
    # Nothing here is so quick that it would have to be slowed down.
    child.delaybeforesend = None
    try:
        yield child
    finally:
        child.close(force=True)


def finish(child: pexpect.spawn[bytes]) -> tuple[int | None, bytes]:
    """
    Wait for the end.

    @return: the exit status, and what was printed until then.
    """
    child.expect_exact(pexpect.EOF)
    child.wait()
    return child.exitstatus, child.before or b""


@contextmanager
def ours(folder: Path, *services: str) -> Iterator[Callable[[str, str], str]]:
    """
    A server of our own: each of the services on each transport.

    @return: the URL of a service on a transport.
    """
    sockets = [
        (service, kind, str(folder / f"{service}.{kind}")) for service in services for kind in ("unix", "unixgram")
    ]
    listens = [f"--listen={service}={kind}:{path}" for service, kind, path in sockets]
    with Twistd(*(f"--service={service}=0" for service in services), "--proto=all", *listens) as server:
        yield lambda service, transport: f"{transport}://{server.listeners[service, transport][0]}"


def _bound(kind: socket.SocketKind, path: Path | None) -> tuple[socket.socket, str]:
    """
    A socket, and its URL.
    """
    bound = socket.socket(socket.AF_UNIX if path else socket.AF_INET, kind)
    bound.bind(str(path) if path else ("127.0.0.1", 0))
    name = {(True, True): "tcp", (True, False): "unix", (False, True): "udp", (False, False): "unixgram"}[
        kind == socket.SOCK_STREAM, path is None
    ]
    return bound, f"{name}://{path or '{}:{}'.format(*bound.getsockname())}"


@contextmanager
def stream(talk: Callable[[socket.socket], object], path: Path | None = None) -> Iterator[str]:
    """
    A stream server.

    @param talk: what it does in a conversation, which then ends.
    @return: its URL.
    """
    listener, url = _bound(socket.SOCK_STREAM, path)
    listener.listen()

    def serve() -> None:
        with suppress(OSError):
            while True:
                conversation, _ = listener.accept()
                conversation.settimeout(PATIENCE)
                with conversation, suppress(OSError):
                    talk(conversation)

    with _beside(serve), listener:
        try:
            yield url
        finally:
            # Wakes accept(), which close() does not.
            listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def datagrams(reply: Callable[[socket.socket, bytes, Any], object], path: Path | None = None) -> Iterator[str]:
    """
    A datagram server.

    @param reply: called with the socket, a datagram and its source.
    @return: its URL.
    """
    bound, url = _bound(socket.SOCK_DGRAM, path)
    last = os.urandom(16)

    def serve() -> None:
        while (received := bound.recvfrom(2**18))[0] != last:
            with suppress(OSError):
                reply(bound, *received)

    with bound, _beside(serve):
        try:
            yield url
        finally:
            with socket.socket(bound.family, socket.SOCK_DGRAM) as telling:
                telling.sendto(last, bound.getsockname())


@contextmanager
def _beside(serve: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(PATIENCE)
        assert not thread.is_alive()


@contextmanager
def nobody(kind: socket.SocketKind, path: Path | None = None) -> Iterator[str]:
    """
    The URL of a socket at which nobody listens, nor will anybody.
    """
    bound, url = _bound(kind, path)
    with bound:
        if path or kind == socket.SOCK_DGRAM:
            # Whoever holds a datagram socket hears by it. An address of its own is as good as a port that is taken.
            bound.close()
        yield url if path or kind == socket.SOCK_STREAM else f"udp://127.0.0.88:{url.rpartition(':')[2]}"


def reset(conversation: socket.socket) -> None:
    """
    Cut a conversation off, when something has come.
    """
    conversation.recv(1, socket.MSG_PEEK)
    conversation.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETTING)
