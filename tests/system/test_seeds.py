"""
The clients of five socket tutorials, with only the changes that Python 3 forces, against the server under twistd.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

import pytest

from tests.support.twistd import Twistd, environment

CLIENTS = Path(__file__).parents[1] / "seeds"

SERVICES = ("echo", "upper", "welcome", "hello", "greet", "discard")

#: Seconds in which a client must end.
CLIENT_TIMEOUT = 20


@pytest.fixture(scope="module")
def server() -> Iterator[Twistd]:
    """
    Run the tutorials' services over TCP and UDP, with a log line for each message. The timeout of welcome is 2 s in
    place of 5 s.
    """
    with Twistd("--proto", "all", "--show", "--timeout=2", *(f"--service={name}=0" for name in SERVICES)) as twistd:
        yield twistd


def start(client: str, address: tuple[str, int], *arguments: str, stdin: int = DEVNULL) -> Popen[str]:
    """
    Start a client.
    """
    command = [sys.executable, str(CLIENTS / f"{client}.py"), address[0], str(address[1]), *arguments]
    return Popen(command, stdin=stdin, stdout=PIPE, stderr=PIPE, text=True, env=environment())


def finish(client: Popen[str]) -> str:
    """
    Wait for a client that ends without an error, and return its output.
    """
    try:
        printed, errors = client.communicate(timeout=CLIENT_TIMEOUT)
    finally:
        client.kill()
    assert (client.returncode, errors) == (0, "")
    return printed


@pytest.fixture(scope="module", autouse=True)
def welcomeClients(server: Twistd) -> Iterator[dict[str, Popen[str]]]:
    """
    Start the clients that sleep before they send, so that they sleep while the other tests run.
    """
    address = server.address("welcome")
    clients = {
        "1 after 0.5 s": start("seed004_client", address, "0.5", "1"),
        "2 after 0.5 s": start("seed004_client", address, "0.5", "2"),
        "1 after 3 s": start("seed004_client", address, "3", "1"),
    }
    yield clients
    for client in clients.values():
        client.kill()
        client.communicate()


@pytest.mark.parametrize(
    ("client", "service", "transport", "arguments", "printed", "logged"),
    [
        ("seed000_tcp", "echo", "tcp", ["any bytes"], "b'any bytes'\n", "echo: 127.0.0.1:.*: b'any bytes'"),
        ("seed000_udp", "echo", "udp", ["any bytes"], "b'any bytes'\n", "echo: 127.0.0.1:.*: b'any bytes'"),
        ("seed000_async", "echo", "tcp", ["any bytes"], "b'any bytes'\n", "echo: 127.0.0.1:.*: b'any bytes'"),
        # This client sends, and does not wait for the reply.
        ("seed001_udp", "hello", "udp", [], "", "hello: 127.0.0.1:.*: b'hi~'"),
        ("seed000_udp", "hello", "udp", ["hi~"], "b'hello'\n", "hello: 127.0.0.1:.*: b'hi~'"),
        ("seed002_single", "upper", "tcp", [], "Server Back res:<b'HELLO'>\n", "upper: 127.0.0.1:.*: b'Hello'"),
        ("seed003_client", "discard", "tcp", [], "", "discard: 127.0.0.1:.*: b'hello from client'"),
        # This client closes without reading the greeting.
        ("seed003_client", "greet", "tcp", [], "", "greet tcp 127.0.0.1:.* 9 sent"),
        ("seed003_framework", "greet", "tcp", [], "b'connected'\n", "greet tcp 127.0.0.1:.* 9 sent"),
    ],
)
def test_client(
    server: Twistd, client: str, service: str, transport: str, arguments: list[str], printed: str, logged: str
) -> None:
    """
    The client prints the reply, and the server logs the message or the conversation.
    """
    assert finish(start(client, server.address(service, transport), *arguments)) == printed
    server.waitFor(logged)


def test_endlessSender(server: Twistd) -> None:
    """
    The client that sends in an endless loop gets a reply to each message.
    """
    client = start("seed001_tcp", server.address("hello"))
    assert client.stdout is not None
    assert [client.stdout.readline() for _ in range(3)] == ["b'hello'\n"] * 3
    client.kill()
    client.communicate()


def test_prompt(server: Twistd) -> None:
    """
    The client with a prompt gets a reply to each line until the end of its input; it does not send empty lines.
    """
    client = start("seed002_loop", server.address("upper"), stdin=PIPE)
    printed, errors = client.communicate("hello\n\n  two words \n", CLIENT_TIMEOUT)
    assert printed == ">>:HELLO\n>>:>>:TWO WORDS\n>>:"
    assert errors.endswith("EOFError: EOF when reading a line\n")


def test_concurrentPrompts(server: Twistd) -> None:
    """
    Two clients with a prompt get their replies in turn: neither waits until the other has closed.
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


@pytest.mark.parametrize(
    ("client", "printed", "logged"),
    [
        ("1 after 0.5 s", "b'welcome to server!'\n", "welcome tcp 127.0.0.1:.* 18 sent"),
        ("2 after 0.5 s", "b'please go out!'\n", "welcome tcp 127.0.0.1:.* 14 sent"),
        ("1 after 3 s", "b''\n", "welcome tcp 127.0.0.1:.* time out: .* 0 sent"),
    ],
)
def test_welcome(server: Twistd, welcomeClients: dict[str, Popen[str]], client: str, printed: str, logged: str) -> None:
    """
    The server welcomes C{1} before the timeout and refuses anything else. After the timeout it closes cleanly.
    """
    assert finish(welcomeClients[client]) == printed
    server.waitFor(logged)
