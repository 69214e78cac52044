"""
C{sockservices ask}: every verdict, by a real socket that behaves that way, and what users get wrong.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from fcntl import F_GETPIPE_SZ, fcntl
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from sockservices.cli.group import run
from sockservices.client import Verdict
from tests.support.commands import (
    COMMAND,
    PATIENCE,
    Done,
    Piped,
    command,
    datagrams,
    finish,
    nobody,
    ours,
    reset,
    stream,
    terminal,
    waiting,
)
from tests.support.twistd import environment

TRANSPORTS = ("tcp", "udp", "unix", "unixgram")

#: No name can look like that: a label of 64 letters. Nobody has to be asked.
NAMELESS = "a" * 64


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], str]]:
    """
    A server of our own.
    """
    with ours(tmp_path_factory.mktemp("ours"), "echo", "discard") as url:
        yield url


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """
    The command, in this process.
    """

    def tell(*arguments: str) -> Done:
        status = run(["ask", *arguments])
        out, err = capfd.readouterr()
        return Done(status, out.encode(), err)

    return tell


def says(*words: bytes) -> Callable[[socket.socket], None]:
    """
    A stream server that reads to the end, and then says that.
    """

    def talk(conversation: socket.socket) -> None:
        while conversation.recv(1000):
            pass
        for word in words:
            conversation.sendall(word)

    return talk


def replies(word: bytes) -> Callable[[socket.socket, bytes, Any], object]:
    """
    A datagram server that says that.
    """
    return lambda bound, _, source: bound.sendto(word, source)


def fromElsewhere(_: socket.socket, datagram: bytes, source: Any) -> None:
    """
    Reply from another port.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.sendto(datagram, source)


#: Far ends, what they are asked with, the verdict, and what is printed.
STREAMS = [
    (says(b"wo", b"rds"), (), "ok", b"words"),
    (says(b"words"), ("--expect", "words"), "ok", b"words"),
    (reset, (), "reset", b""),
    (says(), (), "eof", b""),
    (says(), ("--expect", "words"), "eof", b""),
    (says(b"wor"), ("--expect", "words"), "short", b"wor"),
    (says(b"wort"), ("--expect", "words"), "corrupt", b"wort"),
    (says(b"words!"), ("--expect", "words"), "corrupt", b"words!"),
]

DATAGRAMS = [
    (replies(b"words"), (), "ok", b"words"),
    (replies(b""), (), "ok", b""),
    (replies(b"words"), ("--expect", "words"), "ok", b"words"),
    (replies(b""), ("--expect", "words"), "eof", b""),
    (replies(b"wor"), ("--expect", "words"), "short", b"wor"),
    (replies(b"wort"), ("--expect", "words"), "corrupt", b"wort"),
    (replies(b"words!"), ("--expect", "words"), "corrupt", b"words!"),
    (lambda *_: None, ("--timeout", "0.1"), "timeout", b""),
]


def assertVerdict(done: Done, url: str, word: str, out: bytes = b"") -> None:
    """
    The command has ended with a verdict: its status, and one line that says of whom, which, and why.
    """
    status = next(verdict.status for verdict in Verdict if verdict.word == word)
    assert (done.status, done.out) == (status, out), done.err
    if status:
        said, why = done.err.removesuffix("\n").split(f"{url}: {word}: ")
        assert said == "sockservices: "
        assert why
        assert why.isprintable()
    else:
        assert done.err == ""


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_streams(transport: str, told: Callable[..., Done], tmp_path: Path) -> None:
    """
    Whatever a stream server does, that is told.
    """
    for number, (talk, arguments, word, out) in enumerate(STREAMS):
        with stream(talk, tmp_path / f"{number}" if transport == "unix" else None) as url:
            assertVerdict(told(url, "question", *arguments), url, word, out)


@pytest.mark.parametrize("transport", ["udp", "unixgram"])
def test_datagrams(transport: str, told: Callable[..., Done], tmp_path: Path) -> None:
    """
    Whatever a datagram server does, that is told.
    """
    for number, (reply, arguments, word, out) in enumerate(DATAGRAMS):
        with datagrams(reply, tmp_path / f"{number}" if transport == "unixgram" else None) as url:
            assertVerdict(told(url, "question", *arguments), url, word, out)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_refused(transport: str, told: Callable[..., Done], tmp_path: Path) -> None:
    """
    Where nobody listens, we are refused.
    """
    kind = socket.SOCK_STREAM if transport in ("tcp", "unix") else socket.SOCK_DGRAM
    with nobody(kind, tmp_path / "nobody" if transport.startswith("unix") else None) as url:
        assert url.startswith(f"{transport}:")
        assertVerdict(told(url, "question"), url, "refused")


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_timeout(transport: str, told: Callable[..., Done], tmp_path: Path) -> None:
    """
    A server that does not end is waited for as long as was said. What it has said until then is printed.
    """
    over = Event()

    def talk(conversation: socket.socket) -> None:
        conversation.sendall(b"wor")
        over.wait(PATIENCE)

    with stream(talk, tmp_path / "mute" if transport == "unix" else None) as url:
        try:
            assertVerdict(told(url, "question", "--timeout", "1"), url, "timeout", b"wor")
        finally:
            over.set()


