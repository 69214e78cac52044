"""
C{sockservices chat}, at a terminal and in a pipe.
"""

from __future__ import annotations

import contextlib
import io
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from threading import Event
from typing import Any

import pexpect
import pytest

from sockservices.cli.group import run
from sockservices.cli.words import Output, printable
from sockservices.testing import segmentations
from tests.support.commands import (
    COMMAND,
    PATIENCE,
    Piped,
    command,
    datagrams,
    finish,
    nobody,
    ours,
    reset,
    stream,
    terminal,
)
from tests.support.twistd import environment

#: However busy the machine is, an answer comes before the next prompt.
CHAT = (*COMMAND, "chat", f"--wait={PATIENCE}")

PIPED = CHAT[len(COMMAND) :]

PROMPT = ">>: "

#: What readline and we print to make room for a line above the prompt.
CLEAR = "\r\x1b[K"


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], str]]:
    """
    A server of our own.
    """
    with ours(tmp_path_factory.mktemp("ours"), "echo", "upper", "discard", "welcome") as url:
        yield url


class Puppet:
    """
    A stream server of one conversation, in which it says what it is told to.

    @ivar awaited: how many bytes it waits for before it ends.
    """

    def __init__(self) -> None:
        self.words: Queue[bytes | None] = Queue()
        self.awaited = 0
        self.resets = False

    def __call__(self, conversation: socket.socket) -> None:
        """
        Say it, to the first L{None}.
        """
        while word := self.words.get(timeout=PATIENCE):
            conversation.sendall(word)
        if self.resets:
            reset(conversation)
        elif self.awaited:
            # Unread, they would make it a reset.
            conversation.recv(self.awaited, socket.MSG_WAITALL)


def ended(child: pexpect.spawn[bytes]) -> int | None:
    """
    The exit status, when nothing more is printed.
    """
    status, said = finish(child)
    assert said == b"", said
    return status


@pytest.mark.parametrize("transport", ["tcp", "udp", "unix", "unixgram"])
def test_talks(transport: str, urls: Callable[[str, str], str]) -> None:
    """
    It asks for lines with a prompt, skips empty ones, shows each answer, and at Ctrl-D ends with all well.
    """
    with terminal(*CHAT, urls("upper", transport)) as child:
        child.expect_exact(PROMPT)
        child.send("hi\r")
        child.expect_exact("hi\r\nHI\r\n" + PROMPT)
        child.send("\r")
        child.expect_exact("\r\n" + PROMPT)
        child.send("  \r")
        child.expect_exact("  \r\n" + PROMPT)
        child.send(" two words \r")
        child.expect_exact(" two words \r\nTWO WORDS\r\n" + PROMPT)
        child.sendeof()
        child.expect_exact("\r\n")
        assert ended(child) == 0


def test_editing(urls: Callable[[str, str], str]) -> None:
    """
    Lines can be edited, and called back.
    """
    with terminal(*CHAT, urls("upper", "tcp")) as child:
        child.expect_exact(PROMPT)
        child.send("ac\x1b[Db\r")
        child.expect_exact("\r\nABC\r\n" + PROMPT)
        child.send("de\r")
        child.expect_exact("\r\nDE\r\n" + PROMPT)
        child.send("\x1b[A\x1b[Ad\r")
        child.expect_exact("\r\nABCD\r\n" + PROMPT)
        child.send("\tx\x7fy\r")
        child.expect_exact("\r\nY\r\n" + PROMPT)


def test_newsWhileTyping() -> None:
    """
    What the peer says while one types stands above the line, which goes on with what was typed.
    """
    puppet = Puppet()
    with stream(puppet) as url, terminal(*CHAT, url) as child:
        child.expect_exact(PROMPT)
        child.send("wor")
        child.expect_exact("wor")
        puppet.words.put(b"news\r\nand more")
        child.expect_exact(CLEAR + "news\r\nand more\r\n" + PROMPT + "wor")
        child.send("ds\r")
        child.expect_exact("ds\r\n")
        puppet.awaited = 5
        puppet.words.put(b"good\n")
        child.expect_exact("good\r\n")
        puppet.words.put(None)
        assert finish(child)[0] == 0


