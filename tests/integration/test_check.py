"""
C{sockservices check}.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sockservices import DatagramResponder, StreamFactory
from sockservices.conformance import countCases
from sockservices.registry import find
from sockservices.testing.background_reactor import BackgroundReactor
from tests.support.commands import COMMAND, Run, terminal, waitForExit
from tests.support.inetd import HOST, OpenbsdInetd, freePorts, hasNamespaces
from tests.support.plain_servers import streamServer

LOOPBACK = "127.0.0.1"


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    """
    The ports of a server with three services, each on the same port over TCP and UDP.
    """
    numbers = dict(zip(("echo", "upper", "greet"), freePorts(3), strict=True))
    with BackgroundReactor() as background:
        reactor: Any = background.reactor
        for name, number in numbers.items():
            streams = StreamFactory(find(name), record=lambda _: None, clock=reactor)
            background.call(partial(reactor.listenTCP, number, streams, interface=LOOPBACK))
            datagrams = DatagramResponder(find(name), clock=reactor)
            background.call(partial(reactor.listenUDP, number, datagrams, interface=LOOPBACK))
        yield numbers


@pytest.fixture(autouse=True)
def defaultWidth(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Tables have the default width of 80 columns.
    """
    monkeypatch.delenv("COLUMNS", raising=False)


def test_pass(ports: dict[str, int], run: Run) -> None:
    """
    In a pipe there is a row for each statement with its source and result, without colours. Standard error counts the
    results.
    """
    arguments = ("check", LOOPBACK, f"--ports=echo={ports['echo']},greet={ports['greet']}")
    status, out, err = run(*arguments)
    assert status == 0
    assert err == f"{LOOPBACK}: {countCases(['echo', 'greet'])} pass, 0 fail, 0 limited, 0 not offered\n"
    assert b"\x1b" not in out
    rows = json.loads(run(*arguments, "--json").out)
    assert {row["source"] for row in rows} == {"RFC 862", "tutorial"}
    lines = out.decode().splitlines()
    for line, row in zip(lines, rows, strict=True):
        start = f"{row['service']}\t{row['transport']}\t{row['port']}\tpass\t"
        assert line == f"{start}{row['sentence']} ({row['source']})"


def test_fail(ports: dict[str, int], run: Run) -> None:
    """
    A row that fails shows the observed and the expected behaviour, and the exit status is 2.
    """
    arguments = ("check", LOOPBACK, f"--ports=greet={ports['echo']}", "--timeout=0.2")
    status, out, err = run(*arguments)
    assert status == 2
    assert err.endswith(" 2 pass, 3 fail, 0 limited, 0 not offered\n")
    failed = [row for row in json.loads(run(*arguments, "--json").out) if row["result"] == "fail"]
    assert len(failed) == 3
    for row in failed:
        assert f"\tseen: {row['seen']}\texpected: {row['expected']}\n" in out.decode()


def test_json(ports: dict[str, int], run: Run) -> None:
    """
    The option --json prints the rows as objects, and nothing else.
    """
    status, out, err = run("check", LOOPBACK, f"--ports=upper={ports['echo']}", "--json")
    assert (status, err) == (2, "")
    rows = json.loads(out)
    assert len(rows) == countCases(["upper"])
    passed = next(row for row in rows if row["result"] == "pass")
    assert passed.pop("sentence")
    assert passed == {
        "service": "upper",
        "transport": "tcp",
        "port": ports["echo"],
        "source": "tutorial",
        "result": "pass",
        "seen": "",
        "expected": "",
    }
    failed = next(row for row in rows if row["result"] == "fail" and row["transport"] == "tcp")
    assert failed["seen"].startswith("b'abc")
    assert failed["expected"].startswith("b'ABC")


def test_notOffered(ports: dict[str, int], run: Run) -> None:
    """
    A service that is not offered does not fail the check if another is.
    """
    (port,) = freePorts(1)
    status, out, err = run("check", LOOPBACK, f"--ports=greet={ports['greet']},time={port}")
    assert (status, err) == (0, f"{LOOPBACK}: {countCases(['greet'])} pass, 0 fail, 0 limited, 2 not offered\n")
    assert f"time\ttcp\t{port}\tnot offered\t" in out.decode()


def test_noMarkup(run: Run) -> None:
    """
    The table shows a service's data unchanged: it is no markup of rich.
    """
    with streamServer(lambda connection: connection.sendall(b"[bold]:smile:[/bold]\x1b[31m")) as url:
        status, out, _ = run("check", LOOPBACK, f"--ports=greet={url.rpartition(':')[2]}")
    assert status == 2
    assert b"seen: b'[bold]:smile:[/bold]\\x1b[31m'" in out


