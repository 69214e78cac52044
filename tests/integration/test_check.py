"""
C{sockservices check}, at a terminal and in a pipe.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sockservices.cli.group import run
from sockservices.conformance import PORTS, countCases
from tests.support.commands import COMMAND, Done, finish, stream, terminal
from tests.support.inetd import HOST, OpenbsdInetd, freePorts, hasNamespaces
from tests.support.twistd import Twistd

LOOPBACK = "127.0.0.1"


def ports(server: Twistd, *services: str, **others: str) -> str:
    """
    The option for these services of a server.

    @param others: services that are asked for where the server has another.
    """
    places = {**{name: name for name in services}, **others}
    return "--ports=" + ",".join(f"{name}={server.address(place)[1]}" for name, place in places.items())


@pytest.fixture(scope="module")
def server() -> Iterator[Twistd]:
    """
    Some services, each on one port over TCP and UDP.
    """
    places = zip(("echo", "upper", "greet"), freePorts(3), strict=True)
    with Twistd("--proto=all", *(f"--service={name}={port}" for name, port in places)) as twistd:
        yield twistd


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """
    The command, in this process.
    """
    # Pipes have 80 columns, unless somebody says otherwise.
    monkeypatch.delenv("COLUMNS", raising=False)

    def tell(*arguments: str) -> Done:
        status = run(["check", *arguments])
        out, err = capfd.readouterr()
        return Done(status, out.encode(), err)

    return tell


def test_passes(server: Twistd, told: Callable[..., Done]) -> None:
    """
    Of services that are right there is a table, a row for each sentence with who says so, and a line of counts; it fits
    into 80 columns, without colours, and nothing else is said.
    """
    status, out, err = told(LOOPBACK, ports(server, "echo", "greet"))
    assert (status, err) == (0, "")
    lines = out.decode().splitlines()
    port = server.address("echo")[1]
    assert any(
        line.split() == f"echo tcp {port} returns every byte, all 256 values (RFC 862) pass".split() for line in lines
    )
    assert b"(tutorial)" in out
    assert lines[-1] == f"{LOOPBACK}: {countCases(['echo', 'greet'])} pass, 0 fail, 0 limited, 0 not offered"
    assert max(map(len, lines)) <= 80
    assert lines == [line.rstrip() for line in lines]
    assert b"\x1b" not in out


def test_fails(server: Twistd, told: Callable[..., Done]) -> None:
    """
    Of a service that is wrong the table tells what was seen and what was expected, and the exit status is 2.
    """
    status, out, err = told(LOOPBACK, ports(server, greet="echo"), "--timeout=0.5")
    assert (status, err) == (2, "")
    said = " ".join(out.decode().split())
    assert "seen: no data, then timeout expected: a response, then eof" in said
    assert said.endswith(" 2 pass, 3 fail, 0 limited, 0 not offered")


def test_json(server: Twistd, told: Callable[..., Done]) -> None:
    """
    As JSON, there are the rows as objects, and nothing else.
    """
    status, out, err = told(LOOPBACK, ports(server, upper="echo"), "--json")
    assert (status, err) == (2, "")
    rows = json.loads(out)
    port = server.address("echo")[1]
    assert len(rows) == countCases(["upper"])
    assert rows[2] == {
        "service": "upper",
        "transport": "tcp",
        "port": port,
        "source": "tutorial",
        "sentence": "sends nothing before it receives data",
        "result": "pass",
        "seen": "",
        "expected": "",
    }
    (wrong, *_) = [row for row in rows if row["result"] == "fail" and row["transport"] == "tcp"]
    assert wrong["seen"].startswith("b'abc")
    assert wrong["expected"].startswith("b'ABC")


def test_someAreNotOffered(server: Twistd, told: Callable[..., Done]) -> None:
    """
    A service that is not there is no failure, where others are.
    """
    (port,) = freePorts(1)
    status, out, err = told(LOOPBACK, f"{ports(server, 'greet')},time={port}")
    assert (status, err) == (0, "")
    assert f"time tcp {port} is offered (refused) not offered" in " ".join(out.decode().split())


def test_wordsOfAFarEndAreNoMarkup(told: Callable[..., Done]) -> None:
    """
    What a far end says is shown as it is.
    """
    with stream(lambda conversation: conversation.sendall(b"[bold]:smile:[/bold]\x1b[31m")) as url:
        status, out, _ = told(LOOPBACK, f"--ports=greet={url.rpartition(':')[2]}")
    assert status == 2
    assert b"seen: b'[bold]:smile:[/bold]\\x1b[31m'" in out


def test_refused(told: Callable[..., Done]) -> None:
    """
    Where no service is there at all, the exit status tells why, and so does one line.
    """
    (port,) = freePorts(1)
    status, out, err = told(LOOPBACK, f"--ports=echo={port}")
    assert status == 10
    assert out.decode().endswith(f"{LOOPBACK}: 0 pass, 0 fail, 0 limited, 2 not offered\n")
    assert err == f"sockservices: {LOOPBACK}: refused: none of these services is offered\n"
    status, out, err = told(LOOPBACK, f"--ports=echo={port}", "--json")
    assert status == 10
    assert [row["seen"] for row in json.loads(out)] == ["refused"] * 2


def test_timeout(told: Callable[..., Done]) -> None:
    """
    Where no service says anything, that is a timeout; discard, too, shows nothing there by its silence.
    """
    (port,) = freePorts(1)
    with ExitStack() as opened:
        datagrams = opened.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        datagrams.bind((LOOPBACK, port))
        # Its queue has room for one.
        listener = opened.enter_context(socket.socket())
        listener.bind((LOOPBACK, port))
        listener.listen(0)
        opened.enter_context(socket.create_connection((LOOPBACK, port)))
        status, _, err = told(LOOPBACK, f"--ports=echo={port},discard={port}", "--timeout=0.2")
    assert status == 12
    assert err == f"sockservices: {LOOPBACK}: timeout: none of these services is offered\n"


def test_unreachable(told: Callable[..., Done]) -> None:
    """
    Where there is no way to a host, that is said.
    """
    status, _, err = told("255.255.255.255", "--ports=echo=7")
    assert status == 17
    assert err == "sockservices: 255.255.255.255: unreachable: none of these services is offered\n"


def test_noName(told: Callable[..., Done]) -> None:
    """
    A host that cannot be has no table.
    """
    status, out, err = told("x" * 64)
    assert (status, out) == (18, b"")
    assert err.startswith("sockservices: dns: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "remark"),
    [
        ([], "Missing argument 'HOST'"),
        (["tcp://127.0.0.1"], "'tcp://127.0.0.1': a name or an IP address is wanted; ports go into --ports"),
        (["127.0.0.1:8007"], "'127.0.0.1:8007': a name or an IP address is wanted"),
        ([""], "'': a name or an IP address is wanted"),
        ([LOOPBACK, "--ports=gopher=70"], "no service 'gopher'; there are chargen, daytime, "),
        ([LOOPBACK, "--ports=echo"], "'echo': rfc or NAME=PORT,... is wanted"),
        ([LOOPBACK, "--ports="], "'': rfc or NAME=PORT,... is wanted"),
        ([LOOPBACK, "--ports=echo=7,"], "'': rfc or NAME=PORT,... is wanted"),
        ([LOOPBACK, "--ports=echo=0"], "'echo=0': a port from 1 to 65535 is wanted"),
        ([LOOPBACK, "--ports=echo=65536"], "'echo=65536': a port from 1 to 65535 is wanted"),
        ([LOOPBACK, "--ports=echo=\N{SUPERSCRIPT TWO}"], "a port from 1 to 65535 is wanted"),
        ([LOOPBACK, "--ports=echo=7,echo=8"], "'echo': one port is wanted, there are two"),
        ([LOOPBACK, "--timeout=0"], "'--timeout'"),
    ],
)
def test_usage(told: Callable[..., Done], arguments: list[str], remark: str) -> None:
    """
    What makes no sense is told in one line.
    """
    status, out, err = told(*arguments)
    assert (status, out) == (64, b"")
    assert remark in err
    assert err.count("\n") == 1


def test_terminal(server: Twistd) -> None:
    """
    At a terminal there is a bar while it works, and then the table in colours.
    """
    with terminal(*COMMAND, "check", LOOPBACK, ports(server, "greet")) as child:
        child.expect_exact(f"checking {LOOPBACK}")
        child.expect(rf"\d+/{countCases(['greet'])}".encode())
        status, said = finish(child)
    assert status == 0
    assert b"\x1b[32mpass" in said
    assert f"{LOOPBACK}: {countCases(['greet'])} pass,".encode() in said


def test_interrupted() -> None:
    """
    Ctrl-C ends it, without a table.
    """
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind((LOOPBACK, 0))
        arguments = ("check", LOOPBACK, f"--ports=echo={silent.getsockname()[1]}", "--timeout=60")
        with terminal(*COMMAND, *arguments) as child:
            child.expect_exact(f"{countCases(['echo'], 'tcp')}/{countCases(['echo'])}")
            child.sendintr()
            status, said = finish(child)
    assert status == 130
    assert b"service" not in said
    assert b"Traceback" not in said


@pytest.mark.skipif(not (OpenbsdInetd.program and hasNamespaces()), reason="openbsd-inetd or namespaces are missing")
def test_openbsdInetd(tmp_path: Path) -> None:
    """
    What is known of openbsd-inetd's internal services is found. Its resets depend on who is faster. It answers no
    datagram from 127.0.0.0/8.
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


def test_allOfOurs(told: Callable[..., Done]) -> None:
    """
    Every row of every service of ours passes.
    """
    places = dict(zip(PORTS, freePorts(len(PORTS)), strict=True))
    options = [f"--service={name}={port}" for name, port in places.items()]
    with Twistd("--proto=all", *options) as twistd:
        status, out, err = told(LOOPBACK, ports(twistd, *PORTS))
    assert (status, err) == (0, ""), out.decode()
    assert out.decode().splitlines()[-1] == f"{LOOPBACK}: {countCases(PORTS)} pass, 0 fail, 0 limited, 0 not offered"
