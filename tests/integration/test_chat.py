"""
C{sockservices chat}.
"""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from queue import Queue
from threading import Event

import pexpect
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
    unusedPort,
    waitForExit,
)
from tests.support.sockets import replyFromOtherPort
from tests.support.twistd import environment

#: The command waits for each answer before the next prompt, however slow the machine is.
CHAT = (*COMMAND, "chat", f"--wait={PATIENCE}")

PROMPT = ">>: "

#: Carriage return, and ECMA-48 EL: what readline and the command print to erase the line being edited.
ERASE_LINE = "\r\x1b[K"


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], str]]:
    """
    The URLs of the project's own server.
    """
    with ownServer(tmp_path_factory.mktemp("server"), "echo", "upper", "discard", "welcome") as url:
        yield url


@pytest.fixture
def chat(capfd: pytest.CaptureFixture[str]) -> Callable[..., Completed]:
    """
    The command, in this process.
    """
    return partial(runInProcess, capfd, "chat")


class ScriptedServer:
    """
    A stream server of one connection, which sends what the test puts into its queue.

    @ivar data: the data to send; L{None} closes the connection.
    @ivar expectedBytes: the number of bytes to read before the close; with unread data, close() resets.
    """

    def __init__(self) -> None:
        self.data: Queue[bytes | None] = Queue()
        self.expectedBytes = 0
        self.resets = False

    def __call__(self, connection: socket.socket) -> None:
        """
        Serve the connection.
        """
        while data := self.data.get(timeout=PATIENCE):
            connection.sendall(data)
        if self.resets:
            resetAfterData(connection)
        elif self.expectedBytes:
            connection.recv(self.expectedBytes, socket.MSG_WAITALL)


def exitStatus(child: pexpect.spawn[bytes]) -> int | None:
    """
    Wait for the end of the command, and require that it prints nothing more.
    """
    status, out = waitForExit(child)
    assert out == b"", out
    return status


def sendLine(child: pexpect.spawn[bytes], line: str, expected: str) -> None:
    """
    Type a line, and expect its echo and an output.
    """
    child.send(line + "\r")
    child.expect_exact(f"{line}\r\n{expected}")


@pytest.mark.parametrize("transport", ["tcp", "udp", "unix", "unixgram"])
def test_lines(transport: str, urls: Callable[[str, str], str]) -> None:
    """
    Each line is sent without surrounding blanks, unless it is empty, and its answer is printed. Ctrl-D ends the chat.
    """
    with terminal(*CHAT, urls("upper", transport)) as child:
        child.expect_exact(PROMPT)
        sendLine(child, "hi", "HI\r\n" + PROMPT)
        sendLine(child, "", PROMPT)
        sendLine(child, "  ", PROMPT)
        sendLine(child, " two words ", "TWO WORDS\r\n" + PROMPT)
        child.sendeof()
        child.expect_exact("\r\n")
        assert exitStatus(child) == 0


def test_lineEditing(urls: Callable[[str, str], str]) -> None:
    """
    Lines have readline's editing keys and history.
    """
    with terminal(*CHAT, urls("upper", "tcp")) as child:
        child.expect_exact(PROMPT)
        for keys, answer in (("ac\x1b[Db", "ABC"), ("de", "DE"), ("\x1b[A\x1b[Ad", "ABCD"), ("\tx\x7fy", "Y")):
            child.send(keys + "\r")
            child.expect_exact(f"\r\n{answer}\r\n{PROMPT}")


def test_dataWhileTyping() -> None:
    """
    Data that arrives while the user types appears above the line, which keeps what was typed.
    """
    server = ScriptedServer()
    with streamServer(server) as url, terminal(*CHAT, url) as child:
        child.expect_exact(PROMPT)
        child.send("wor")
        child.expect_exact("wor")
        server.data.put(b"news\r\nand more")
        child.expect_exact(ERASE_LINE + "news\r\nand more\r\n" + PROMPT + "wor")
        child.send("ds\r")
        child.expect_exact("ds\r\n")
        server.expectedBytes = 5
        server.data.put(b"good\n")
        child.expect_exact("good\r\n")
        server.data.put(None)
        assert waitForExit(child)[0] == 0


