"""
The C{sockservices} command in a process of its own, at a terminal or with pipes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import ioctl
from termios import FIONREAD
from typing import IO, NamedTuple, Self

import pexpect

from tests.support.twistd import environment

__all__ = ["COMMAND", "TIMEOUT", "Completed", "Piped", "Run", "runCommand", "terminal", "unreadBytes", "waitForExit"]

#: The command. A shell ignores SIGINT for its background jobs, and the tests may be one: this restores Ctrl-C.
COMMAND = (
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from sockservices.__main__ import main; main()",
)

#: Seconds to wait for an expected event.
TIMEOUT = 20.0


class Completed(NamedTuple):
    """
    The result of a command: exit status, standard output and standard error.
    """

    status: int
    out: bytes
    err: str


def runCommand(*arguments: str, stdin: bytes = b"") -> Completed:
    """
    Run the command with pipes.
    """
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(),
        input=stdin,
        capture_output=True,
        timeout=3 * TIMEOUT,
        check=False,
    )
    return Completed(done.returncode, done.stdout, done.stderr.decode())


#: The type of the C{run} fixture, which runs the command in this process.
Run = Callable[..., Completed]


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
        status = self.process.wait(TIMEOUT)
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
            timeout=TIMEOUT,
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
