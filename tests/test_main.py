"""
The command of our own.
"""

from __future__ import annotations

import contextlib
import io
import signal
import socket
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from sockservices import __version__
from sockservices.__main__ import main
from tests.twistd import Twistd, environment

COMMAND = (sys.executable, "-m", "sockservices")


def run(*arguments: str, cwd: Path) -> tuple[int, str, str]:
    """
    What becomes of a command that does not serve: its status, and all that it prints.
    """
    done = subprocess.run(
        [*COMMAND, *arguments], env=environment(), cwd=cwd, capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode, done.stdout, done.stderr


class WordsTests(SynchronousTestCase):
    """
    What does not need a server.
    """

    def test_help(self) -> None:
        """
        Asked for help, it says what it is called with, and all is well.
        """
        for word in ("--help", "-h"):
            self.patch(sys, "argv", ["sockservices", word])
            with contextlib.redirect_stdout(io.StringIO()) as out:
                main()
            self.assertRegex(out.getvalue(), r"^usage: sockservices serve .*\n$")

    def test_wrong(self) -> None:
        """
        Called with anything else than it knows, or with nothing, it says so in one line.
        """
        for words, wrong in (([], "a command is wanted"), (["start"], "'start'"), (["--proto", "tcp"], "'--proto'")):
            self.patch(sys, "argv", ["sockservices", *words])
            said = str(self.assertRaises(SystemExit, main).code)
            self.assertRegex(said, r"^sockservices: .*usage: sockservices serve")
            self.assertIn(wrong, said)
            self.assertNotIn("\n", said)


def test_version(tmp_path: Path) -> None:
    """
    The version is ours, with or without the word serve.
    """
    for words in (["--version"], ["serve", "--version"]):
        assert run(*words, cwd=tmp_path) == (0, f"sockservices {__version__}\n", "")


def test_options(tmp_path: Path) -> None:
    """
    The server's options are listed when that is asked for.
    """
    status, out, err = run("serve", "--help", cwd=tmp_path)
    assert (status, err) == (0, "")
    assert "--service" in out
    assert "--nodaemon" not in out


def test_wrongOption(tmp_path: Path) -> None:
    """
    A wrong option is one line and status 1, as it is under twistd.
    """
    status, out, err = run("serve", "--proto", "sctp", cwd=tmp_path)
    assert (status, out) == (1, "")
    assert err == "sockservices: --proto sctp: tcp, udp or all is wanted\n"
    assert run("begin", cwd=tmp_path)[0] == 1


def test_serves(tmp_path: Path) -> None:
    """
    It serves, in the foreground, until it is told to stop, and leaves nothing in its folder.
    """
    with Twistd("--service=echo=0", command=(*COMMAND, "serve"), cwd=tmp_path) as server:
        with socket.create_connection(server.address("echo"), 10) as client:
            client.sendall(b"words")
            assert client.recv(10) == b"words"
            assert list(tmp_path.iterdir()) == []
        assert server.stop() == -signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