def test_noneOffered(run: Run) -> None:
    """
    If the host offers none of the services, the exit status and one line give the reason.
    """
    (port,) = freePorts(1)
    status, out, err = run("check", LOOPBACK, f"--ports=echo={port}")
    assert status == 10
    assert out.count(b"\n") == 2
    counts = f"{LOOPBACK}: 0 pass, 0 fail, 0 limited, 2 not offered\n"
    assert err == f"{counts}sockservices: {LOOPBACK}: refused: the host offers none of these services\n"
    status, out, err = run("check", LOOPBACK, f"--ports=echo={port}", "--json")
    assert status == 10
    assert [row["seen"] for row in json.loads(out)] == ["refused"] * 2
    status, _, err = run("check", "255.255.255.255", "--ports=echo=7")
    assert status == 17
    assert err.endswith("\nsockservices: 255.255.255.255: unreachable: the host offers none of these services\n")


def test_timeout(run: Run) -> None:
    """
    If no service answers, the verdict is no-connection: the silence of C{discard} alone does not count as an answer.
    """
    (port,) = freePorts(1)
    with ExitStack() as sockets:
        datagrams = sockets.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        datagrams.bind((LOOPBACK, port))
        listener = sockets.enter_context(socket.socket())
        listener.bind((LOOPBACK, port))
        # One connection fills the accept queue.
        listener.listen(0)
        sockets.enter_context(socket.create_connection((LOOPBACK, port)))
        status, _, err = run("check", LOOPBACK, f"--ports=echo={port},discard={port}", "--timeout=0.2")
    assert status == 19
    assert err.endswith(f"\nsockservices: {LOOPBACK}: no-connection: the host offers none of these services\n")


def test_invalidName(run: Run) -> None:
    """
    For a host name that does not resolve there is no table.
    """
    status, out, err = run("check", "x" * 64)
    assert (status, out) == (18, b"")
    assert err.startswith("sockservices: dns: ")
    assert err.count("\n") == 1


def test_terminal(ports: dict[str, int]) -> None:
    """
    At a terminal there is a progress bar, and then the table with colours.
    """
    with terminal(*COMMAND, "check", LOOPBACK, f"--ports=greet={ports['greet']}") as child:
        child.expect_exact(f"checking {LOOPBACK}")
        child.expect(rf"\d+/{countCases(['greet'])}".encode())
        status, out = waitForExit(child)
    assert status == 0
    assert b"\x1b[32mpass" in out
    assert f"{LOOPBACK}: {countCases(['greet'])} pass,".encode() in out


def test_interrupt() -> None:
    """
    Ctrl-C ends the command without a table.
    """
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind((LOOPBACK, 0))
        arguments = ("check", LOOPBACK, f"--ports=echo={silent.getsockname()[1]}", "--timeout=60")
        with terminal(*COMMAND, *arguments) as child:
            child.expect_exact(f"{countCases(['echo'], 'tcp')}/{countCases(['echo'])}")
            child.sendintr()
            status, out = waitForExit(child)
    assert status == 130
    assert b"service" not in out
    assert b"Traceback" not in out


@pytest.mark.skipif(not (OpenbsdInetd.program and hasNamespaces()), reason="openbsd-inetd or namespaces are missing")
def test_openbsdInetd(tmp_path: Path) -> None:
    """
    The check finds the known deviations of openbsd-inetd, which answers no datagram from 127.0.0.0/8. The test skips
    the row about resets: the result depends on timing.
    """
    with OpenbsdInetd(tmp_path) as inetd:
        everywhere = inetd.run("check", HOST, "--ports=rfc", "--json")
        loopback = inetd.run("check", LOOPBACK, "--ports=echo=7", "--json", "--timeout=0.5")
    rows = [row for row in json.loads(everywhere.stdout) if row["result"] != "pass"]
    assert [
        (row["service"], row["transport"], row["seen"])
        for row in rows
        if row["sentence"] != "ignores input, and closes without a reset"
    ] == [
        ("echo", "udp", "4096 bytes"),
        ("users", "tcp", "refused"),
        ("users", "udp", "refused"),
        ("qotd", "tcp", "refused"),
        ("qotd", "udp", "refused"),
        ("chargen", "udp", "74 characters each time"),
    ]
    assert everywhere.returncode == 2
    assert loopback.returncode == 0
    assert [(row["result"], row["seen"]) for row in json.loads(loopback.stdout)] == [
        *[("pass", "")] * (countCases(["echo"], "tcp")),
        ("not offered", "timeout"),
    ]
