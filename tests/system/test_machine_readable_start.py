"""
What a program reads to find a server's listeners, and its messages.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

from tests.support.twistd import COMMAND, Twistd, environment


def jsonLines(server: Twistd) -> list[dict[str, Any]]:
    """
    The objects of a log in JSON.
    """
    return [json.loads(line) for line in server.lines]


def test_listenersInTheLog(tmp_path: Path) -> None:
    """
    The line of a listener has its address in fields, and the line C{ready} has a list of all of them.
    """
    path = str(tmp_path / "socket")
    arguments = ("--service=echo=0", "--listen", f"upper=unix:{path}", "--log-format=json")
    with Twistd(*arguments) as server:
        host, port = server.address("echo")
        expected: list[dict[str, Any]] = [
            {"service": "echo", "transport": "tcp", "host": host, "port": port},
            {"service": "upper", "transport": "unix", "path": path},
        ]
        lines = jsonLines(server)
        found = [line for line in lines if "listening on" in line["event"]]
        assert [{key: line[key] for key in each} for line, each in zip(found, expected, strict=True)] == expected
        assert [line["listeners"] for line in lines if line["event"] == "ready: 2 listeners"] == [expected]


def test_oneListener() -> None:
    """
    One listener is in the singular.
    """
    with Twistd("--service=echo=0") as server:
        assert "ready: 1 listener\n" in server.log


def test_portsFile(tmp_path: Path) -> None:
    """
    --ports-file has the list of listeners as soon as it exists. The server removes it when it stops.
    """
    path = tmp_path / "ports"
    path.write_text("a server that was killed left this")
    with Twistd("--service=echo=0", "--proto=all", "--ports-file", str(path)) as server:
        host, port = server.address("echo")
        expected = [{"service": "echo", "transport": each, "host": host, "port": port} for each in ("tcp", "udp")]
        assert json.loads(path.read_text()) == expected
        assert os.listdir(tmp_path) == ["ports"]  # noqa: PTH208
        server.stop()
    assert not path.exists()


def test_portsFileOfAnotherServer(tmp_path: Path) -> None:
    """
    A stop leaves a file that another program has written since.
    """
    path = tmp_path / "ports"
    with Twistd("--service=echo=0", "--ports-file", str(path)) as server:
        path.write_text("another")
        server.stop()
    assert path.read_text() == "another"


def test_portsFileThatCannotBeWritten(tmp_path: Path) -> None:
    """
    A path where no file can be made is an error of the start.
    """
    path = tmp_path / "missing" / "ports"
    command = [*COMMAND, "--service=echo=0", "--ports-file", str(path)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stderr) == (1, f"sockservices: --ports-file {path}: there is no such folder\n")


def test_messages() -> None:
    """
    With --show, a message has its transport, and its bytes as text and in base64.
    """
    data = b"caf\xc3\xa9 \xff" + bytes(5000)
    with Twistd("--service=discard=0", "--proto=all", "--show", "--log-format=json") as server:
        with socket.create_connection(server.address("discard")) as client:
            client.sendall(b"hello")
        server.waitFor("discard tcp .* done")
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.sendto(data, server.address("discard", "udp"))
            server.waitFor("caf")
        segment, datagram = (line for line in jsonLines(server) if "data" in line)
    assert (segment["transport"], segment["service"], segment["received"]) == ("tcp", "discard", 5)
    assert segment["data"] == {"text": "hello", "base64": "aGVsbG8="}
    assert (datagram["transport"], datagram["received"]) == ("udp", len(data))
    assert base64.b64decode(datagram["data"]["base64"]) == data[:4096]
    assert datagram["data"]["text"].startswith("café \\xff\0")


def test_samePort() -> None:
    """
    Port 0 is one free port for all transports and interfaces of a service, as any other port is.
    """
    arguments = ("--service=all=0", "--proto=all", "--interface=127.0.0.1", "--interface=::1")
    with Twistd(*arguments) as server:
        for service in {service for service, _ in server.listeners}:
            listeners = [*server.listeners[service, "tcp"], *server.listeners[service, "udp"]]
            assert len(listeners) == 4
            assert len({each.rpartition(":")[2] for each in listeners}) == 1, listeners


def test_summaries() -> None:
    """
    A summary has the counts by service and outcome.
    """
    with Twistd("--service=echo=0", "--max-connections=1", "--log-format=json") as server:
        address = server.address("echo")
        with socket.create_connection(address), socket.create_connection(address) as other:
            assert other.recv(1) == b""
        server.waitFor("echo tcp .* done")
        server.stop()
    (summary,) = (line for line in jsonLines(server) if "not logged individually" in line["event"])
    assert summary["counts"] == {"echo": {"refused": 1}}
