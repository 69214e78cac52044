"""
C{sockservices ask}.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from fcntl import F_GETPIPE_SZ, fcntl
from threading import Event
from typing import Any

import pytest

from sockservices.cli.reactor import CLOSE_TIMEOUT
from tests.support.commands import COMMAND, TIMEOUT, Piped, Run, runCommand, terminal, unreadBytes, waitForExit
from tests.support.plain_servers import datagramServer, resetAfterData, streamServer
from tests.support.twistd import environment


def answering(*segments: bytes) -> Callable[[socket.socket], None]:
    """
    Make a stream server that reads until the FIN, and then answers.
    """

    def serve(connection: socket.socket) -> None:
        while connection.recv(1000):
            pass
        for segment in segments:
            connection.sendall(segment)

    return serve


def replying(reply: bytes) -> Callable[[socket.socket, bytes, Any], object]:
    """
    Make a datagram server that always gives the same reply.
    """
    return lambda server, _, source: server.sendto(reply, source)


def sendForever(connection: socket.socket) -> None:
    """
    Send data until the peer closes.
    """
    while True:
        connection.sendall(b"answer" * 1000)


#: Servers and options; the expected exit status, output, and start of the error line.
RESULTS = [
    (streamServer, answering(b"ans", b"wer"), (), 0, b"answer", ""),
    (streamServer, answering(b"answer"), ("--expect", "answer"), 0, b"answer", ""),
    (streamServer, resetAfterData, (), 11, b"", "reset: the peer reset the connection"),
    (streamServer, answering(), (), 13, b"", "eof: the peer closed without an answer"),
    (streamServer, answering(b"ans"), ("--expect", "answer"), 14, b"ans", "short: received 3 of 6 bytes"),
    (
        streamServer,
        answering(b"antler"),
        ("--expect", "answer"),
        15,
        b"antler",
        "corrupt: the answer differs from the ",
    ),
    (datagramServer, replying(b""), (), 0, b"", ""),
    (datagramServer, replying(b"answer"), ("--expect", "answer"), 0, b"answer", ""),
    (datagramServer, replying(b"ans"), ("--expect", "answer"), 14, b"ans", "short: received 3 of 6 bytes"),
    (datagramServer, lambda *_: None, ("--timeout", "0.1"), 12, b"", "timeout: no reply within 0.1 s"),
]


@pytest.mark.parametrize(("server", "behaviour", "options", "status", "out", "description"), RESULTS)
def test_results(
    server: Any, behaviour: object, options: tuple[str, ...], status: int, out: bytes, description: str, run: Run
) -> None:
    """
    The answer, complete or not, goes to standard output. A failure is one line with the URL, and has an exit status.
    """
    with server(behaviour) as url:
        done = run("ask", url, "question", *options)
    assert (done.status, done.out) == (status, out), done.err
    assert done.err.startswith(f"sockservices: {url}: {description}" if status else "")
    assert done.err.count("\n") == (1 if status else 0)


def test_timeout(run: Run) -> None:
    """
    The part of the answer that arrives before the timeout is printed.
    """
    release = Event()

    def serve(connection: socket.socket) -> None:
        connection.sendall(b"ans")
        release.wait(TIMEOUT)

    with streamServer(serve) as url:
        try:
            assert run("ask", url, "question", "--timeout", "0.5")[:2] == (21, b"ans")
        finally:
            release.set()


@pytest.mark.parametrize("transport", ["tcp", "udp", "unix", "unixgram"])
def test_message(transport: str, run: Run, serve: Callable[[str, str], str]) -> None:
    """
    The message is an argument, hexadecimal, or standard input, and passes unchanged. It may be empty: no answer to it
    is a failure on a stream, and an empty reply is none as a datagram.
    """
    url = serve("echo", transport)
    everyByte = bytes(range(1, 256))
    assert run("ask", url, os.fsdecode(everyByte)) == (0, everyByte, "")
    assert run("ask", url, "--hex", "31 0d0A") == (0, b"1\r\n", "")
    assert run("ask", "--", url, "-1") == (0, b"-1", "")
    assert run("ask", url, stdin=bytes(65507)) == (0, bytes(65507), "")
    for empty in (("",), ("--hex", ""), ()):
        assert run("ask", url, *empty)[:2] == (13 if transport in ("tcp", "unix") else 0, b"")


def test_pipes(serve: Callable[[str, str], str]) -> None:
    """
    A message of 5 MiB passes unchanged from standard input to standard output.
    """
    large = os.urandom(5 * 2**20)
    done = runCommand("ask", serve("echo", "tcp"), "--timeout=60", stdin=large)
    assert (done.status, done.err, done.out == large) == (0, "", True)


def test_terminal(serve: Callable[[str, str], str]) -> None:
    """
    At a terminal the command ends the answer's line, and escapes control characters.
    """
    arguments = (serve("echo", "udp"), "--hex", "411b5b33316dff", "--expect", "other")
    with terminal(*COMMAND, "ask", *arguments) as child:
        status, out = waitForExit(child)
    assert status == 15
    assert out.startswith(b"A\\x1b[31m\\xff\r\nsockservices: udp://")


def test_interrupt() -> None:
    """
    At a terminal the command does not read standard input: it sends an empty message. Ctrl-C ends it without an error
    message.
    """
    received: list[bytes] = []
    eofReceived, release = Event(), Event()

    def serve(connection: socket.socket) -> None:
        received.append(connection.recv(100))
        eofReceived.set()
        release.wait(TIMEOUT)

    with streamServer(serve) as url, terminal(*COMMAND, "ask", url) as child:
        try:
            assert eofReceived.wait(TIMEOUT)
            child.sendintr()
            assert waitForExit(child) == (130, b"^C\r\n")
        finally:
            release.set()
    assert received == [b""]


def test_closedOutput() -> None:
    """
    The command ends without a message when the reader closes its standard output.
    """
    with streamServer(sendForever) as url, Piped("ask", url, "") as asking:
        assert asking.stdout.read(12) == b"answeranswer"
        asking.stdout.close()
        assert asking.exited() == (141, "")


def test_fullOutput() -> None:
    """
    While a full pipe blocks its output, a command still ends on Ctrl-C, and at its timeout. It waits only once for the
    thread that is blocked.
    """
    with ExitStack() as servers, ExitStack() as commands:
        # The commands run at the same time, because each waits some seconds for the blocked thread.
        urls = [servers.enter_context(streamServer(sendForever)) for _ in range(3)]
        asking, chatting, waiting = (
            commands.enter_context(Piped(*arguments))
            for arguments in (("ask", urls[0], ""), ("chat", urls[1]), ("ask", urls[2], "", "--timeout=1"))
        )
        for each in (asking, chatting, waiting):
            assert each.stdout.read(12) == b"answeranswer"
            capacity = fcntl(each.stdout, F_GETPIPE_SZ)
            deadline = time.monotonic() + TIMEOUT
            while unreadBytes(each.stdout) < capacity - 4096:
                assert time.monotonic() < deadline
        interruptedAt = time.monotonic()
        asking.interrupt()
        chatting.interrupt()
        # click ends the line of ^C.
        assert asking.exited() == (130, "\n")
        assert chatting.exited() == (0, "")
        assert time.monotonic() - interruptedAt < 2 * CLOSE_TIMEOUT
        message = f"sockservices: {urls[2]}: timeout: standard output was not read within 1 s\n"
        assert waiting.exited() == (12, message)


@pytest.mark.parametrize(
    ("redirection", "status", "err"),
    [(">/dev/full", 74, b"sockservices: [Errno 28] No space left on device\n"), ("<&- >&-", 0, b"")],
)
def test_unwritableOutput(redirection: str, status: int, err: bytes, serve: Callable[[str, str], str]) -> None:
    """
    An error of standard output is one line. A closed standard output is no error.
    """
    # With buffered output, Python repeats the failed write at exit.
    script = f'exec env -u PYTHONUNBUFFERED "$@" {redirection}'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *COMMAND, "ask", serve("echo", "unixgram"), "question"],
        env=environment(),
        stderr=subprocess.PIPE,
        timeout=TIMEOUT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (status, err)
