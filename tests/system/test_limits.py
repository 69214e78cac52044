"""
The log lines about the limits per source, and the option that exempts sources.
"""

from __future__ import annotations

import json
import socket
import subprocess

import pytest

from tests.support.twistd import COMMAND, Twistd, environment

LIMITS = (
    "limits for one source: 64 connections (--max-per-source), 50 new connections per second (--max-rate), "
    "20 replies to datagrams per second (--udp-rate)"
)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--proto=all", "--interface=0.0.0.0"], f"{LIMITS}; --trusted ADDRESS lifts them for a source"),
        (["--proto=all", "--interface=0.0.0.0", "--trusted=192.0.2.7"], f"{LIMITS}; none for 192.0.2.7/32 (--trusted)"),
        (
            ["--interface=127.0.0.1", "--interface=::", "--max-per-source=0", "--max-rate=7"],
            "limits for one source: 7 new connections per second (--max-rate); "
            "--trusted ADDRESS lifts them for a source",
        ),
        (["--interface=0.0.0.0", "--max-per-source=0", "--max-rate=0"], "limits for one source: none"),
        (["--trusted=127.0.0.0/8"], "limits for one source: none for 127.0.0.0/8 (--trusted)"),
    ],
)
def test_start(arguments: list[str], expected: str) -> None:
    """
    One line gives the limits per source for peers on other hosts.
    """
    with Twistd("--service=echo=0", *arguments) as server:
        assert [line.partition("] ")[2].strip() for line in server.lines if "limits for" in line] == [expected]


def test_loopback() -> None:
    """
    A server on a loopback interface has no limits per source, and no such line.
    """
    with Twistd("--service=echo=0") as server:
        assert "limits for" not in server.log


def test_exceeded() -> None:
    """
    The first refused connection and the first unanswered datagram are logged at once, with option, number and source.
    A stop logs a summary of the others.
    """
    arguments = ("--service=echo=0", "--proto=all", "--max-per-source=1", "--udp-rate=1", "--log-format=json")
    with Twistd(*arguments) as server:
        address = server.address("echo")
        with socket.create_connection(address):
            for _ in range(3):
                with socket.create_connection(address) as refused:
                    assert refused.recv(1) == b""
            server.waitFor("over --max-per-source 1: 1 connection from 127.0.0.1 refused")
            with socket.socket(type=socket.SOCK_DGRAM) as client:
                client.settimeout(10)
                client.connect(address)
                for _ in range(5):
                    client.send(b"hello")
                for _ in range(2):
                    assert client.recv(10) == b"hello"
        server.waitFor("echo tcp .* done")
        server.stop()
    lines = [json.loads(line) for line in server.lines]
    found = [(each["option"], each["limit"], each["count"]) for line in lines for each in line.get("exceeded", ())]
    assert found[0] == ("--max-per-source", 1, 1)
    assert sorted(found[1:]) == [("--max-per-source", 1, 2), ("--udp-rate", 1, 3)]
    assert not [line for line in lines if "not answered: over the rate" in line["event"]]


def test_trusted() -> None:
    """
    A trusted source is exempt from the limits per source.
    """
    limits = ("--max-per-source=1", "--max-rate=1", "--udp-rate=1")
    with Twistd("--service=echo=0", "--proto=all", *limits, "--trusted=127.0.0.1", "--trusted=::1") as server:
        address = server.address("echo")
        clients = [socket.create_connection(address) for _ in range(10)]
        for client in clients:
            with client:
                client.sendall(b"hello")
                assert client.recv(10) == b"hello"
        with socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            datagrams.settimeout(10)
            datagrams.connect(address)
            for _ in range(10):
                datagrams.send(b"hello")
                assert datagrams.recv(10) == b"hello"


def test_noAddress() -> None:
    """
    What is no address is an error of the start.
    """
    command = [*COMMAND, "--trusted=localhost"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=20)
    expected = "sockservices: --trusted localhost: expected an IP address or network, such as 192.0.2.0/24\n"
    assert (done.returncode, done.stderr) == (1, expected)
