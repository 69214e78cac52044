"""
Twisted's endpoint strings with C{--workers}.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.twistd import COMMAND, environment
from tests.support.workers import WorkerServer, listens, waitUntil

pytest.importorskip("OpenSSL")
if not shutil.which("openssl"):
    pytest.skip("openssl is not installed", allow_module_level=True)


def makeCertificate(folder: Path, name: str = "localhost") -> str:
    """
    Write a key and a certificate to a folder.

    @return: an C{ssl:} endpoint that reads them, with any free port.
    """
    key, certificate = folder / "key.pem", folder / "cert.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make, "-days", "30", "-subj", f"/CN={name}"], capture_output=True, check=True, timeout=60)
    return f"ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1"


@contextmanager
def connect(address: tuple[str, int], certificate: Path) -> Iterator[ssl.SSLSocket]:
    """
    Connect with TLS, and verify the certificate of the server.
    """
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    with socket.create_connection(address, 20) as client, context.wrap_socket(client) as secure:
        yield secure


def test_tls(tmp_path: Path) -> None:
    """
    All workers serve an C{ssl:} endpoint, and share its connections. The log, its addresses and its totals are those of
    one server.
    """
    certificate = tmp_path / "cert.pem"
    with WorkerServer("--listen", f"whoami={makeCertificate(tmp_path)}", "--workers", "2") as server:
        serials = []
        with ExitStack() as stack:
            for _ in range(20):
                client = stack.enter_context(connect(server.address("whoami"), certificate))
                client.settimeout(10)
                serials.append(json.loads(client.recv(1000))["serial"])
        assert len(set(serials)) == 20
        assert {serial >> 40 for serial in serials} == {0, 1}
        server.kill(server.workers[0])
        with connect(server.address("whoami"), certificate) as client:
            assert client.recv(1)
        address = server.address("whoami")
        server.stop()
        assert not listens(address)
    assert server.log.count("listening on") == 1
    assert "ready: 1 listener, 2 workers" in server.log
    assert any("[worker 2#info] whoami tcp 127.0.0.1" in line for line in server.lines)


def test_aRestartReadsTheCertificateAgain(tmp_path: Path) -> None:
    """
    After SIGHUP, the workers serve a renewed certificate, and open connections continue. A key that they cannot read
    leaves the present workers, and one line has its name.
    """
    certificate = tmp_path / "cert.pem"
    options = ("--listen", f"echo={makeCertificate(tmp_path)}", "--workers", "2")
    with WorkerServer(*options) as server, connect(server.address("echo"), certificate) as first:
        makeCertificate(tmp_path, "renewed")
        os.kill(server.pid, signal.SIGHUP)
        server.waitFor("restarted: 2 workers")

        def isRenewed() -> bool:
            try:
                with connect(server.address("echo"), certificate) as client:
                    return ("commonName", "renewed") in client.getpeercert()["subject"][0]  # type: ignore[index]
            except ssl.SSLCertVerificationError:
                return False

        # The previous workers accept connections until they read the command to stop listening.
        waitUntil(isRenewed)
        with connect(server.address("echo"), certificate) as second:
            (tmp_path / "key.pem").unlink()
            os.kill(server.pid, signal.SIGHUP)
            failed = server.waitFor("the restart failed")
            assert f"{tmp_path}/key.pem: No such file or directory; the previous workers continue" in failed
            for client in (first, second):
                client.settimeout(10)
                client.sendall(b"hello")
                assert client.recv(10) == b"hello"
        with connect(server.address("echo"), certificate):
            pass


def test_aKeyThatWorkersCannotRead(tmp_path: Path) -> None:
    """
    When only the supervisor can read the key, because the workers run as another user, the server exits with status 1.
    One line has the option and the file.
    """
    listener = f"echo={makeCertificate(tmp_path)}"
    code = f"import os, sys\nif 'sockservices.workers' in sys.orig_argv: os.path.exists({str(tmp_path / 'key.pem')!r})"
    (tmp_path / "sitecustomize.py").write_text(f"{code} and os.unlink({str(tmp_path / 'key.pem')!r})\n")
    variables = environment()
    variables["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{variables['PYTHONPATH']}"
    command = [*COMMAND, "--listen", listener, "--workers", "2"]
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1, ended.stdout
    cause = f"--listen {listener}: {tmp_path}/key.pem: No such file or directory"
    assert ended.stdout.count(cause) == 1, ended.stdout
    assert "Traceback" not in ended.stdout


ERRORS = [
    ("ssl:0:privateKey=/nowhere", "/nowhere: No such file or directory"),
    (
        "fasttcp:0:interface=127.0.0.1",
        "expected --workers 1, or an endpoint that listens on one TCP port, such as ssl:PORT",
    ),
    ("tcp6:0", "expected :interface=ADDRESS; without it every interface would be listened on"),
]


@pytest.mark.parametrize(("endpoint", "text"), ERRORS)
def test_errors(endpoint: str, text: str) -> None:
    """
    An endpoint that cannot listen is an error of the start, in one line.
    """
    arguments = ["-m", "sockservices", "serve", "--workers", "2", "--listen", f"echo={endpoint}"]
    ended = subprocess.run([sys.executable, *arguments], env=environment(), capture_output=True, text=True, timeout=20)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"sockservices: --listen echo={endpoint}: {text}\n"
