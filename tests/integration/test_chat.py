"""
C{sockservices chat}.
"""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from queue import Queue
from threading import Event
from typing import Any

import pexpect
import pytest

from tests.support.commands import COMMAND, TIMEOUT, Piped, Run, terminal, waitForExit
from tests.support.plain_servers import datagramServer, resetAfterData, streamServer, unusedPort
from tests.support.sockets import replyFromOtherPort
from tests.support.twistd import environment

#: The command waits for each answer before the next prompt, however slow the machine is.
WAIT = f"--wait={TIMEOUT}"

CHAT = (*COMMAND, "chat", WAIT)

PROMPT = ">>: "

#: Carriage return, and ECMA-48 EL: readline and the command print these to erase the line being edited.
ERASE_LINE = "\r\x1b[K"


class ScriptedServer:
    """
    A stream server of one connection, which sends the items that the test puts into its queue.

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
        while data := self.data.get(timeout=TIMEOUT):
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


def test_terminal(serve: Callable[[str, str], str]) -> None:
    """
    Each line is sent without surrounding blanks, unless it is empty, and its answer is printed. Lines have readline's
    editing keys and history. Ctrl-D ends the chat.
    """
    with terminal(*CHAT, serve("upper", "tcp")) as child:
        child.expect_exact(PROMPT)
        sendLine(child, "", PROMPT)
        sendLine(child, "  ", PROMPT)
        sendLine(child, " one line ", "ONE LINE\r\n" + PROMPT)
        for keys, answer in (("ac\x1b[Db", "ABC"), ("de", "DE"), ("\x1b[A\x1b[Ad", "ABCD"), ("\tx\x7fy", "Y")):
            child.send(keys + "\r")
            child.expect_exact(f"\r\n{answer}\r\n{PROMPT}")
        child.sendeof()
        child.expect_exact("\r\nthe peer closed the connection (FIN)\r\n")
        assert exitStatus(child) == 0


def test_dataWhileTyping() -> None:
    """
    Data that arrives while the user types appears above the line, which does not change.
    """
    server = ScriptedServer()
    with streamServer(server) as url, terminal(*CHAT, url) as child:
        child.expect_exact(PROMPT)
        child.send("hel")
        child.expect_exact("hel")
        server.data.put(b"first\r\nsecond")
        child.expect_exact(ERASE_LINE + "first\r\nsecond\r\n" + PROMPT + "hel")
        child.send("lo\r")
        child.expect_exact("lo\r\n")
        server.expectedBytes = 5
        server.data.put(b"third\n")
        child.expect_exact("third\r\n")
        server.data.put(None)
        assert waitForExit(child)[0] == 0


def test_escapes() -> None:
    """
    Data cannot control the terminal, nor forge a prompt. Characters that the encoding lacks are escaped.
    """
    server = ScriptedServer()
    with streamServer(server) as url, terminal("env", "PYTHONIOENCODING=ascii", *CHAT, url) as child:
        child.expect_exact(PROMPT)
        server.data.put(b"\x1b]0;title\x07\x1b[2Jred\x9b31m\rforged\x08\xff \xc2\x9b \xe2\x80\xae \xc3\xa9\r\n")
        text = r"\x1b]0;title\x07\x1b[2Jred\x9b31m\rforged\x08\xff \x9b \u202e \xe9"
        child.expect_exact(f"{ERASE_LINE}{text}\r\n{PROMPT}")
        server.data.put(None)
        assert waitForExit(child)[0] == 0


@pytest.mark.parametrize(
    ("data", "resets", "status", "message"),
    [
        (b"", False, 13, "the peer closed the connection (FIN)"),
        (b"hello\n", False, 0, "the peer closed the connection (FIN)"),
        (b"hello\n", True, 11, "reset: the peer reset the connection (RST)"),
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
            child.expect_exact("hello\r\n" + PROMPT)
        if resets:
            child.send("last\r")
            child.expect_exact(PROMPT)
        child.send("typed")
        child.expect_exact("typed")
        server.data.put(None)
        child.expect_exact(ERASE_LINE + message + "\r\n")
        assert exitStatus(child) == status


def test_interrupt(serve: Callable[[str, str], str]) -> None:
    """
    Ctrl-C ends the chat at once, without a message, at the start of a line.
    """
    with terminal(*CHAT, serve("echo", "tcp")) as child:
        child.expect_exact(PROMPT)
        child.send("typed")
        child.expect_exact("typed")
        child.sendintr()
        status, out = waitForExit(child)
        assert status == 0
        assert out.removeprefix(b"^C") == b"\r\n"


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
            server.settimeout(TIMEOUT)
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
def test_standardInput(transport: str, run: Run, serve: Callable[[str, str], str]) -> None:
    """
    If standard input is no terminal there is no prompt, each line waits for its answer, and bytes pass unchanged.
    """
    stdin, out = b"hi\n\nthere\r\n\xff\x00\x1b\nlast", b"HI\nTHERE\n\xff\x00\x1b\nLAST\n"
    assert run("chat", WAIT, serve("upper", transport), stdin=stdin) == (0, out, "")


def readToEnd(connection: socket.socket) -> None:
    """
    Read until the FIN.
    """
    while connection.recv(1000):
        pass


def echoOnce(connection: socket.socket) -> None:
    """
    Return the first segment, and read until the FIN.
    """
    connection.sendall(connection.recv(1000))
    readToEnd(connection)


#: Servers, arguments and lines; the expected exit statuses, output, and start of the error line.
RESULTS: list[tuple[Any, Any, str, bytes, tuple[int, ...], bytes, str]] = [
    # If the peer has answered, its FIN after ours is no message.
    (streamServer, echoOnce, WAIT, b"line", (0,), b"line\n", ""),
    (streamServer, readToEnd, "--wait=0.01", b"line", (13,), b"", "eof: the peer closed without an answer (FIN)\n"),
    (streamServer, resetAfterData, WAIT, b"1\n2\n", (11,), b"", "reset: the peer reset the connection (RST)\n"),
    # Without a line, whichever FIN comes first decides.
    (streamServer, lambda _: None, WAIT, b"", (0, 13), b"", ""),
    (datagramServer, lambda *_: None, "--wait=0.01", b"line", (12,), b"", "timeout: no reply\n"),
    (
        datagramServer,
        replyFromOtherPort,
        "--wait=0.2",
        b"line",
        (16,),
        b"",
        "wrong-source: a reply came from 127.0.0.1:",
    ),
]


@pytest.mark.parametrize(("server", "behaviour", "wait", "stdin", "statuses", "out", "message"), RESULTS)
def test_results(
    server: Any,
    behaviour: Any,
    wait: str,
    stdin: bytes,
    statuses: tuple[int, ...],
    out: bytes,
    message: str,
    run: Run,
) -> None:
    """
    The exit status is the verdict. Without a terminal, messages go to standard error.
    """
    with server(behaviour) as url:
        done = run("chat", url, wait, stdin=stdin)
    assert done.status in statuses
    assert done.out == out
    if len(statuses) == 1:
        assert done.err.startswith(f"sockservices chat: {message}" if message else "")
        assert done.err.count("\n") == bool(message)


@pytest.mark.parametrize(
    ("stdin", "status", "message"),
    [
        (b"", 20, "sockservices chat: no-answer: connected, but no byte, and no FIN within 0.5 s (timeout)\n"),
        (b"x" * 2**24 + b"\nmore\n", 12, "sockservices: {url}: timeout: the peer did not read within 0.5 s\n"),
    ],
    ids=["close", "read"],
)
def test_timeout(stdin: bytes, status: int, message: str, run: Run) -> None:
    """
    The chat waits until the timeout for a peer that does not read, and after the last line for the peer's FIN.
    """
    release = Event()
    with streamServer(lambda _: release.wait(TIMEOUT)) as url:
        try:
            done = run("chat", url, "--timeout=0.5", "--wait=0.01", stdin=stdin)
        finally:
            release.set()
    assert done == (status, b"", message.format(url=url))


def test_peerClosesPipe(serve: Callable[[str, str], str]) -> None:
    """
    The peer's FIN ends the chat although its standard input, a pipe, stays open.
    """
    with Piped("chat", serve("welcome", "tcp")) as chatting:
        chatting.stdin.write(b"1\n")
        assert chatting.exited() == (0, "sockservices chat: the peer closed the connection (FIN)\n")
        assert chatting.stdout.read() == b"welcome to server!\n"


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
            server.data.put(b"hello\n")
            assert chatting.stdout.readline() == b"hello\n"
            server.data.put(None)
            try:
                assert chatting.wait(TIMEOUT) == 0
            finally:
                chatting.kill()


def test_pipedOutput(serve: Callable[[str, str], str]) -> None:
    """
    With a terminal as standard input and a pipe as standard output, there is no prompt.
    """
    command = shlex.join([*CHAT, serve("upper", "tcp")])
    with terminal("sh", "-c", f"{command} | cat") as child:
        child.send("hi\r")
        child.expect_exact("HI\r\n")
        child.sendeof()
        status, out = waitForExit(child)
        assert PROMPT.encode() not in out
        assert status == 0


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_closedOutput(transport: str, serve: Callable[[str, str], str]) -> None:
    """
    The command ends without a message when the reader closes its standard output.
    """
    with Piped("chat", serve("echo", transport)) as chatting:
        chatting.stdin.write(b"one\n")
        assert chatting.stdout.readline() == b"one\n"
        chatting.stdout.close()
        chatting.stdin.write(b"two\n")
        assert chatting.exited() == (141, "")


def test_noConnection(tmp_path: Path, run: Run) -> None:
    """
    If there is no connection, the command prints one line with the URL and the verdict.
    """
    with unusedPort() as url:
        assert run("chat", url) == (10, b"", f"sockservices: {url}: refused: nothing listens at this address\n")
    for transport in ("unix", "unixgram"):
        url = f"{transport}://{tmp_path}/none"
        assert run("chat", url) == (17, b"", f"sockservices: {url}: unreachable: no such file or directory\n")
