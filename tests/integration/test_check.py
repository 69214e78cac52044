"""
C{sockservices check}.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from sockservices.conformance import PORTS, countCases
from tests.support.commands import COMMAND, Completed, runInProcess, streamServer, terminal, waitForExit
from tests.support.inetd import HOST, OpenbsdInetd, freePorts, hasNamespaces
from tests.support.twistd import Twistd

LOOPBACK = "127.0.0.1"


def portsOption(server: Twistd, *services: str, **replaced: str) -> str:
    """
    Give the option C{--ports} for services of a server.

    @param replaced: services, each with the service that the server has on its port.
    """
    served = {**{name: name for name in services}, **replaced}
    return "--ports=" + ",".join(f"{name}={server.address(other)[1]}" for name, other in served.items())


@pytest.fixture(scope="module")
def server() -> Iterator[Twistd]:
    """
    A server with three services, each on the same port over TCP and UDP.
    """
    ports = zip(("echo", "upper", "greet"), freePorts(3), strict=True)
    with Twistd("--proto=all", *(f"--service={name}={port}" for name, port in ports)) as twistd:
        yield twistd


@pytest.fixture
def check(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Completed]:
    """
    The command, in this process, with the default width of 80 columns.
    """
    monkeypatch.delenv("COLUMNS", raising=False)
    return partial(runInProcess, capfd, "check")


def test_pass(server: Twistd, check: Callable[..., Completed]) -> None:
    """
    The table has a row for each statement with its source and result, at most 80 columns, and no colours in a pipe. The
    last line counts the results.
    """
    arguments = (LOOPBACK, portsOption(server, "echo", "greet"))
    status, out, err = check(*arguments)
    assert (status, err) == (0, "")
    lines = out.decode().splitlines()
    assert lines[-1] == f"{LOOPBACK}: {countCases(['echo', 'greet'])} pass, 0 fail, 0 limited, 0 not offered"
    assert max(map(len, lines)) <= 80
    assert lines == [line.rstrip() for line in lines]
    assert b"\x1b" not in out
    rows = json.loads(check(*arguments, "--json").out)
    assert {row["source"] for row in rows} == {"RFC 862", "tutorial"}
    for row in rows:
        start = f"{row['service']} {row['transport']} {row['port']} {row['sentence']}"[:50].split()
        assert any(line.split()[: len(start) - 1] == start[:-1] and line.endswith(" pass") for line in lines), row
    assert b"(RFC 862)" in out
    assert b"(tutorial)" in out


def test_fail(server: Twistd, check: Callable[..., Completed]) -> None:
    """
    A row that fails shows the observed and the expected behaviour, and the exit status is 2.
    """
    arguments = (LOOPBACK, portsOption(server, greet="echo"), "--timeout=0.5")
    status, out, err = check(*arguments)
    assert (status, err) == (2, "")
    table = " ".join(out.decode().split())
    assert table.endswith(" 2 pass, 3 fail, 0 limited, 0 not offered")
    failed = [row for row in json.loads(check(*arguments, "--json").out) if row["result"] == "fail"]
    assert len(failed) == 3
    for row in failed:
        assert f"seen: {row['seen']} expected: {row['expected']}" in table


def test_json(server: Twistd, check: Callable[..., Completed]) -> None:
    """
    The option --json prints the rows as objects, and nothing else.
    """
    status, out, err = check(LOOPBACK, portsOption(server, upper="echo"), "--json")
    assert (status, err) == (2, "")
    rows = json.loads(out)
    assert len(rows) == countCases(["upper"])
    passed = next(row for row in rows if row["result"] == "pass")
    assert passed.pop("sentence")
    assert passed == {
        "service": "upper",
        "transport": "tcp",
        "port": server.address("echo")[1],
        "source": "tutorial",
        "result": "pass",
        "seen": "",
        "expected": "",
    }
    failed = next(row for row in rows if row["result"] == "fail" and row["transport"] == "tcp")
    assert failed["seen"].startswith("b'abc")
    assert failed["expected"].startswith("b'ABC")


def test_notOffered(server: Twistd, check: Callable[..., Completed]) -> None:
    """
    A service that is not offered does not fail the check if another is.
    """
    (port,) = freePorts(1)
    status, out, err = check(LOOPBACK, f"{portsOption(server, 'greet')},time={port}")
    assert (status, err) == (0, "")
    table = " ".join(out.decode().split())
    assert f" time tcp {port} " in table
    assert "(refused) not offered" in table


def test_noMarkup(check: Callable[..., Completed]) -> None:
    """
    The table shows a service's data unchanged: it is no markup of rich.
    """
    with streamServer(lambda connection: connection.sendall(b"[bold]:smile:[/bold]\x1b[31m")) as url:
        status, out, _ = check(LOOPBACK, f"--ports=greet={url.rpartition(':')[2]}")
    assert status == 2
    assert b"seen: b'[bold]:smile:[/bold]\\x1b[31m'" in out


def test_noneOffered(check: Callable[..., Completed]) -> None:
    """
    If the host offers none of the services, the exit status and one line give the reason.
    """
    (port,) = freePorts(1)
    status, out, err = check(LOOPBACK, f"--ports=echo={port}")
    assert status == 10
    assert out.decode().endswith(f"{LOOPBACK}: 0 pass, 0 fail, 0 limited, 2 not offered\n")
    assert err == f"sockservices: {LOOPBACK}: refused: the host offers none of these services\n"
    status, out, err = check(LOOPBACK, f"--ports=echo={port}", "--json")
    assert status == 10
    assert [row["seen"] for row in json.loads(out)] == ["refused"] * 2
    status, _, err = check("255.255.255.255", "--ports=echo=7")
    assert status == 17
    assert err == "sockservices: 255.255.255.255: unreachable: the host offers none of these services\n"


def test_timeout(check: Callable[..., Completed]) -> None:
    """
    If no service answers, the verdict is timeout: the silence of C{discard} alone does not count as an answer.
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
        status, _, err = check(LOOPBACK, f"--ports=echo={port},discard={port}", "--timeout=0.2")
    assert status == 12
    assert err == f"sockservices: {LOOPBACK}: timeout: the host offers none of these services\n"


