"""
C{sockservices record}, and the replay of what it has recorded.
"""

from __future__ import annotations

import signal
import socket
import struct
import tomllib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from sockservices import Outcome
from sockservices.client import Target
from sockservices.scripting import RemotePeer
from sockservices.testing.background_server import BackgroundServer
from sockservices.testing.fixture import Servers
from tests.support.commands import Run
from tests.support.inetd import Xinetd
from tests.support.plain_servers import unusedPort
from tests.support.recorder import connected, recording


async def smtp(peer: RemotePeer) -> None:
    """
    Greet, answer each line, and wait for the client's FIN after C{QUIT}.
    """
    await peer.send(b"220 ready\r\n")
    line = b""
    while line != b"QUIT":
        line = await peer.receiveLine()
        await peer.send(b"250 " + line + b"\r\n")
    await peer.expectEnd()
    await peer.send(b"late")


def url(server: BackgroundServer, transport: str) -> str:
    """
    The URL of a server.
    """
    return str(Target(transport, server.address))


def talkSmtp(to: Target | BackgroundServer) -> list[bytes]:
    """
    Say two lines, send a FIN, and read to the server's.

    @return: what came at each step.
    """
    with connected(to) as client, client.makefile("rb") as replies:
        heard = [replies.readline()]
        for line in (b"HELO me\r\n", b"QUIT\r\n"):
            client.sendall(line)
            heard.append(replies.readline())
        client.shutdown(socket.SHUT_WR)
        return [*heard, replies.read()]


def talkDaytime(to: Target | BackgroundServer) -> list[bytes]:
    """
    Read to the server's FIN.
    """
    with connected(to) as client, client.makefile("rb") as replies:
        return [replies.read()]


def assertReplays(
    talk: Callable[[Target | BackgroundServer], list[bytes]], to: str, sockservice: Servers, path: Path, *options: str
) -> str:
    """
    Require that a client gets the same through the recorder and from the script.

    @return: the script.
    """
    with recording(to, f"--output={path}", *options) as (command, address):
        original = talk(address)
        assert command.exited() == (0, "")
        assert command.stdout.read().decode().startswith(f"wrote {path}")
    replay = sockservice(path)
    assert talk(replay) == original
    replay.wait(1)
    return path.read_text()


@pytest.mark.parametrize("transport", ["tcp", "unix"])
@pytest.mark.parametrize("timing", [[], ["--timing"]])
def test_lines(transport: str, timing: list[str], sockservice: Servers, tmp_path: Path) -> None:
    """
    A session of a line protocol, with the half-close of the client and output after it. It replays.
    """
    listen = f"unix:{tmp_path}/socket" if transport == "unix" else "tcp:0"
    original = sockservice(smtp, transport)
    path = tmp_path / "smtp.toml"
    script = assertReplays(talkSmtp, url(original, transport), sockservice, path, f"--listen={listen}", *timing)
    original.wait(1)
    assert original.visits[0].outcome is Outcome.DONE
    if not timing:
        assert script.partition("\n\n")[2] == (
            '[[step]]\nsend = "220 ready\\r\\n"\n\n'
            '[[step]]\nexpect = "HELO me\\r\\n"\nsend = "250 HELO me\\r\\n"\n\n'
            '[[step]]\nexpect = "QUIT\\r\\n"\nsend = "250 QUIT\\r\\n"\n\n'
            '[[step]]\nexpect-end = true\nsend = "late"\nfinish = true\n'
        )


@pytest.mark.skipif(not Xinetd.program, reason="xinetd is not installed")
def test_xinetd(sockservice: Servers, tmp_path: Path) -> None:
    """
    The daytime service of xinetd, recorded, replays the same time.
    """
    (tmp_path / "xinetd").mkdir()
    with Xinetd(tmp_path / "xinetd") as xinetd:
        to = f"tcp://127.0.0.1:{xinetd.ports['daytime']}"
        assert "send = " in assertReplays(talkDaytime, to, sockservice, tmp_path / "daytime.toml")


