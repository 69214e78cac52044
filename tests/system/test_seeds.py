"""
The tutorials' own clients, as they are but for what Python 3 forces, against the server as its users start it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

import pytest

from sockservices.registry import find
from tests.support.twistd import Twistd, environment

CLIENTS = Path(__file__).parents[1] / "seeds"

SERVICES = ("echo", "upper", "welcome", "hello", "greet", "discard")


@pytest.fixture(scope="module")
def server() -> Iterator[Twistd]:
    """
    The tutorials' services on TCP and UDP, showing what they are told.
    """
    with Twistd("--proto", "all", "--show", *(f"--service={name}=0" for name in SERVICES)) as twistd:
        yield twistd


def start(client: str, address: tuple[str, int], *arguments: str, stdin: int = DEVNULL) -> Popen[str]:
    """
    Start a client.
    """
    command = [sys.executable, str(CLIENTS / f"{client}.py"), address[0], str(address[1]), *arguments]
    return Popen(command, stdin=stdin, stdout=PIPE, stderr=PIPE, text=True, env=environment())


def finish(client: Popen[str], typed: str | None = None) -> str:
    """
    What a client prints that ends well.
    """
    try:
        printed, errors = client.communicate(typed, 20)
    finally:
        client.kill()
    assert (client.returncode, errors) == (0, "")
    return printed


def run(client: str, address: tuple[str, int], *arguments: str) -> str:
    """
    What a client prints, from its start to its end.
    """
    return finish(start(client, address, *arguments))


@pytest.fixture(scope="module", autouse=True)
def sleepers(server: Twistd) -> Iterator[dict[str, Popen[str]]]:
    """
    The clients that sleep before they speak, all at once and while the other tests run.
    """
    address = server.address("welcome")
    clients = {
        "in time": start("seed004_client", address, "2", "1"),
        "too late": start("seed004_client", address, "6", "1"),
        "another word": start("seed004_client", address, "2", "2"),
    }
    yield clients
    for client in clients.values():
        client.kill()
        client.communicate()


@pytest.mark.parametrize(
    ("service", "port"),
    [
        ("echo", 8007),
        ("discard", 8009),
        ("users", 8011),
        ("daytime", 8013),
        ("qotd", 8017),
        ("chargen", 8019),
        ("time", 8037),
        ("upper", 8080),
        ("welcome", 8001),
        ("hello", 2333),
        ("greet", 10000),
        ("whoami", 8099),
    ],
)
def test_defaultPorts(service: str, port: int) -> None:
    """
    A service has its tutorial's port by default, or that of its RFC plus 8000.
    """
    assert find(service).port == port


@pytest.mark.parametrize("client", ["seed000_tcp", "seed000_udp", "seed000_async"])
def test_echo(server: Twistd, client: str) -> None:
    """
    The outlines of clients, for TCP, UDP and many connections at once, get back what they said.
    """
    address = server.address("echo", "udp" if client.endswith("udp") else "tcp")
    assert run(client, address, "any bytes") == "b'any bytes'\n"


def test_hello(server: Twistd) -> None:
    """
    The endless TCP sender is answered each time.
    """
    client = start("seed001_tcp", server.address("hello"))
    assert client.stdout is not None
    assert [client.stdout.readline() for _ in range(3)] == ["b'hello'\n"] * 3
    client.kill()
    client.communicate()
    server.waitFor("hello: 127.0.0.1:.*: b'hi~'")


def test_helloDatagram(server: Twistd) -> None:
    """
    What the UDP sender says arrives, and the answer that it does not wait for disturbs nobody.
    """
    host, port = server.address("hello", "udp")
    assert run("seed001_udp", (host, port)) == ""
    server.waitFor("hello: 127.0.0.1:.*: b'hi~'")
    assert run("seed000_udp", (host, port), "hi~") == "b'hello'\n"


def test_upper(server: Twistd) -> None:
    """
    The client of one word gets it back in upper case.
    """
    assert run("seed002_single", server.address("upper")) == "Server Back res:<b'HELLO'>\n"


def test_upperPrompts(server: Twistd) -> None:
    """
    The client that prompts gets every line back, until there are no more; an empty one is not sent.
    """
    client = start("seed002_loop", server.address("upper"), stdin=PIPE)
    printed, errors = client.communicate("hello\n\n  two words \n", 20)
    assert printed == ">>:HELLO\n>>:>>:TWO WORDS\n>>:"
    assert errors.endswith("EOFError: EOF when reading a line\n")


def test_upperPromptsAtOnce(server: Twistd) -> None:
    """
    A second client need not wait for the first to hang up.
    """
    first, second = (start("seed002_loop", server.address("upper"), stdin=PIPE) for _ in range(2))
    for client in (first, second, first):
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write("hello\n")
        client.stdin.flush()
        assert client.stdout.readline() == ">>:HELLO\n"
    for client in (first, second):
        client.communicate()


def test_discard(server: Twistd) -> None:
    """
    The greeting arrives at a server that prints it.
    """
    assert run("seed003_client", server.address("discard")) == ""
    server.waitFor("discard: 127.0.0.1:.*: b'hello from client'")


def test_greetDeaf(server: Twistd) -> None:
    """
    A client that never reads its C{connected} disturbs nobody.
    """
    assert run("seed003_client", server.address("greet")) == ""
    server.waitFor("greet tcp 127.0.0.1:.* 9 sent")


def test_greet(server: Twistd) -> None:
    """
    Who connects is told so, and then the server hangs up.
    """
    assert run("seed003_framework", server.address("greet")) == "b'connected'\n"


def test_welcomeInTime(sleepers: dict[str, Popen[str]]) -> None:
    """
    Who says C{1} after two seconds is welcome.
    """
    assert finish(sleepers["in time"]) == "b'welcome to server!'\n"


def test_welcomeAnotherWord(sleepers: dict[str, Popen[str]]) -> None:
    """
    Who says anything else is sent away.
    """
    assert finish(sleepers["another word"]) == "b'please go out!'\n"


def test_welcomeTooLate(server: Twistd, sleepers: dict[str, Popen[str]]) -> None:
    """
    Who says C{1} after six seconds finds an end in good order, and the server has logged its time out.
    """
    assert finish(sleepers["too late"]) == "b''\n"
    server.waitFor("welcome tcp 127.0.0.1:.* time out: .* 0 sent")