@pytest.mark.parametrize(
    ("encoding", "data", "text"),
    [
        (
            "utf-8",
            b"\x1b]0;title\x07\x1b[2Jred\x9b31m\rforged\x08\xff \xc2\x9b \xe2\x80\xae \xc3\xa9\r\n",
            r"\x1b]0;title\x07\x1b[2Jred\x9b31m\rforged\x08\xff \x9b \u202e é",
        ),
        ("ascii", "é → \n".encode(), r"\xe9 \u2192 "),
    ],
    ids=["controls", "encoding"],
)
def test_escapes(encoding: str, data: bytes, text: str) -> None:
    """
    Data cannot control the terminal, nor forge a prompt. Characters that the encoding lacks are escaped.
    """
    server = ScriptedServer()
    command = ("env", f"PYTHONIOENCODING={encoding}", *CHAT)
    with streamServer(server) as url, terminal(*command, url) as child:
        child.expect_exact(PROMPT)
        server.data.put(data)
        child.expect_exact(f"{ERASE_LINE}{text}\r\n{PROMPT}".encode())
        server.data.put(None)
        assert waitForExit(child)[0] == 0


@pytest.mark.parametrize(
    ("data", "resets", "status", "message"),
    [
        (b"", False, 13, "the peer closed the connection"),
        (b"words\n", False, 0, "the peer closed the connection"),
        (b"words\n", True, 11, "reset: the peer reset the connection"),
    ],
    ids=["eof", "close", "reset"],
)
def test_peerCloses(data: bytes, resets: bool, status: int, message: str) -> None:
    """
    When the peer closes, the chat ends at once, while the user types too, with the peer's verdict.
    """
    server = ScriptedServer()
    server.resets = resets
    with streamServer(server) as url, terminal(*CHAT, "--wait=0.01", url) as child:
        child.expect_exact(PROMPT)
        if data:
            server.data.put(data)
            child.expect_exact("words\r\n" + PROMPT)
        if resets:
            child.send("last\r")
            child.expect_exact(PROMPT)
        child.send("wor")
        child.expect_exact("wor")
        server.data.put(None)
        child.expect_exact(ERASE_LINE + message + "\r\n")
        assert exitStatus(child) == status


def test_peerClosesAfterAnswer(urls: Callable[[str, str], str]) -> None:
    """
    A service that closes after its answer ends the chat.
    """
    with terminal(*CHAT, urls("welcome", "tcp")) as child:
        child.expect_exact(PROMPT)
        sendLine(child, "1", "welcome to server!\r\n")
        status, out = waitForExit(child)
        assert status == 0
        assert b"the peer closed the connection\r\n" in out


def test_interrupt(urls: Callable[[str, str], str]) -> None:
    """
    Ctrl-C ends the chat at once, without a message, at the start of a line.
    """
    with terminal(*CHAT, urls("echo", "tcp")) as child:
        child.expect_exact(PROMPT)
        child.send("wor")
        child.expect_exact("wor")
        child.sendintr()
        status, out = waitForExit(child)
        assert status == 0
        assert out.removeprefix(b"^C") == b"\r\n"


def test_peerStaysOpen() -> None:
    """
    After Ctrl-D the chat waits for the peer's FIN until the timeout.
    """
    over = Event()
    with streamServer(lambda _: over.wait(PATIENCE)) as url, terminal(*CHAT, "--timeout=1", url) as child:
        try:
            child.expect_exact(PROMPT)
            child.sendeof()
            child.expect_exact("\r\ntimeout: the peer did not close within 1 s\r\n")
            assert exitStatus(child) == 12
        finally:
            over.set()