def test_wrongSource(told: Callable[..., Done]) -> None:
    """
    A reply from another port is none, and that there was one is told.
    """
    with datagrams(fromElsewhere) as url:
        assertVerdict(told(url, "question", "--timeout", "2"), url, "wrong-source")


def test_nowhere(told: Callable[..., Done], tmp_path: Path) -> None:
    """
    Where there is no way to, or no such socket, and names that do not resolve.
    """
    for transport in ("tcp", "udp"):
        # To everybody on this network: no host, and the kernel sends nothing there unless it is allowed to.
        url = f"{transport}://255.255.255.255:9"
        assertVerdict(told(url, "question"), url, "unreachable")
        url = f"{transport}://{NAMELESS}:9"
        assertVerdict(told(url, "question"), url, "dns")
    for transport in ("unix", "unixgram"):
        url = f"{transport}://{tmp_path}/none"
        assertVerdict(told(url, "question"), url, "unreachable")


def test_tooLong(urls: Callable[[str, str], str]) -> None:
    """
    A message that no datagram can hold is a question that makes no sense.
    """
    url = urls("echo", "udp")
    assertVerdict(command("ask", url, said=bytes(65508)), url, "usage")
    assert command("ask", url, said=bytes(65507)) == (0, bytes(65507), "")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_message(transport: str, told: Callable[..., Done], urls: Callable[[str, str], str]) -> None:
    """
    The message is the argument, or the bytes in hexadecimal.
    """
    url = urls("echo", transport)
    assert told(url, "two words é") == (0, "two words é".encode(), "")
    assert told(url, "--hex", "31 0d0A") == (0, b"1\r\n", "")
    assert told("--", url, "-1") == (0, b"-1", "")


def test_empty(told: Callable[..., Done], urls: Callable[[str, str], str]) -> None:
    """
    An empty message is one: a stream server that gives it back has said nothing, a datagram server has replied.
    """
    for empty in (("",), ("--hex", "")):
        assertVerdict(told(urls("echo", "tcp"), *empty), urls("echo", "tcp"), "eof")
        assertVerdict(told(urls("echo", "unixgram"), *empty), urls("echo", "unixgram"), "ok")


def test_binary(urls: Callable[[str, str], str]) -> None:
    """
    Bytes that are no text go both ways as they are, be they in an argument or in a file.
    """
    every = bytes(range(256))
    assert command("ask", urls("echo", "unixgram"), said=every) == (0, every, "")
    assert command("ask", urls("echo", "tcp"), every[1:]) == (0, every[1:], "")


def test_standardInput(urls: Callable[[str, str], str]) -> None:
    """
    Without a message the standard input is sent, and all of it comes back.
    """
    said = os.urandom(5 * 2**20)
    done = command("ask", urls("echo", "tcp"), "--timeout=60", said=said)
    assert (done.status, done.err, len(done.out)) == (0, "", len(said))
    assert done.out == said


def test_terminal(urls: Callable[[str, str], str]) -> None:
    """
    At a terminal nothing is waited for, the answer ends its line, and does nothing to the terminal.
    """
    with terminal(*COMMAND, "ask", urls("discard", "tcp")) as child:
        status, out = finish(child)
        assert status == 13
        assert out.endswith(b": eof: the peer ended without an answer\r\n")
    with terminal(*COMMAND, "ask", urls("echo", "tcp"), "--hex", "411b5b33316dff") as child:
        assert finish(child) == (0, b"A\\x1b[31m\\xff\r\n")
    with terminal(*COMMAND, "ask", urls("echo", "udp"), "words", "--expect", "other") as child:
        status, out = finish(child)
        assert status == 15
        assert out.startswith(b"words\r\nsockservices: udp://")


def test_interrupted() -> None:
    """
    Ctrl-C ends it, and no more is said.
    """
    asked, over = Event(), Event()

    def talk(conversation: socket.socket) -> None:
        asked.set()
        over.wait(PATIENCE)

    with stream(talk) as url, terminal(*COMMAND, "ask", url, "question") as child:
        try:
            assert asked.wait(PATIENCE)
            child.sendintr()
            assert finish(child) == (130, b"^C\r\n")
        finally:
            over.set()


def endless(conversation: socket.socket) -> None:
    """
    Talk until the peer has gone.
    """
    while True:
        conversation.sendall(b"words " * 1000)


def test_readerGoesAway() -> None:
    """
    When nobody reads the answer any more, it ends, quietly.
    """
    with stream(endless) as url, Piped("ask", url, "") as asking:
        assert asking.out.read(20) == b"words words words wo"
        asking.out.close()
        assert asking.end() == (141, "")


