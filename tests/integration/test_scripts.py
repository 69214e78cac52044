"""
Scripts that real clients talk to.
"""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from sockservices import Outcome
from sockservices.scripting import Mismatch
from sockservices.testing.fixture import Servers

REDIS = r"""
[[rule]]
match = '(?s)\*\d+\r\n\$6\r\nCLIENT\r\n\$7\r\nSETINFO\r\n(?:\$\d+\r\n[^\r]*\r\n){2}'
send = "+OK\r\n"
[[rule]]
match = '\*1\r\n\$4\r\nPING\r\n'
send = "+PONG\r\n"
[[rule]]
expect = "*3\r\n$3\r\nSET\r\n$4\r\nname\r\n$3\r\nAda\r\n"
send = "+OK\r\n"
[[rule]]
expect = "*2\r\n$3\r\nGET\r\n$4\r\nname\r\n"
send = "$3\r\nAda\r\n"
"""


def test_redis(sockservice: Servers, tmp_path: Path) -> None:
    """
    redis-py runs C{PING}, C{SET} and C{GET} against a script of fewer than 15 lines.
    """
    redis = pytest.importorskip("redis")
    assert REDIS.count("\n") <= 15
    (tmp_path / "redis.toml").write_text(REDIS)
    server = sockservice(tmp_path / "redis.toml")
    host, port = server.address
    with redis.Redis(host, port, protocol=2) as client:
        assert client.ping()
        assert client.set("name", "Ada")
        assert client.get("name") == b"Ada"
    server.wait(1)
    assert server.visits[0].outcome is Outcome.DONE


@pytest.mark.parametrize("transport", ["tcp", "unix", "udp", "unixgram"])
def test_transports(transport: str, sockservice: Servers, tmp_path: Path) -> None:
    """
    A script is served on each transport. The fixture takes its path as text too.
    """
    path = tmp_path / "ping.toml"
    path.write_text("[[rule]]\nexpect = 'PING'\nsend = 'PONG'")
    server = sockservice(str(path), transport)
    kind = socket.SOCK_DGRAM if transport in ("udp", "unixgram") else socket.SOCK_STREAM
    with socket.socket(socket.AF_UNIX if transport.startswith("unix") else socket.AF_INET, kind) as client:
        if transport == "unixgram":
            client.bind("")
        client.settimeout(20)
        client.connect(server.address)
        client.send(b"PING")
        assert client.recv(100) == b"PONG"


def test_mismatch(sockservice: Servers, tmp_path: Path) -> None:
    """
    A client that sends something else fails its test, with both shown.
    """
    path = tmp_path / "smtp.toml"
    path.write_text("[[step]]\nexpect = 'HELO me'")
    server = sockservice(path)
    with socket.create_connection(server.address) as client:
        client.sendall(b"EHLO me")
        with pytest.raises(ConnectionResetError):
            client.recv(100)
    with pytest.raises(Mismatch, match=r"expected: b'HELO me'\n.*received: b'EHLO me'"):
        server.check()


@pytest.mark.parametrize(
    ("name", "message"),
    [("none.toml", "none.toml: No such file"), ("wrong.toml", "wrong.toml:2: step 1, send: 1: expected a string")],
)
def test_wrongFile(name: str, message: str, sockservice: Servers, tmp_path: Path) -> None:
    """
    A file that is missing or wrong raises a C{ValueError} that names it.
    """
    (tmp_path / "wrong.toml").write_text("[[step]]\nsend = 1")
    with pytest.raises(ValueError, match=message):
        sockservice(str(tmp_path / name))
