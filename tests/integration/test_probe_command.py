"""
C{sockservices probe}.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.support.commands import COMMAND, Piped, Run, terminal, waitForExit
from tests.support.plain_servers import unusedPort


@pytest.fixture
def probe(run: Run) -> Run:
    """
    The command, in this process.
    """
    return partial(run, "probe", "--timeout=0.3")


@contextmanager
def listening(queued: int = 0) -> Iterator[str]:
    """
    Listen, with a queue that the given number of connections fills.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0 if queued else 100)
        held = [socket.create_connection(listener.getsockname()) for _ in range(queued)]
        yield "tcp://127.0.0.1:{1}".format(*listener.getsockname())
        for each in held:
            each.close()


@contextmanager
def silentDatagrams() -> Iterator[str]:
    """
    Bind a UDP socket that never replies.
    """
    with socket.socket(type=socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        yield "udp://127.0.0.1:{1}".format(*bound.getsockname())


def test_rows(probe: Run, tmp_path: Path) -> None:
    """
    In a pipe each target is one row of four columns: URL, state, time and description. The exit status is that of the
    first target that is not open.
    """
    path = f"unix://{tmp_path}/none"
    with listening() as open_, unusedPort() as closed, listening(1) as full, silentDatagrams() as silent:
        done = probe(open_, closed, full, silent, path)
    assert (done.status, done.err) == (10, "")
    rows = [line.split("\t") for line in done.out.decode().splitlines()]
    assert [(url, state, description) for url, state, _, description in rows] == [
        (open_, "open", "connected"),
        (closed, "refused", "nothing listens at this address"),
        (full, "no-connection", "no connection within 0.3 s"),
        (silent, "open-or-filtered", "no reply to an empty datagram, and no ICMP error"),
        (path, "unreachable", "no such file or directory"),
    ]
    assert all(re.fullmatch(r"\d+\.\d{3} ms", time) for _, _, time, _ in rows)


@pytest.mark.parametrize(
    ("server", "state", "status"),
    [
        (listening, "open", 0),
        (unusedPort, "refused", 10),
        (partial(listening, 1), "no-connection", 19),
        (silentDatagrams, "open-or-filtered", 12),
    ],
)
def test_expect(server: Callable[[], AbstractContextManager[str]], state: str, status: int, probe: Run) -> None:
    """
    If each target has the state of --expect, the exit status is 0, else 2.
    """
    with server() as url:
        assert probe(url).status == status
        assert probe(url, f"--expect={state}").status == 0
        other = "refused" if state == "open" else "open"
        done = probe(url, f"--expect={other}")
    assert done.status == 2
    assert done.err == f"sockservices probe: {url}: {state}; expected {other}\n"


def test_json(probe: Run) -> None:
    """
    The option --json prints an array of objects.
    """
    with listening() as url:
        port = int(url.rpartition(":")[2])
        done = probe(f"{url}-{port}", "--json")
    assert (done.status, done.err) == (0, "")
    (row,) = json.loads(done.out)
    assert 0 < row.pop("seconds") < 0.3
    assert row == {"url": url, "state": "open", "verdict": "ok", "description": "connected"}


def test_terminal() -> None:
    """
    At a terminal there is a progress bar, and then a table.
    """
    with (
        listening() as first,
        listening(1) as second,
        terminal(*COMMAND, "probe", "--timeout=1", first, second) as child,
    ):
        child.expect_exact("probing")
        child.expect_exact("1/2")
        status, out = waitForExit(child)
    assert status == 19
    for heading in (b"target", b"state", b"time"):
        assert heading in out
    assert first.encode() in out
    assert b"\t" not in out


def test_interrupt() -> None:
    """
    In a pipe, rows are printed as soon as all earlier ones are known, and stay after Ctrl-C.
    """
    with listening() as first, listening(1) as second, Piped("probe", "--timeout=60", first, second) as probing:
        assert probing.stdout.readline().startswith(f"{first}\topen\t".encode())
        probing.interrupt()
        status, err = probing.exited()
        assert (status, err.strip()) == (130, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument 'URL...'"),
        (["tcp://h:9-7"], "tcp://h:9-7: ports 9-7: expected FIRST-LAST, FIRST at most LAST"),
        (["tcp://h:7", "--parallel=0"], "--parallel 0: expected a whole number from 1 to 400"),
        (["tcp://h:7", "--expect=closed"], "--expect closed: expected open, "),
    ],
)
def test_wrong(arguments: list[str], message: str, probe: Run) -> None:
    """
    An error in the command line is one line and status 64.
    """
    status, out, err = probe(*arguments)
    assert (status, out) == (64, b"")
    assert err.startswith(f"sockservices probe: {message}")
    assert err.count("\n") == 1
