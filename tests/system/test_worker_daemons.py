"""
Daemons with C{--workers}.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import twisted.test

from tests.support.twistd import environment
from tests.support.workers import breakWorkers, echo, isRunning, waitUntil

OPTIONS = ("--service=echo=0", "--listen=echo=unix:socket", "--ports-file=ports", "--workers=2")


def start(
    folder: Path, *options: str, python: str = sys.executable, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """
    Start a daemon in a folder.

    @param python: the interpreter of the workers.
    """
    run = f"import sys; sys.executable = {python!r}; from twisted.scripts.twistd import run; run()"
    command = [sys.executable, "-c", run, "sockservices", *options]
    return subprocess.run(
        command, env=environment() if env is None else env, cwd=folder, capture_output=True, text=True, timeout=30
    )


@pytest.fixture(name="folder")
def makeFolder(tmp_path: Path) -> Path:
    """
    The working directory of a daemon.
    """
    folder = tmp_path / "daemon"
    folder.mkdir()
    return folder


def test_start(folder: Path) -> None:
    """
    A daemon whose workers start returns 0, and serves.
    """
    started = start(folder, *OPTIONS)
    assert (started.returncode, started.stderr) == (0, "")
    pid = int((folder / "twistd.pid").read_text())
    try:
        waitUntil((folder / "ports").exists, 20)
        listener = json.loads((folder / "ports").read_text())[0]
        assert echo((listener["host"], listener["port"])) == b"hello"
    finally:
        os.kill(pid, signal.SIGTERM)
        waitUntil(lambda: not isRunning(pid), 20)


def test_workersThatEnd(tmp_path: Path, folder: Path) -> None:
    """
    When a worker does not start, the start of the daemon fails with the last line that the worker has printed. No file
    remains.
    """
    variables = breakWorkers(tmp_path)
    (tmp_path / "broken").write_text("Traceback ...\nno such module\n")
    started = start(folder, *OPTIONS, env=variables)
    assert (started.returncode, started.stderr) == (1, "sockservices: --workers 2: no such module\n")
    assert list(folder.iterdir()) == []


def test_aUserWhoMayNotStartWorkers(tmp_path: Path, folder: Path) -> None:
    """
    When the user may not run the interpreter, the start of the daemon fails. No file remains.
    """
    python = tmp_path / "python"
    python.write_bytes(b"")
    started = start(folder, *OPTIONS, python=str(python))
    assert (started.returncode, started.stderr) == (1, f"sockservices: --workers 2: {python}: Permission denied\n")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "option"),
    [
        ('[[step]]\nsend = "hello"\n', "--script={path}=0"),
        (Path(twisted.test.__file__).with_name("server.pem").read_text(), "--listen=echo=ssl:0:privateKey={path}"),
    ],
)
def test_filesThatWorkersCannotRead(tmp_path: Path, folder: Path, content: str, option: str) -> None:
    """
    When the workers cannot read a file that the supervisor can, the start of the daemon fails, and names the file.
    """
    if "ssl:" in option:
        pytest.importorskip("OpenSSL")
    path = tmp_path / "file.toml"
    path.write_text(content)
    code = f"import os, sys\nif 'sockservices.workers' in sys.orig_argv: os.unlink({str(path)!r})\n"
    (tmp_path / "sitecustomize.py").write_text(code)
    variables = environment()
    variables["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{variables['PYTHONPATH']}"
    started = start(folder, option.format(path=path), "--workers=2", env=variables)
    assert started.returncode == 1, started.stderr
    assert started.stderr.startswith(f"sockservices: --workers 2: {option.split('=')[0]} "), started.stderr
    assert f"{path}: No such file or directory" in started.stderr
    assert started.stderr.count("\n") == 1
    assert list(folder.iterdir()) == []
