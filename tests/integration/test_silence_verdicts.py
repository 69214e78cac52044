"""
The commands distinguish three timeouts on a stream: each has its own verdict and exit status.
"""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import pytest

from tests.support.commands import COMMAND, TIMEOUT, Run, terminal, waitForExit
from tests.support.plain_servers import datagramServer, streamServer


@contextmanager
def fullQueue() -> Iterator[str]:
    """
    Listen with a full queue: the kernel leaves further SYNs unanswered.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        with socket.create_connection(listener.getsockname()):
            yield "tcp://127.0.0.1:{1}".format(*listener.getsockname())


def waitForReset(connection: socket.socket) -> None:
    """
    Wait until the peer has aborted its connection.
    """
    poll = select.poll()
    poll.register(connection, 0)
    poll.poll(TIMEOUT * 1000)


def silentAfter(data: bytes) -> AbstractContextManager[str]:
    """
    Serve streams that stay open and silent after some data.
    """

    def serve(connection: socket.socket) -> None:
        connection.sendall(data)
        waitForReset(connection)

    return streamServer(serve)


def partialEcho() -> AbstractContextManager[str]:
    """
    Serve streams that return the first nine bytes of a probe.
    """

    def serve(connection: socket.socket) -> None:
        connection.sendall(connection.recv(9, socket.MSG_WAITALL))
        waitForReset(connection)

    return streamServer(serve)


#: Servers, the exit status, and the error line of C{ask --timeout=0.5}.
SILENCES = [
    (fullQueue, 19, "no-connection: no connection within 0.5 s"),
    (partial(silentAfter, b""), 20, "no-answer: connected, but no byte of the answer within 0.5 s"),
    (partial(silentAfter, b"wor"), 21, "incomplete: received 3 bytes, but no end of the answer within 0.5 s"),
]


@pytest.mark.parametrize(("server", "status", "error"), SILENCES, ids=[error[:13] for *_, error in SILENCES])
def test_ask(
    server: Callable[[], AbstractContextManager[str]],
    status: int,
    error: str,
    run: Run,
) -> None:
    """
    C{ask} prints the verdict and the part of the answer; the option --json prints the same as one object.
    """
    with server() as url:
        done = run("ask", url, "question", "--timeout=0.5")
        assert done == (status, b"wor" if status == 21 else b"", f"sockservices: {url}: {error}\n")
        asJson = run("ask", url, "question", "--timeout=0.5", "--json")
    assert (asJson.status, asJson.err) == (done.status, done.err)
    assert asJson.out.count(b"\n") == 1
    printed = json.loads(asJson.out)
    verdict, _, description = error.partition(": ")
    assert 0.25 < printed.pop("seconds") < TIMEOUT
    assert printed == {
        "url": url,
        "verdict": verdict,
        "exit_status": status,
        "description": description,
        "bytes": len(done.out),
        "text": done.out.decode(),
        "base64": "d29y" if done.out else "",
    }


def test_askJson(run: Run) -> None:
    """
    A good answer is one object too, over streams and datagrams. Bytes that are not UTF-8 are escaped in the text.
    """

    def answer(connection: socket.socket) -> None:
        while connection.recv(100):
            pass
        connection.sendall(b"\xffok\n")

    with (
        streamServer(answer) as stream,
        datagramServer(lambda own, data, source: own.sendto(data, source)) as datagrams,
    ):
        first, second = (run("ask", url, "--json", "--hex=ff6f6b0a") for url in (stream, datagrams))
    for done in (first, second):
        assert (done.status, done.err) == (0, "")
        printed = json.loads(done.out)
        assert (printed["verdict"], printed["exit_status"], printed["description"]) == ("ok", 0, "")
        assert (printed["bytes"], printed["text"], printed["base64"]) == (4, "\\xffok\n", "/29rCg==")


@pytest.mark.parametrize(("server", "status", "error"), SILENCES, ids=[error[:13] for *_, error in SILENCES])
def test_ping(
    server: Callable[[], AbstractContextManager[str]],
    status: int,
    error: str,
    run: Run,
) -> None:
    """
    C{ping} has the same verdicts. An incomplete reply to a probe begins as the probe does.
    """
    verdict = error.partition(":")[0]
    with partialEcho() if status == 21 else server() as url:
        done = run("ping", url, "--count=1", "--timeout=0.5")
        assert done.status == status, done
        assert done.err.startswith(f"sockservices ping: {url}: {verdict}: ")
        assert done.err.count("\n") == 1
        asJson = run("ping", url, "--count=1", "--timeout=0.5", "--json")
    assert asJson.status == status
    assert json.loads(asJson.out) == {
        "url": url,
        "verdict": verdict,
        "exit_status": status,
        "description": asJson.err.removeprefix(f"sockservices ping: {url}: {verdict}: ").rstrip("\n"),
        "sent": 1,
        "returned": 0,
        "lost": 1,
        "corrupt": 0,
        "duplicated": 0,
        "reordered": 0,
        "wrong_source": 0,
        "min_seconds": None,
        "median_seconds": None,
        "p99_seconds": None,
    }


def test_pingJson(run: Run) -> None:
    """
    The object of a good ping has the round-trip times in seconds.
    """
    with datagramServer(lambda own, data, source: own.sendto(data, source)) as url:
        done = run("ping", url, "--count=3", "--interval=0", "--json")
    assert (done.status, done.err) == (0, "")
    printed = json.loads(done.out)
    assert (printed["verdict"], printed["sent"], printed["returned"]) == ("ok", 3, 3)
    assert 0 < printed["min_seconds"] <= printed["median_seconds"] <= printed["p99_seconds"] < 1


def test_chat(run: Run) -> None:
    """
    C{chat} has the same verdicts, with and without a terminal.
    """
    with fullQueue() as url:
        done = run("chat", url, "--timeout=0.5")
        assert done == (19, b"", f"sockservices: {url}: no-connection: no connection within 0.5 s\n")
    for data, status, message in (
        (b"", 20, "no-answer: connected, but no byte, and no FIN within 0.5 s (timeout)"),
        (b"wor", 21, "incomplete: the peer sent no FIN within 0.5 s (timeout)"),
    ):
        with silentAfter(data) as url:
            done = run("chat", url, "--timeout=0.5", "--wait=0.2", stdin=b"words\n")
            # The line end of the data depends on whether it arrives before the last line is sent.
            assert (done.status, done.out.strip()) == (status, data)
            assert done.err == f"sockservices chat: {message}\n"
            with terminal(*COMMAND, "chat", "--timeout=0.5", url) as child:
                child.expect_exact(">>: ")
                child.sendeof()
                child.expect_exact(message)
                assert waitForExit(child)[0] == status


def test_check(run: Run) -> None:
    """
    C{check} names the silence of a service that is not offered; the exit status is that of the silence.
    """
    with fullQueue() as url:
        port = url.rpartition(":")[2]
        done = run("check", "127.0.0.1", f"--ports=echo={port}", "--timeout=0.5", "--json")
    assert [row["seen"] for row in json.loads(done.out) if row["transport"] == "tcp"] == ["no-connection"]
    assert done.status == 10  # Nothing listens on the UDP port: the host is up.
    with silentAfter(b"") as url:
        port = url.rpartition(":")[2]
        done = run("check", "127.0.0.1", f"--ports=hello={port}", "--timeout=0.5", "--json")
    assert done.status == 2
    assert json.loads(done.out)[0]["seen"] == "nothing (no-answer)"
    with silentAfter(b"hel") as url:
        port = url.rpartition(":")[2]
        done = run("check", "127.0.0.1", f"--ports=hello={port}", "--timeout=0.5", "--json")
    assert json.loads(done.out)[0]["seen"] == "b'hel', then nothing (incomplete)"
