"""
C{sockservices record} for a server behind TLS.
"""

from __future__ import annotations

import datetime
import socket
import ssl
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import Run
from tests.support.plain_servers import streamServer
from tests.support.recorder import connected, recording

x509 = pytest.importorskip("cryptography.x509")


def writeCertificate(path: Path) -> None:
    """
    Write a certificate of C{localhost}, signed by itself, and its key.
    """
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(1))
    certificate = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    encoding = serialization.Encoding.PEM
    path.write_bytes(
        certificate.sign(key, hashes.SHA256()).public_bytes(encoding)
        + key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def serve(connection: socket.socket, context: ssl.SSLContext) -> None:
    """
    Greet, answer one line, and close. C{QUIT} closes without a close_notify, as many servers do.
    """
    with context.wrap_socket(connection, server_side=True) as stream:
        stream.sendall(b"220 ready\r\n")
        line = stream.recv(100)
        stream.sendall(b"250 " + line)
        if line != b"QUIT\r\n":
            stream.unwrap()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """
    The URL of a server behind TLS. Its certificate is trusted where C{SSL_CERT_FILE} names it.
    """
    pem = tmp_path / "localhost.pem"
    writeCertificate(pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    with streamServer(lambda connection: serve(connection, context)) as url:
        yield f"tls://localhost:{url.rpartition(':')[2]}"


@pytest.mark.parametrize("line", ["HELO me\r\n", "QUIT\r\n"])
def test_script(line: str, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The client talks without TLS to the recorder, which talks with TLS to the server. The script has what passed,
    and the server's end, with or without a close_notify.
    """
    path = tmp_path / "smtp.toml"
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "localhost.pem"))
    with recording(server, f"--output={path}") as (command, address):
        with connected(address) as client, client.makefile("rb") as replies:
            assert replies.readline() == b"220 ready\r\n"
            client.sendall(line.encode())
            assert replies.read() == f"250 {line}".encode()
        assert command.exited() == (0, "")
    steps = tomllib.loads(path.read_text())["step"]
    assert steps[:2] == [
        {"send": "220 ready\r\n"},
        {"expect": line, "send": f"250 {line}", "finish": True},
    ]


def test_untrusted(server: str, tmp_path: Path) -> None:
    """
    A certificate that no root has signed is one line. Nothing is written, also if the client has sent something.
    """
    path = tmp_path / "smtp.toml"
    with recording(server, f"--output={path}") as (command, address), connected(address) as client:
        client.sendall(b"HELO me\r\n")
        status, message = command.exited()
    assert status == 17
    assert message.startswith(f"sockservices: {server}: unreachable: "), message
    assert "certificate verify failed" in message
    assert message.count("\n") == 1
    assert not path.exists()


@pytest.mark.parametrize("url", ["tls://localhost", "TLS://localhost:x", "tls:localhost:1"])
def test_usage(url: str, run: Run) -> None:
    """
    A wrong URL is one line and status 64.
    """
    done = run("record", url, "--output=a.toml")
    assert (done.status, done.out) == (64, b"")
    assert done.err.startswith(f"sockservices record: {url}: "), done.err
    assert done.err.count("\n") == 1