def test_escapes() -> None:
    """
    What the peer says can do nothing to the terminal, nor draw a prompt over ours.
    """
    puppet = Puppet()
    with stream(puppet) as url, terminal(*CHAT, url) as child:
        child.expect_exact(PROMPT)
        puppet.words.put(b"\x1b]0;title\x07\x1b[2Jred\x9b31m\rforged\x08\xff \xc2\x9b \xe2\x80\xae \xc3\xa9\r\n")
        said = r"\x1b]0;title\x07\x1b[2Jred\x9b31m\rforged\x08\xff \x9b \u202e é"
        child.expect_exact(f"{CLEAR}{said}\r\n{PROMPT}".encode())
        puppet.words.put(None)
        assert finish(child)[0] == 0


def test_printable() -> None:
    """
    Lines and tabs stay, and so does whatever can be printed.
    """
    assert printable("a\tß\n→\n") == "a\tß\n→\n"
    assert printable("\r\0\x7f\x85") == r"\r\x00\x7f\x85"


class Terminal(io.StringIO):
    """
    Where a user would look.
    """

    def isatty(self) -> bool:
        """
        It says that it is one.
        """
        return True


def test_cutOnATerminal() -> None:
    """
    However the network cuts what the peer says, a letter stays one letter, and a line end one line end; what is no text
    is shown, at the end as well, and the line is ended once.
    """
    said = "café →\r\n".encode() + b"\xff\r.\xc3"
    for segments in segmentations(said):
        with contextlib.redirect_stdout(Terminal()) as terminal:
            output = Output()
            for segment in segments:
                output.say(segment)
            output.endLine()
            output.endLine()
        assert terminal.getvalue() == "café →\n\\xff\\r.\\xc3\n", segments


@pytest.mark.parametrize(
    ("words", "resets", "status", "said"),
    [
        (b"", False, 13, "the peer has ended the conversation"),
        (b"words\n", False, 0, "the peer has ended the conversation"),
        (b"words\n", True, 11, "reset: the peer cut the connection off"),
    ],
    ids=["eof", "end", "reset"],
)
def test_peersEnd(words: bytes, resets: bool, status: int, said: str) -> None:
    """
    The peer's end is told at once, be it while one types, and ends the chat with its verdict.
    """
    puppet = Puppet()
    puppet.resets = resets
    with stream(puppet) as url, terminal(*CHAT, "--wait=0.01", url) as child:
        child.expect_exact(PROMPT)
        if words:
            puppet.words.put(words)
            child.expect_exact("words\r\n" + PROMPT)
        if resets:
            child.send("last\r")
            child.expect_exact(PROMPT)
        child.send("wor")
        child.expect_exact("wor")
        puppet.words.put(None)
        child.expect_exact(CLEAR + said + "\r\n")
        assert ended(child) == status


def test_peersEndAsAnAnswer(urls: Callable[[str, str], str]) -> None:
    """
    A service that ends after its answer ends the chat.
    """
    with terminal(*CHAT, urls("welcome", "tcp")) as child:
        child.expect_exact(PROMPT)
        child.send("1\r")
        child.expect_exact("1\r\nwelcome to server!\r\n")
        status, said = finish(child)
        assert status == 0
        assert b"the peer has ended the conversation\r\n" in said


def test_interrupted(urls: Callable[[str, str], str]) -> None:
    """
    Ctrl-C ends it at once: the prompt's line is ended, and nothing is said.
    """
    with terminal(*CHAT, urls("echo", "tcp")) as child:
        child.expect_exact(PROMPT)
        child.send("wor")
        child.expect_exact("wor")
        child.sendintr()
        status, said = finish(child)
        assert status == 0
        assert said.removeprefix(b"^C") == b"\r\n"


