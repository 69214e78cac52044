"""
C{sockservices ask}.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from fcntl import F_GETPIPE_SZ, fcntl
from functools import partial
from threading import Event
from typing import Any

import pytest

from tests.support.commands import (
    COMMAND,
    PATIENCE,
    Completed,
    Piped,
    datagramServer,
    ownServer,
    resetAfterData,
    runCommand,
    runInProcess,
    streamServer,
    terminal,
    unreadBytes,
    waitForExit,
)
from tests.support.twistd import environment


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], str]]:
    """
    The URLs of the project's own server.
    """
    with ownServer(tmp_path_factory.mktemp("server"), "echo", "discard") as url:
        yield url


@pytest.fixture
def ask(capfd: pytest.CaptureFixture[str]) -> Callable[..., Completed]:
    """
    The command, in this process.
    """
    return partial(runInProcess, capfd, "ask")


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
        connection.sendall(b"words " * 1000)


#: Servers, options, and what follows: exit status, output, and the end of the error line.
RESULTS = [
    (streamServer, answering(b"wo", b"rds"), (), 0, b"words", ""),
    (streamServer, answering(b"words"), ("--expect", "words"), 0, b"words", ""),
    (streamServer, resetAfterData, (), 11, b"", "reset: the peer reset the connection"),
    (streamServer, answering(), (), 13, b"", "eof: the peer closed without an answer"),
    (streamServer, answering(b"wor"), ("--expect", "words"), 14, b"wor", "short: received 3 of 5 bytes"),
    (streamServer, answering(b"wort"), ("--expect", "words"), 15, b"wort", "corrupt: the answer differs from the "),
    (datagramServer, replying(b""), (), 0, b"", ""),
    (datagramServer, replying(b"words"), ("--expect", "words"), 0, b"words", ""),
    (datagramServer, replying(b"wor"), ("--expect", "words"), 14, b"wor", "short: received 3 of 5 bytes"),
    (datagramServer, lambda *_: None, ("--timeout", "0.1"), 12, b"", "timeout: no reply within 0.1 s"),
]


@pytest.mark.parametrize(("server", "behaviour", "options", "status", "out", "description"), RESULTS)
def test_results(
    server: Any,
    behaviour: object,
    options: tuple[str, ...],
    status: int,
    out: bytes,
    description: str,
    ask: Callable[..., Completed],
) -> None:
    """
    The answer, complete or not, goes to standard output. A failure is one line with the URL, and has an exit status.
    """
    with server(behaviour) as url:
        done = ask(url, "question", *options)
    assert (done.status, done.out) == (status, out), done.err
    if status:
        assert done.err.startswith(f"sockservices: {url}: {description}")
        assert done.err.count("\n") == 1
    else:
        assert done.err == ""


def test_timeout(ask: Callable[..., Completed]) -> None:
    """
    At the timeout, the answer so far has been printed.
    """
    over = Event()

    def serve(connection: socket.socket) -> None:
        connection.sendall(b"wor")
        over.wait(PATIENCE)

    with streamServer(serve) as url:
        try:
            assert ask(url, "question", "--timeout", "1")[:2] == (12, b"wor")
        finally:
            over.set()


@pytest.mark.parametrize("transport", ["tcp", "udp", "unix", "unixgram"])
def test_message(transport: str, ask: Callable[..., Completed], urls: Callable[[str, str], str]) -> None:
    """
    The message is an argument or hexadecimal, and may be empty. The echo of an empty message is empty: no answer on a
    stream, and a good reply as a datagram.
    """
    url = urls("echo", transport)
    assert ask(url, "two words é") == (0, "two words é".encode(), "")
    assert ask(url, "--hex", "31 0d0A") == (0, b"1\r\n", "")
    assert ask("--", url, "-1") == (0, b"-1", "")
    for empty in (("",), ("--hex", "")):
        assert ask(url, *empty)[:2] == (13 if transport in ("tcp", "unix") else 0, b"")


def test_standardInput(urls: Callable[[str, str], str]) -> None:
    """
    Without a message, standard input is the message. Bytes pass unchanged, from there and from an argument.
    """
    large = os.urandom(5 * 2**20)
    done = runCommand("ask", urls("echo", "tcp"), "--timeout=60", stdin=large)
    assert (done.status, done.err, len(done.out)) == (0, "", len(large))
    assert done.out == large
    longest = bytes(65507)
    assert runCommand("ask", urls("echo", "udp"), stdin=longest) == (0, longest, "")
    every = bytes(range(1, 256))
    assert runCommand("ask", urls("echo", "tcp"), every) == (0, every, "")


def test_terminal(urls: Callable[[str, str], str]) -> None:
    """
    At a terminal the command does not read standard input, ends the answer's line, and escapes control characters.
    """
    with terminal(*COMMAND, "ask", urls("discard", "tcp")) as child:
        status, out = waitForExit(child)
        assert status == 13
        assert out.endswith(b": eof: the peer closed without an answer\r\n")
    with terminal(*COMMAND, "ask", urls("echo", "tcp"), "--hex", "411b5b33316dff") as child:
        assert waitForExit(child) == (0, b"A\\x1b[31m\\xff\r\n")
    with terminal(*COMMAND, "ask", urls("echo", "udp"), "words", "--expect", "other") as child:
        status, out = waitForExit(child)
        assert status == 15
        assert out.startswith(b"words\r\nsockservices: udp://")


def test_interrupt() -> None:
    """
    Ctrl-C ends the command without a message.
    """
    accepted, over = Event(), Event()

    def serve(_: socket.socket) -> None:
        accepted.set()
        over.wait(PATIENCE)

    with streamServer(serve) as url, terminal(*COMMAND, "ask", url, "question") as child:
        try:
            assert accepted.wait(PATIENCE)
            child.sendintr()
            assert waitForExit(child) == (130, b"^C\r\n")
        finally:
            over.set()


def test_closedOutput() -> None:
    """
    The command ends without a message when the reader closes its standard output.
    """
    with streamServer(sendForever) as url, Piped("ask", url, "") as asking:
        assert asking.stdout.read(20) == b"words words words wo"
        asking.stdout.close()
        assert asking.exited() == (141, "")


@pytest.mark.parametrize(
    ("name", "arguments", "status"), [("ask", ("",), 130), ("chat", (), 0), ("ask", ("", "--timeout=1"), 12)]
)
def test_fullOutput(name: str, arguments: tuple[str, ...], status: int) -> None:
    """
    While a full pipe blocks its output, the command still ends on Ctrl-C, and at its timeout.
    """
    with streamServer(sendForever) as url, Piped(name, url, *arguments) as running:
        assert running.stdout.read(20) == b"words words words wo"
        capacity = fcntl(running.stdout, F_GETPIPE_SZ)
        deadline = time.monotonic() + PATIENCE
        while unreadBytes(running.stdout) < capacity - 4096:
            assert time.monotonic() < deadline
        if status != 12:
            running.interrupt()
        ended, err = running.exited()
        message = f"sockservices: {url}: timeout: standard output was not read within 1 s"
        assert (ended, err.strip()) == (status, message if status == 12 else "")


def test_unwritableOutput(urls: Callable[[str, str], str]) -> None:
    """
    An error of standard output is one line. A closed standard output is none.
    """
    url = urls("echo", "unixgram")
    for redirection, result in (
        (">/dev/full", (74, b"sockservices: [Errno 28] No space left on device\n")),
        ("<&- >&-", (0, b"")),
    ):
        done = subprocess.run(
            # With buffered output, Python tries again at exit to write what has failed.
            ["sh", "-c", f'exec env -u PYTHONUNBUFFERED "$@" {redirection}', "sh", *COMMAND, "ask", url, "words"],
            env=environment(),
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
        )
        assert (done.returncode, done.stderr) == result


URL = "tcp://127.0.0.1:7"

#: Wrong command lines, and their messages.
WRONG = [
    ([], "Missing argument 'URL'"),
    (["127.0.0.1:7"], "127.0.0.1:7: expected tcp://HOST:PORT, udp://HOST:PORT, unix:///PATH or unixgram:///PATH"),
    (["udp://127.0.0.1:65536"], "udp://127.0.0.1:65536: port 65536: expected 1 to 65535"),
    *(
        ([URL, "--hex", value], f"--hex {shown}: expected two hexadecimal digits for each byte, such as 31")
        for value, shown in (("3", "3"), ("é", r"'\xe9'"), ("3 1", "'3 1'"))
    ),
    *(
        ([URL, "1", "--timeout", value], f"--timeout {shown}: expected a number of seconds above 0, up to 1000000000")
        for value, shown in (
            *((value, value) for value in ("0", "-1", "nan", "inf", "1e10", "soon")),
            *(("", "''"), ("1\x1b[31m", r"'1\x1b[31m'")),
        )
    ),
    ([URL, "1", "--timeout"], "Option '--timeout' requires an argument"),
    ([URL, "1", "2"], "Got unexpected extra argument (2)"),
    ([URL, "--hexadecimal", "31"], "No such option"),
    ([URL, "1", "--hex", "31"], "MESSAGE and --hex: expected one of them, got both"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[ascii(" ".join(arguments)) for arguments, _ in WRONG])
def test_wrong(arguments: list[str], message: str, ask: Callable[..., Completed]) -> None:
    """
    An error in the command line is one line, with the option, the value and what was expected, and status 64.
    """
    status, out, err = ask(*arguments)
    assert (status, out) == (64, b"")
    # click names the subcommand only after it has parsed the subcommand's options.
    assert re.fullmatch(rf"(sockservices(?: ask)?): {re.escape(message)}.*; see \1 --help\n", err), err
