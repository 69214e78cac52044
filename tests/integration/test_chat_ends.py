"""
The end of C{sockservices chat}: Ctrl-D while it waits, FIN, RST and timeout; and its options for prompt and bytes.
"""

from __future__ import annotations

import re
import select
import socket
from collections.abc import Callable
from queue import Queue
from threading import Event

import pytest

from tests.support.commands import COMMAND, TIMEOUT, Piped, Run, terminal, waitForExit
from tests.support.plain_servers import resetAfterData, streamServer

CHAT = (*COMMAND, "chat")

PROMPT = ">>: "


@pytest.mark.parametrize("typed", [b"one\r\x04", b"\x04", b"one\rtwo\r\x04"], ids=["line", "alone", "lines"])
def test_endOfFileWhileWaiting(typed: bytes) -> None:
    """
    Ctrl-D that is typed while the chat waits for an answer takes effect after the wait, with the lines typed before it.
    """
    received: Queue[bytes] = Queue()

    def serve(connection: socket.socket) -> None:
        data = connection.recv(100)
        received.put(data)
        while segment := connection.recv(100):
            data += segment
        received.put(data)
        connection.sendall(b"the end\n")

    with streamServer(serve) as url, terminal(*CHAT, "--wait=1", url) as child:
        child.expect_exact(PROMPT)
        child.send(b"first\r")
        # The chat waits for the answer to this line: readline does not read the terminal.
        assert received.get(timeout=TIMEOUT) == b"first"
        child.send(typed)
        status, out = waitForExit(child)
    assert received.get(timeout=TIMEOUT) == b"first" + b"".join(typed[:-1].split(b"\r"))
    assert b"the end\r\n" in out
    assert status == 0


def test_typedBeforeStart() -> None:
    """
    Lines and Ctrl-D that are typed before the program reads the terminal are not lost.
    """
    received: Queue[bytes] = Queue()

    def serve(connection: socket.socket) -> None:
        received.put(connection.recv(100, socket.MSG_WAITALL))
        connection.sendall(b"the end\n")

    with streamServer(serve) as url, terminal("sh", "-c", 'read -r _; exec "$@"', "sh", *CHAT, url) as child:
        # The first line is for the shell, so that all keys are in the queue of the terminal when the chat starts.
        child.send(b"go\rhello\r\x04")
        status, out = waitForExit(child)
    assert received.get(timeout=TIMEOUT) == b"hello"
    assert b"the end\r\n" in out
    assert status == 0


def test_restoresTerminal() -> None:
    """
    After the chat, Ctrl-D ends the input of other programs again.
    """
    script = '"$@"; stty -a'
    with (
        streamServer(lambda connection: connection.recv(1)) as url,
        terminal("sh", "-c", script, "sh", *CHAT, url) as child,
    ):
        child.expect_exact(PROMPT)
        child.sendeof()
        _, out = waitForExit(child)
    assert b"eof = ^D;" in out


def reply(connection: socket.socket) -> None:
    """
    Reply to a line or to a FIN, and close.
    """
    connection.sendall(connection.recv(9) + b"\n")


def stayOpen(connection: socket.socket) -> None:
    """
    Wait until the client resets the connection.
    """
    poll = select.poll()
    poll.register(connection, 0)
    poll.poll(TIMEOUT * 1000)


@pytest.mark.parametrize(
    ("serve", "keys", "message", "status"),
    [
        (reply, b"hi\r", "the peer closed the connection (FIN)", 0),
        (reply, b"\x04", "the peer closed the connection (FIN)", 0),
        (resetAfterData, b"hi\r", "reset: the peer reset the connection (RST)", 11),
        (stayOpen, b"\x04", "no-answer: connected, but no byte, and no FIN within 0.5 s (timeout)", 20),
    ],
    ids=["FIN", "FIN after ours", "RST", "timeout"],
)
def test_ends(serve: Callable[[socket.socket], object], keys: bytes, message: str, status: int) -> None:
    """
    At a terminal the last line gives the reason for the end of the chat.
    """
    with streamServer(serve) as url, terminal(*CHAT, "--timeout=0.5", url) as child:
        child.expect_exact(PROMPT)
        child.send(keys)
        child.expect_exact(message + "\r\n")
        assert waitForExit(child)[0] == status


def test_prompt() -> None:
    """
    The option --prompt replaces the prompt, with an empty one too.
    """
    with streamServer(lambda connection: connection.recv(1)) as url:
        with terminal(*CHAT, "--prompt=server> ", url) as child:
            child.expect_exact("server> ")
            child.sendeof()
            status, out = waitForExit(child)
            assert status == 0
            assert PROMPT.encode() not in out
        with terminal(*CHAT, "--prompt=", url) as child:
            child.sendeof()
            assert PROMPT.encode() not in waitForExit(child)[1]


def test_showBytes(run: Run) -> None:
    """
    The option --show-bytes prints a row for each segment instead of the data: seconds, direction, length and bytes; and
    one for each FIN.
    """

    def serve(connection: socket.socket) -> None:
        connection.sendall(connection.recv(100).upper() + b"\r\n\xff")
        connection.recv(1)

    with streamServer(serve) as url:
        done = run("chat", "--show-bytes", "--wait=5", url, stdin=b"hello\n")
    assert (done.status, done.err) == (0, "")
    rows = [line.split("\t") for line in done.out.decode().splitlines()]
    assert [row[1:] for row in rows] == [
        ["->", "5 bytes", "b'hello'"],
        ["<-", "8 bytes", r"b'HELLO\r\n\xff'"],
        ["->", "FIN"],
        ["<-", "FIN"],
    ]
    times = [row[0] for row in rows]
    assert all(re.fullmatch(r"\d+\.\d{6} s", time) for time in times)
    assert times == sorted(times)


def test_showBytesOfReset(run: Run) -> None:
    """
    A reset is a row too.
    """
    with streamServer(resetAfterData) as url:
        done = run("chat", "--show-bytes", url, stdin=b"hello\n")
    assert done.status == 11
    assert done.out.endswith(b"\t<-\tRST\n")


def test_showBytesToClosedOutput() -> None:
    """
    The command ends without a message when the reader closes its standard output before the last row.
    """
    closed = Event()

    def serve(connection: socket.socket) -> None:
        while connection.recv(100):
            pass
        closed.wait(TIMEOUT)

    with streamServer(serve) as url, Piped("chat", "--show-bytes", "--wait=0.01", url) as chatting:
        chatting.stdin.write(b"one\n")
        chatting.stdin.close()
        for cell in (b"b'one'", b"FIN"):
            assert cell in chatting.stdout.readline()
        chatting.stdout.close()
        closed.set()
        assert chatting.exited() == (141, "")


def test_showBytesAtTerminal(serve: Callable[[str, str], str]) -> None:
    """
    At a terminal the rows appear above the prompt, over datagrams too.
    """
    with terminal(*CHAT, "--show-bytes", serve("upper", "udp")) as child:
        child.expect_exact(PROMPT)
        child.send(b"hi\r")
        child.expect(rb"\d\.\d{6} s\s+->\s+2 bytes\s+b'hi'\r\n")
        child.expect(rb"\d\.\d{6} s\s+<-\s+2 bytes\s+b'HI'\r\n")
        child.sendeof()
        assert waitForExit(child)[0] == 0