def test_peerDoesNotEnd() -> None:
    """
    After Ctrl-D the peer is waited for as long as was said.
    """
    over = Event()
    with stream(lambda _: over.wait(PATIENCE)) as url, terminal(*CHAT, "--timeout=1", url) as child:
        try:
            child.expect_exact(PROMPT)
            child.sendeof()
            child.expect_exact("\r\ntimeout: the peer has not ended within 1 s\r\n")
            assert ended(child) == 12
        finally:
            over.set()


def test_refusedDatagrams() -> None:
    """
    A refused datagram is told, and no end: when the service is there again, it answers.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        # An address that nobody else uses, so that the port stays free.
        far.bind(("127.0.0.87", 0))
        address = far.getsockname()
    with terminal(*CHAT, f"udp://127.0.0.87:{address[1]}") as child:
        child.expect_exact(PROMPT)
        child.send("one\r")
        child.expect_exact("one\r\nrefused: nobody listens there\r\n" + PROMPT)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
            far.bind(address)
            far.settimeout(PATIENCE)
            child.send("two\r")
            word, source = far.recvfrom(100)
            assert word == b"two"
            far.sendto(b"three", source)
            child.expect_exact("three\r\n" + PROMPT)
        child.send("four\r")
        child.expect_exact("refused: nobody listens there\r\n" + PROMPT)
        child.sendeof()
        child.expect_exact("\r\n")
        assert ended(child) == 10


@pytest.mark.parametrize("transport", ["tcp", "udp", "unix", "unixgram"])
def test_piped(transport: str, urls: Callable[[str, str], str]) -> None:
    """
    In a pipe there is no prompt: a line goes in, its answer comes out.
    """
    assert command(*PIPED, urls("upper", transport), said=b"hi\n\nthere\r\nlast") == (0, b"HI\nTHERE\nLAST\n", "")


def test_wrongSource() -> None:
    """
    A reply from elsewhere is told from none.
    """

    def elsewhere(bound: socket.socket, said: bytes, source: Any) -> None:
        with socket.socket(bound.family, socket.SOCK_DGRAM) as another:
            another.sendto(said, source)

    with datagrams(elsewhere) as url:
        done = command("chat", url, "--wait=0.5", said=b"words\n")
    assert (done.status, done.out) == (16, b"")
    assert done.err.startswith("sockservices chat: wrong-source: a reply came from 127.0.0.1:")


def test_pipedBytes(urls: Callable[[str, str], str]) -> None:
    """
    In a pipe, bytes are what they are.
    """
    said = bytes(range(33, 256))
    assert command(*PIPED, urls("echo", "tcp"), said=said) == (0, said + b"\n", "")


def test_pipedEnds(urls: Callable[[str, str], str]) -> None:
    """
    In a pipe, what happens is told on the standard error. That the peer ends after we did is no event, if it answered.
    """
    assert command("chat", urls("echo", "tcp"), "--wait=0.01", said=b"words\n") == (0, b"words\n", "")
    eof = "sockservices chat: eof: the peer has ended without an answer\n"
    assert command("chat", urls("discard", "tcp"), "--wait=0.01", said=b"words\n") == (13, b"", eof)
    late = "sockservices chat: timeout: no reply\n"
    assert command("chat", urls("discard", "udp"), "--wait=0.01", said=b"words\n") == (12, b"", late)
    with Piped("chat", urls("welcome", "tcp")) as chatting:
        chatting.said.write(b"1\n")
        # No further line comes: the peer's end alone ends it.
        assert chatting.end() == (0, "sockservices chat: the peer has ended the conversation\n")
        assert chatting.out.read() == b"welcome to server!\n"
    with stream(reset) as url:
        done = command("chat", url, said=b"words\nmore\n")
        assert done == (11, b"", "sockservices chat: reset: the peer cut the connection off\n")
    with stream(lambda _: None) as url:
        done = command("chat", url, said=b"")
        assert (done.status, done.out) in ((0, b""), (13, b""))


def test_inTheBackground() -> None:
    """
    Where Ctrl-C is ignored, as in the background of a script, the peer's end is still the end.
    """
    puppet = Puppet()
    with stream(puppet) as url:
        words = shlex.join([sys.executable, "-m", "sockservices", "chat", url])
        with subprocess.Popen(
            ["sh", "-c", f"trap '' INT; exec {words}"],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as chatting:
            assert chatting.stdout
            puppet.words.put(b"news\n")
            # It has been waiting for a line all the time.
            assert chatting.stdout.readline() == b"news\n"
            puppet.words.put(None)
            try:
                assert chatting.wait(PATIENCE) == 0
            finally:
                chatting.kill()


def test_pipedTerminal(urls: Callable[[str, str], str]) -> None:
    """
    Where lines are typed, but the answers go elsewhere, there is no prompt.
    """
    words = shlex.join([*CHAT, urls("upper", "tcp")])
    with terminal("sh", "-c", f"{words} | cat") as child:
        child.send("hi\r")
        child.expect_exact("HI\r\n")
        child.sendeof()
        status, said = finish(child)
        assert PROMPT.encode() not in said
        assert status == 0


def test_readerGoesAway(urls: Callable[[str, str], str]) -> None:
    """
    When nobody reads the answers any more, it ends, quietly: on a stream and by datagrams.
    """
    for transport in ("tcp", "udp"):
        with Piped("chat", urls("echo", transport)) as chatting:
            chatting.said.write(b"one\n")
            assert chatting.out.readline() == b"one\n"
            chatting.out.close()
            chatting.said.write(b"two\n")
            assert chatting.end() == (141, "")


def test_nothingIsRead() -> None:
    """
    A peer that does not read what is sent is not waited for without end.
    """
    over = Event()
    with stream(lambda _: over.wait(PATIENCE)) as url:
        try:
            done = command("chat", url, "--timeout=1", "--wait=0.01", said=b"x" * 2**24 + b"\nmore\n")
            assert done == (12, b"", f"sockservices: {url}: timeout: nothing is read within 1 s\n")
        finally:
            over.set()


def test_noConversation(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """
    Where there is none to be had, that is one line and a verdict.
    """
    with nobody(socket.SOCK_STREAM) as url:
        assert run(["chat", url]) == 10
        assert capfd.readouterr() == ("", f"sockservices: {url}: refused: nobody listens there\n")
    for transport in ("unix", "unixgram"):
        url = f"{transport}://{tmp_path}/none"
        assert run(["chat", url]) == 17
        assert capfd.readouterr() == ("", f"sockservices: {url}: unreachable: no such file or directory\n")
    url = f"udp://{64 * 'a'}:9"
    assert run(["chat", url]) == 18
    assert capfd.readouterr().err.startswith(f"sockservices: {url}: dns: ")


def test_wrong(capfd: pytest.CaptureFixture[str]) -> None:
    """
    What a user gets wrong is one line.
    """
    for arguments, wanted in (
        (["tcp://127.0.0.1"], "'tcp://127.0.0.1': HOST:PORT is wanted"),
        (
            ["tcp://127.0.0.1:7", "--wait=nan"],
            "'--wait': 'nan': a number of seconds above 0, up to 1000000000, ",
        ),
        (["tcp://127.0.0.1:7", "--wait=1e300"], "'--wait': '1e300': a number of seconds above 0"),
        (["tcp://127.0.0.1:7", "--timeout=0"], "'--timeout': '0': a number of seconds above 0"),
    ):
        assert run(["chat", *arguments]) == 64
        out, err = capfd.readouterr()
        assert out == ""
        assert err.startswith("sockservices chat: ")
        assert wanted in err
        assert err.count("\n") == 1


def test_otherTerminals() -> None:
    """
    What a terminal has no letter for is shown by its number.
    """
    puppet = Puppet()
    words = shlex.join(["env", "PYTHONIOENCODING=ascii", *CHAT])
    with stream(puppet) as url, terminal("sh", "-c", f"exec {words} {url}") as child:
        child.expect_exact(PROMPT)
        puppet.words.put("é → \n".encode())
        child.expect_exact(r"\xe9 \u2192 " + "\r\n" + PROMPT)
        puppet.words.put(None)
        assert finish(child)[0] == 0