def stall(asking: Piped) -> None:
    """
    Read a little, and then no more, until a pipe is as full as it gets: then it is stuck.
    """
    assert asking.out.read(20) == b"words words words wo"
    full = fcntl(asking.out, F_GETPIPE_SZ)
    patient = time.monotonic() + PATIENCE
    while waiting(asking.out) < full - 4096:
        assert time.monotonic() < patient


@pytest.mark.parametrize(("arguments", "status"), [(("ask", ""), 130), (("chat",), 0)], ids=["ask", "chat"])
def test_readerStalls(arguments: tuple[str, ...], status: int) -> None:
    """
    When the reader neither reads nor goes away, Ctrl-C still ends it, and chat too.
    """
    with stream(endless) as url, Piped(arguments[0], url, *arguments[1:]) as asking:
        stall(asking)
        asking.interrupt()
        ended, said = asking.end()
        assert (ended, said.strip()) == (status, "")


def test_readerStallsForLong() -> None:
    """
    Nor is the time for all of it stopped by that.
    """
    with stream(endless) as url, Piped("ask", url, "", "--timeout=1") as asking:
        stall(asking)
        assert asking.end() == (12, f"sockservices: {url}: timeout: the answer was not read within 1 s\n")


def test_noRoom(urls: Callable[[str, str], str]) -> None:
    """
    An answer that cannot be written is one line, too.
    """
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "ask", urls("echo", "tcp"), "words"],
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (74, b"sockservices: [Errno 28] No space left on device\n")


def test_closed(urls: Callable[[str, str], str]) -> None:
    """
    Started without standard input and output, it does what is left.
    """
    shell = 'exec "$@" <&- >&-'
    with stream(says(b"words")) as url:
        done = subprocess.run(
            ["sh", "-c", shell, "sh", *COMMAND, "ask", url],
            env=environment(),
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, b"")


#: What users get wrong, and what is said of it: the option, the value, and what would be right.
WRONG = [
    ([], "Missing argument 'URL'"),
    (["127.0.0.1:7"], "'127.0.0.1:7': tcp://HOST:PORT, udp://HOST:PORT, unix:///PATH or unixgram:///PATH is wanted"),
    (["http://127.0.0.1:7"], "'http://127.0.0.1:7': tcp://HOST:PORT, "),
    (["tcp://127.0.0.1"], "'tcp://127.0.0.1': HOST:PORT is wanted"),
    (["tcp://::1:7"], "an IPv6 address in brackets"),
    (["tcp://127.0.0.1:0"], "port '0': 1 to 65535 is wanted"),
    (["udp://127.0.0.1:65536"], "port '65536': 1 to 65535 is wanted"),
    (["tcp://127.0.0.1:echo"], "port 'echo': 1 to 65535 is wanted"),
    (["unix://"], "Invalid value for 'URL': 'unix://': "),
    ([f"unix:///{108 * 'a'}"], "at most 107 bytes"),
    (["tcp://127.0.0.1:7", "--hex", "3"], "--hex: '3': two digits a byte are wanted, such as 31"),
    (["tcp://127.0.0.1:7", "--hex", "é"], "--hex: 'é': two digits a byte are wanted"),
    (["tcp://127.0.0.1:7", "1", "--hex", "31"], "MESSAGE and --hex: one of them is wanted"),
    (["tcp://127.0.0.1:7", "1", "--timeout", "0"], "'--timeout': '0': a number of seconds above 0, up to 1000000000,"),
    (["tcp://127.0.0.1:7", "1", "--timeout", "-1"], "'--timeout': '-1': a number of seconds above 0"),
    (["tcp://127.0.0.1:7", "1", "--timeout", "nan"], "'--timeout': 'nan': a number of seconds above 0"),
    (["tcp://127.0.0.1:7", "1", "--timeout", "inf"], "'--timeout': 'inf': a number of seconds above 0"),
    (["tcp://127.0.0.1:7", "1", "--timeout", "1e10"], "'--timeout': '1e10': a number of seconds above 0"),
    (["tcp://127.0.0.1:7", "1", "--timeout", "soon"], "'--timeout': 'soon': a number of seconds above 0"),
    (["tcp://127.0.0.1:7", "1", "--timeout"], "'--timeout' requires an argument"),
    (["tcp://127.0.0.1:7", "1", "2"], "unexpected extra argument (2)"),
    (["tcp://127.0.0.1:7", "--hexadecimal", "31"], "--hexadecimal"),
]


@pytest.mark.parametrize(("arguments", "wanted"), WRONG, ids=[" ".join(arguments)[:40] for arguments, _ in WRONG])
def test_wrong(arguments: list[str], wanted: str, told: Callable[..., Done]) -> None:
    """
    What a user gets wrong is one line and status 64.
    """
    status, out, err = told(*arguments)
    assert (status, out) == (64, b"")
    assert re.fullmatch(r"(sockservices(?: ask)?): .+; \1 --help tells more\n", err), err
    assert wanted in err