def test_invalidName(check: Callable[..., Completed]) -> None:
    """
    For a host name that does not resolve there is no table.
    """
    status, out, err = check("x" * 64)
    assert (status, out) == (18, b"")
    assert err.startswith("sockservices: dns: ")
    assert err.count("\n") == 1


HOST_EXPECTED = "expected a host name or an IP address; ports go into --ports"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument 'HOST'"),
        (["tcp://127.0.0.1"], f"tcp://127.0.0.1: {HOST_EXPECTED}"),
        (["127.0.0.1:8007"], f"127.0.0.1:8007: {HOST_EXPECTED}"),
        ([""], f"'': {HOST_EXPECTED}"),
        (
            [LOOPBACK, "--ports=gopher=70"],
            f"--ports gopher=70: expected one of these services: {', '.join(sorted(PORTS))}",
        ),
        ([LOOPBACK, "--ports=echo"], "--ports echo: expected rfc or NAME=PORT,..."),
        ([LOOPBACK, "--ports="], "--ports '': expected rfc or NAME=PORT,..."),
        ([LOOPBACK, "--ports=echo=7,"], "--ports '': expected rfc or NAME=PORT,..."),
        ([LOOPBACK, "--ports=echo=0"], "--ports echo=0: expected a port from 1 to 65535"),
        ([LOOPBACK, "--ports=echo=65536"], "--ports echo=65536: expected a port from 1 to 65535"),
        (
            [LOOPBACK, "--ports=echo=\N{SUPERSCRIPT TWO}"],
            r"--ports 'echo=\xb2': expected a port from 1 to",
        ),
        ([LOOPBACK, "--ports=echo=7,echo=8"], "--ports echo=8: expected one port for echo, got two"),
        ([LOOPBACK, "--timeout=0"], "--timeout 0: expected a number of seconds above 0, up to 1000000000"),
    ],
)
def test_wrong(arguments: list[str], message: str, check: Callable[..., Completed]) -> None:
    """
    An error in the command line is one line, with the option, the value and what was expected, and status 64.
    """
    status, out, err = check(*arguments)
    assert (status, out) == (64, b"")
    assert err.startswith(f"sockservices check: {message}")
    assert err.endswith("; see sockservices check --help\n")
    assert err.count("\n") == 1


def test_terminal(server: Twistd) -> None:
    """
    At a terminal there is a progress bar, and then the table with colours.
    """
    with terminal(*COMMAND, "check", LOOPBACK, portsOption(server, "greet")) as child:
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
    The check finds the known deviations of openbsd-inetd. Whether it resets depends on timing, so that row is skipped.
    It answers no datagram from 127.0.0.0/8.
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


def test_ownServices(check: Callable[..., Completed]) -> None:
    """
    Every row of the project's own services passes.
    """
    ports = dict(zip(PORTS, freePorts(len(PORTS)), strict=True))
    options = [f"--service={name}={port}" for name, port in ports.items()]
    with Twistd("--proto=all", *options) as twistd:
        status, out, err = check(LOOPBACK, portsOption(twistd, *PORTS))
    assert (status, err) == (0, ""), out.decode()
    assert out.decode().splitlines()[-1] == f"{LOOPBACK}: {countCases(PORTS)} pass, 0 fail, 0 limited, 0 not offered"