@pytest.mark.parametrize(("lines", "status"), [((), 0), (("four",), 10)], ids=["answered", "refused"])
def test_refusedDatagrams(lines: tuple[str, ...], status: int) -> None:
    """
    A refused datagram is reported, and the chat goes on: a restarted service answers. The last line gives the verdict.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        # No other test uses this address, so that the port stays free.
        server.bind(("127.0.0.87", 0))
        address = server.getsockname()
    refused = "refused: nothing listens at this address\r\n" + PROMPT
    with terminal(*CHAT, f"udp://127.0.0.87:{address[1]}") as child:
        child.expect_exact(PROMPT)
        sendLine(child, "one", refused)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(address)
            server.settimeout(PATIENCE)
            child.send("two\r")
            line, source = server.recvfrom(100)
            assert line == b"two"
            server.sendto(b"three", source)
            child.expect_exact("three\r\n" + PROMPT)
        for refusedLine in lines:
            sendLine(child, refusedLine, refused)
        child.sendeof()
        child.expect_exact("\r\n")
        assert exitStatus(child) == status


@pytest.mark.parametrize("transport", ["tcp", "udp", "unix", "unixgram"])
def test_pipe(transport: str, urls: Callable[[str, str], str]) -> None:
    """
    In a pipe there is no prompt, each line waits for its answer, and bytes pass unchanged.
    """
    arguments = (*CHAT[len(COMMAND) :], urls("upper", transport))
    stdin, out = b"hi\n\nthere\r\n\xff\x00\x1b\nlast", b"HI\nTHERE\n\xff\x00\x1b\nLAST\n"
    assert runCommand(*arguments, stdin=stdin) == (0, out, "")


def test_pipedVerdicts(urls: Callable[[str, str], str]) -> None:
    """
    In a pipe, messages go to standard error. If the peer has answered, its FIN after ours is no message.
    """
    for service, transport, status, out, message in (
        ("echo", "tcp", 0, b"words\n", ""),
        ("discard", "tcp", 13, b"", "eof: the peer closed without an answer"),
        ("discard", "udp", 12, b"", "timeout: no reply"),
    ):
        err = f"sockservices chat: {message}\n" if message else ""
        done = runCommand("chat", urls(service, transport), "--wait=0.01", stdin=b"words\n")
        assert done == (status, out, err)
    with Piped("chat", urls("welcome", "tcp")) as chatting:
        # Standard input stays open: the peer's FIN alone ends the chat.
        chatting.stdin.write(b"1\n")
        assert chatting.exited() == (0, "sockservices chat: the peer closed the connection\n")
        assert chatting.stdout.read() == b"welcome to server!\n"
    with streamServer(resetAfterData) as url:
        done = runCommand("chat", url, stdin=b"words\nmore\n")
        assert done == (11, b"", "sockservices chat: reset: the peer reset the connection\n")
    with streamServer(lambda _: None) as url:
        done = runCommand("chat", url, stdin=b"")
        # Whichever FIN comes first decides.
        assert (done.status, done.out) in ((0, b""), (13, b""))
    with datagramServer(replyFromOtherPort) as url:
        done = runCommand("chat", url, "--wait=0.5", stdin=b"words\n")
        assert (done.status, done.out) == (16, b"")
        assert done.err.startswith("sockservices chat: wrong-source: a reply came from 127.0.0.1:")


def test_ignoredInterrupt() -> None:
    """
    Where SIGINT is ignored, as a shell does for background jobs, the peer's FIN still ends the chat.
    """
    server = ScriptedServer()
    with streamServer(server) as url:
        command = shlex.join([sys.executable, "-m", "sockservices", "chat", url])
        with subprocess.Popen(
            ["sh", "-c", f"trap '' INT; exec {command}"],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as chatting:
            assert chatting.stdout
            server.data.put(b"news\n")
            assert chatting.stdout.readline() == b"news\n"
            server.data.put(None)
            try:
                assert chatting.wait(PATIENCE) == 0
            finally:
                chatting.kill()


def test_pipedOutput(urls: Callable[[str, str], str]) -> None:
    """
    With a terminal as standard input and a pipe as standard output, there is no prompt.
    """
    command = shlex.join([*CHAT, urls("upper", "tcp")])
    with terminal("sh", "-c", f"{command} | cat") as child:
        child.send("hi\r")
        child.expect_exact("HI\r\n")
        child.sendeof()
        status, out = waitForExit(child)
        assert PROMPT.encode() not in out
        assert status == 0


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_closedOutput(transport: str, urls: Callable[[str, str], str]) -> None:
    """
    The command ends without a message when the reader closes its standard output.
    """
    with Piped("chat", urls("echo", transport)) as chatting:
        chatting.stdin.write(b"one\n")
        assert chatting.stdout.readline() == b"one\n"
        chatting.stdout.close()
        chatting.stdin.write(b"two\n")
        assert chatting.exited() == (141, "")


def test_peerDoesNotRead() -> None:
    """
    The chat waits for a peer that does not read until the timeout.
    """
    over = Event()
    with streamServer(lambda _: over.wait(PATIENCE)) as url:
        try:
            done = runCommand("chat", url, "--timeout=1", "--wait=0.01", stdin=b"x" * 2**24 + b"\nmore\n")
            assert done == (12, b"", f"sockservices: {url}: timeout: the peer did not read within 1 s\n")
        finally:
            over.set()


def test_noConnection(tmp_path: Path, chat: Callable[..., Completed]) -> None:
    """
    If there is no connection, the command prints one line with the URL and the verdict.
    """
    with unusedPort() as url:
        assert chat(url) == (10, b"", f"sockservices: {url}: refused: nothing listens at this address\n")
    for transport in ("unix", "unixgram"):
        url = f"{transport}://{tmp_path}/none"
        assert chat(url) == (17, b"", f"sockservices: {url}: unreachable: no such file or directory\n")


@pytest.mark.parametrize("option", ["--wait nan", "--wait 1e300", "--timeout 0"])
def test_wrong(option: str, chat: Callable[..., Completed]) -> None:
    """
    A wrong value of an option is one line and status 64.
    """
    expected = "expected a number of seconds above 0, up to 1000000000"
    message = f"sockservices chat: {option}: {expected}; see sockservices chat --help\n"
    assert chat("tcp://127.0.0.1:7", *option.split()) == (64, b"", message)