@pytest.mark.parametrize("transport", ["udp", "unixgram"])
def test_datagrams(transport: str, sockservice: Servers, tmp_path: Path) -> None:
    """
    Datagrams are recorded until Ctrl-C, as rules.
    """
    original = sockservice("upper", transport)
    path = tmp_path / "upper.toml"
    listen = f"unixgram:{tmp_path}/socket" if transport == "unixgram" else "udp:0"
    with recording(url(original, transport), f"--output={path}", f"--listen={listen}") as (command, address):
        with connected(address) as client:
            for datagram in (b"a", b"b", b"a"):
                client.send(datagram)
                assert client.recv(100) == datagram.upper()
        command.interrupt()
        assert command.exited() == (0, "")
    replay = sockservice(path, transport)
    with connected(Target(transport, replay.address)) as client:
        for datagram in (b"b", b"a"):
            client.send(datagram)
            assert client.recv(100) == datagram.upper()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal(number: signal.Signals, sockservice: Servers, tmp_path: Path) -> None:
    """
    Ctrl-C and SIGTERM end the recording of an open connection. The script is complete, also after further signals.
    """
    original = sockservice(smtp)
    path = tmp_path / "smtp.toml"
    with recording(url(original, "tcp"), f"--output={path}", f"--listen=unix:{tmp_path}/socket") as (command, address):
        with connected(address) as client:
            assert client.recv(100) == b"220 ready\r\n"
            client.sendall(b"caf\xc3\xa9\r\n")
            assert client.recv(100) == b"250 caf\xc3\xa9\r\n"
            for _ in range(3):
                command.process.send_signal(number)
            assert command.exited() == (0, "")
        assert command.stdout.read().decode() == f"wrote {path}\n"
    sends = [step["send"] for step in tomllib.loads(path.read_bytes().decode())["step"]]
    assert sends == ["220 ready\r\n", "250 café\r\n"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothingRecorded(number: signal.Signals, sockservice: Servers, tmp_path: Path) -> None:
    """
    A signal before anything has passed leaves no file.
    """
    path = tmp_path / "smtp.toml"
    arguments = (url(sockservice(smtp), "tcp"), f"--output={path}", f"--listen=unix:{tmp_path}/socket")
    with recording(*arguments) as (command, _):
        command.process.send_signal(number)
        assert command.exited() == (74, f"sockservices: {path}: not written: no byte and no FIN has passed\n")
    assert list(tmp_path.iterdir()) == []


def test_serverResets(sockservice: Servers, tmp_path: Path) -> None:
    """
    A reset by the server is passed on, recorded and replayed.
    """

    async def resets(peer: RemotePeer) -> None:
        await peer.receive()
        peer.abort()

    def talk(to: Target | BackgroundServer) -> list[bytes]:
        with connected(to) as client:
            client.sendall(b"a")
            with pytest.raises(ConnectionResetError):
                client.recv(100)
        return []

    assertReplays(talk, url(sockservice(resets), "tcp"), sockservice, tmp_path / "resets.toml")


def test_clientResets(sockservice: Servers, tmp_path: Path) -> None:
    """
    A reset by the client is passed on, and ends the recording. A second client is refused before that.
    """
    original = sockservice(smtp)
    with recording(url(original, "tcp"), f"--output={tmp_path}/smtp.toml") as (command, address):
        with connected(address) as client:
            assert client.recv(100) == b"220 ready\r\n"
            with connected(address) as second:
                assert second.recv(100) == b""
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert command.exited() == (0, "")
    original.wait(1)
    assert original.visits[0].outcome is Outcome.RESET


def test_large(sockservice: Servers, tmp_path: Path) -> None:
    """
    All bytes pass, also more than all buffers hold, to a client that reads late.
    """
    data = bytes(range(256)) * 2**14

    async def large(peer: RemotePeer) -> None:
        await peer.send(data)
        await peer.expectEnd()

    def talk(to: Target | BackgroundServer) -> list[bytes]:
        with connected(to) as client, client.makefile("rb") as replies:
            client.shutdown(socket.SHUT_WR)
            return [replies.read()]

    def first(to: Target | BackgroundServer) -> list[bytes]:
        heard = talk(to)
        assert heard == [data]
        return heard

    assertReplays(first, url(sockservice(large), "tcp"), sockservice, tmp_path / "large.toml")


def test_idle(sockservice: Servers, tmp_path: Path) -> None:
    """
    The recording ends C{--timeout} seconds after the last byte. What has passed is written.
    """
    path = tmp_path / "smtp.toml"
    arguments = (url(sockservice(smtp), "tcp"), f"--output={path}", "--timeout=0.5")
    with recording(*arguments) as (command, address), connected(address) as client:
        assert client.recv(100) == b"220 ready\r\n"
        assert command.exited() == (0, "")
    assert "220 ready" in path.read_text()


def test_refused(tmp_path: Path) -> None:
    """
    A server that refuses the connection is one line, and the status of its verdict.
    """
    with ExitStack() as stack:
        to = stack.enter_context(unusedPort())
        command, address = stack.enter_context(recording(to, f"--output={tmp_path}/a.toml"))
        with pytest.raises(ConnectionResetError), connected(address) as client:
            client.recv(100)
        assert command.exited() == (10, f"sockservices: {to}: refused: nothing listens at this address\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("tcp://127.0.0.1:7", "Missing option '--output'"),
        ("tcp://127.0.0.1:7 --output a.json", "--output a.json: expected a file that ends with .toml, in a directory"),
        ("tcp://127.0.0.1:7 --output /nowhere/a.toml", "--output /nowhere/a.toml: expected a file that ends with ..."),
        (
            "tcp://127.0.0.1:7 --output a.toml --listen udp:0",
            "--listen udp:127.0.0.1:0: expected tcp:PORT or unix:PATH",
        ),
        (
            "udp://127.0.0.1:7 --output a.toml --listen tcp:0",
            "--listen tcp:127.0.0.1:0: expected udp:PORT or unixgram:",
        ),
        ("tcp://127.0.0.1:7 --output a.toml --listen tcp:x", "--listen tcp:x: port 'x': expected 0 to 65535"),
        (
            "tcp://127.0.0.1:7 --output a.toml --listen sctp:1",
            "--listen sctp:1: expected tcp:PORT, udp:PORT, unix:PATH",
        ),
        ("tcp://127.0.0.1:7 --output a.toml --listen unix:/nowhere/a", "--listen unix:/nowhere/a: "),
    ],
)
def test_usage(arguments: str, message: str, run: Run) -> None:
    """
    An error in the command line is one line and status 64.
    """
    done = run("record", *arguments.split())
    assert (done.status, done.out) == (64, b"")
    assert done.err.startswith(f"sockservices record: {message.removesuffix('...')}"), done.err
    assert done.err.count("\n") == 1
