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
from collections.abc import Sequence
from pathlib import Path

import click
from twisted.trial.unittest import SynchronousTestCase

from sockservices import __version__
from sockservices.__main__ import main
from sockservices.cli.group import commands
from sockservices.client import Verdict
from tests.support.commands import Piped
from tests.support.twistd import Twistd, environment

COMMAND = (sys.executable, "-m", "sockservices")


def run(*arguments: str, cwd: Path, command: Sequence[str] = COMMAND) -> tuple[int, str, str]:
    """
    What becomes of a command that does not serve: its status, and all that it prints.
    """
    done = subprocess.run(
        [*command, *arguments], env=environment(), cwd=cwd, capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode, done.stdout, done.stderr


class WordsTests(SynchronousTestCase):
    """
    What does not need a server.
    """

    def main(self, *arguments: str) -> tuple[object, str, str]:
        """
        What becomes of a command line: its exit status, and what it prints.
        """
        self.patch(sys, "argv", ["sockservices", *arguments])
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = self.assertRaises(SystemExit, main).code
        return status, out.getvalue(), err.getvalue()

    def test_help(self) -> None:
        """
        Asked for help, it lists its commands, and all is well.
        """
        for word in ("--help", "-h"):
            status, out, err = self.main(word)
            self.assertEqual((status, err), (0, ""))
            self.assertTrue(out.startswith("Usage: sockservices [OPTIONS] COMMAND [ARGS]..."))
            for name in ("ask", "chat", "check", "ping", "serve"):
                self.assertRegex(out, rf"\n  {name} +[A-Z].*\.\n")

    def test_wrong(self) -> None:
        """
        Called with anything else than it knows, or with nothing, it says so in one line.
        """
        for words, wrong in (([], "Missing command"), (["start"], "'start'"), (["--proto", "tcp"], "--proto")):
            status, out, err = self.main(*words)
            self.assertEqual((status, out), (64, ""))
            self.assertRegex(err, r"^sockservices: .*; sockservices --help tells more\n$")
            self.assertIn(wrong, err)
            self.assertEqual(err.count("\n"), 1)

    def test_commandsHelp(self) -> None:
        """
        Each command's help says what its options are by default, and in what unit; where to ask is said alike in all.
        """
        places = "tcp://HOST:PORT, udp://HOST:PORT, unix:///PATH or unixgram:///PATH"
        for name in ("ask", "chat", "ping"):
            status, out, err = self.main(name, "--help")
            self.assertEqual((status, err), (0, ""))
            words = " ".join(out.split())
            self.assertIn(f"Usage: sockservices {name} [OPTIONS] URL", words)
            self.assertIn(f"URL is {places}.", words)
            self.assertIn(f"{places} is wanted", self.main(name, "nowhere")[2])
            for option in commands.commands[name].params:
                if isinstance(option, click.Option) and isinstance(option.default, float):
                    self.assertRegex(words, rf"{option.opts[0]} SECONDS [^\[]*\[default: {option.default}\]")

    def test_statuses(self) -> None:
        """
        The statuses that the help of ask lists are those of the verdicts.
        """
        words = " ".join(self.main("ask", "--help")[1].split())
        for verdict in Verdict:
            if verdict is not Verdict.FAILED:
                self.assertRegex(words, rf"\b{verdict.word}( \([a-z ]+\))? {verdict.status}[,.]")


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
    assert err == "sockservices: --proto sctp: expected tcp, udp or all\n"
    assert run("--", "serve", "--proto", "sctp", cwd=tmp_path) == (1, "", err)
    assert run("begin", cwd=tmp_path)[0] == 64


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


#: The command, where these are not installed.
WITHOUT = (
    sys.executable,
    "-c",
    "import sys; missing = sys.argv.pop(1); sys.modules.update(dict.fromkeys(missing.split(','))); "
    "from sockservices.__main__ import main; main()",
)


def test_withoutPackages(tmp_path: Path) -> None:
    """
    Without the packages that the other commands need, one line says which is missing, and how to get it.
    """
    for missing in ("click", "rich"):
        for words in ([], ["--help"], ["ask", "tcp://127.0.0.1:7"], ["begin"]):
            done = run(missing, *words, cwd=tmp_path, command=WITHOUT)
            assert done == (64, "", f"sockservices: all but serve needs {missing}: pip install 'sockservices[cli]'\n")


def test_servesWithoutPackages(tmp_path: Path) -> None:
    """
    To serve, Twisted is enough.
    """
    words = f"sockservices {__version__}\n"
    for arguments in (["--version"], ["serve", "--version"]):
        assert run("click,rich", *arguments, cwd=tmp_path, command=WITHOUT) == (0, words, "")
    command = (*WITHOUT, "click,rich", "serve")
    with (
        Twistd("--service=echo=0", command=command, cwd=tmp_path) as server,
        socket.create_connection(server.address("echo"), 10) as client,
    ):
        client.sendall(b"words")
        assert client.recv(10) == b"words"


def test_otherMissingModules() -> None:
    """
    A module of our own that is missing is a fault, and said to be one.
    """
    code = "import sys; sys.modules['sockservices.cli.ask'] = None; from sockservices.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stderr.startswith("Traceback")
    assert "sockservices.cli.ask" in done.stderr


def test_readerGoesAway(tmp_path: Path) -> None:
    """
    When nobody reads the help, it ends quietly.
    """
    with Piped("ask", "--help") as asking:
        asking.out.close()
        assert asking.end() == (141, "")
