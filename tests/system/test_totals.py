"""
The totals that the command logs.
"""

from __future__ import annotations

import json
import os
import signal
import socket

from tests.support.twistd import Twistd
from tests.support.watched import readToEnd


def visit(server: Twistd) -> None:
    """
    Have one conversation of each transport.
    """
    with socket.create_connection(server.address("echo")) as client:
        client.sendall(b"hello")
        client.shutdown(socket.SHUT_WR)
        assert readToEnd(client) == b"hello"
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.connect(server.address("echo", "udp"))
        client.send(b"hi")
        assert client.recv(10) == b"hi"


def test_onSIGHUPAndAtStop() -> None:
    """
    SIGHUP logs the totals so far, and a stop logs those of the whole run, as its last line.
    """
    totals = (
        "totals: echo 1 conversation (1 done), 5 bytes received, 5 sent; "
        "echo 1 datagram (1 answered), 2 bytes received, 2 sent"
    )
    with Twistd("--service", "echo=0", "--proto", "all") as server:
        os.kill(server.pid, signal.SIGHUP)
        server.waitFor("totals: no conversations")
        visit(server)
        server.waitFor("echo tcp .* done")
        server.stop()
        assert [line.partition("] ")[2].strip() for line in server.lines if "totals: echo" in line] == [totals]
        assert "SIGHUP: nothing to reload" in server.log


def test_json() -> None:
    """
    With --log-format json the totals are one JSON object, with numbers.
    """
    with Twistd("--service", "echo=0", "--proto", "all", "--log-format", "json") as server:
        visit(server)
        server.waitFor("echo tcp .* done")
        server.stop()
    (totals,) = (line["totals"] for line in map(json.loads, server.lines) if "totals" in line)
    assert totals == {
        "conversations": {"echo": {"outcomes": {"done": 1}, "received": 5, "sent": 5}},
        "datagrams": {"echo": {"outcomes": {"answered": 1}, "received": 2, "sent": 2}},
    }
