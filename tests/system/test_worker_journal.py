"""
The option C{--journal} with C{--workers}.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.workers import EchoLoad, WorkerServer, echo, waitUntil

MAX_FILE = 64 << 20


def read(path: Path) -> list[Any]:
    """
    The objects in the file.
    """
    with path.open() as lines:
        return [json.loads(line) for line in lines]


def test_oneFile(tmp_path: Path) -> None:
    """
    All workers write to one file, also those of a restart and replacements. The numbers of conversations are unique.
    """
    path = tmp_path / "journal"
    path.write_text("an earlier journal")
    options = ("--service", "upper=0", "--proto", "all", "--workers", "2", "--journal", str(path))
    with WorkerServer(*options) as server:
        address = server.address("upper")

        def converse() -> None:
            for _ in range(10):
                assert echo(address) == b"HELLO"

        converse()
        os.kill(server.pid, signal.SIGHUP)
        server.waitFor("restarted")
        waitUntil(lambda: len(server.workers) == 2)
        converse()
        server.kill(*server.workers)
        server.waitFor("worker 6 serves")
        converse()
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.settimeout(10)
            client.connect(server.address("upper", "udp"))
            client.send(b"hello")
            assert client.recv(10) == b"HELLO"
        server.stop()
    entries = read(path)
    assert Counter((entry["direction"], entry["data"]["text"]) for entry in entries) == {
        ("in", "hello"): 31,
        ("out", "HELLO"): 31,
    }
    numbers = Counter(entry["conversation"] for entry in entries)
    assert set(numbers.values()) == {2}
    # At least one of the first two workers, of their successors, and of the replacements.
    assert {number >> 41 for number in numbers} == {0, 1, 2}


@pytest.mark.slow
def test_limit(tmp_path: Path) -> None:
    """
    The limit of 64 MiB holds for the whole file. Its last line counts what all workers have left out.
    """
    path = tmp_path / "journal"
    data = b"\xff" * (1 << 20)
    with WorkerServer("--service", "echo=0", "--workers", "2", "--journal", str(path)) as server:
        for _ in range(10):
            assert echo(server.address("echo"), data) == data
        server.stop()
    *entries, last = read(path)
    written = sum(len(entry["data"]["base64"]) * 3 // 4 - entry["data"]["base64"].count("=") for entry in entries)
    assert written + last["leftOutBytes"] == 20 * len(data)
    assert last["leftOut"] > 0
    longest = max(map(len, path.read_bytes().splitlines(keepends=True)))
    assert MAX_FILE - longest < path.stat().st_size < MAX_FILE + longest
    assert 1 <= server.log.count(f"--journal {path}: full") <= 2


def test_killedWorkers(tmp_path: Path) -> None:
    """
    SIGKILL of workers while they write leaves complete lines only.
    """
    path = tmp_path / "journal"
    with WorkerServer("--service", "echo=0", "--workers", "2", "--journal", str(path)) as server:
        load = EchoLoad(server.address("echo"), 4)
        with load.running():
            waitUntil(lambda: path.stat().st_size > 0)
            for number in range(3, 6):
                server.kill(server.workers[0])
                server.waitFor(f"worker {number} serves")
        server.stop()
    assert len(read(path)) > 10
