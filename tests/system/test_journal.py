"""
The option --journal.
"""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

from tests.support.twistd import COMMAND, Twistd, environment


def test_journal(tmp_path: Path) -> None:
    """
    The file has every segment and datagram, over all listeners.
    """
    path = tmp_path / "journal"
    with Twistd("--service=upper=0", "--proto=all", "--journal", str(path)) as server:
        for kind, transport in ((socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp")):
            with socket.socket(socket.AF_INET, kind) as client:
                client.connect(server.address("upper", transport))
                client.settimeout(10)
                client.sendall(b"hello")
                assert client.recv(100) == b"HELLO"
        server.stop()
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(each["direction"], each["conversation"], each["data"]["text"]) for each in entries] == [
        ("in", 1, "hello"),
        ("out", 1, "HELLO"),
        ("in", 2, "hello"),
        ("out", 2, "HELLO"),
    ]
    assert {each["service"] for each in entries} == {"upper"}


def test_journalThatCannotBeWritten(tmp_path: Path) -> None:
    """
    A path where no file can be made is an error of the start.
    """
    path = tmp_path / "missing" / "journal"
    command = [*COMMAND, "--service=echo=0", "--journal", str(path)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stderr) == (1, f"sockservices: --journal {path}: No such file or directory\n")
