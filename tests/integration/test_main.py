"""
The C{sockservices} command: help, C{serve}, and installations without the packages of the extra C{cli}.
"""

from __future__ import annotations

import contextlib
import io
import re
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
from sockservices.cli.commands import commands
from sockservices.cli.exit_status import exitStatus
from sockservices.client import Verdict
from tests.support.commands import Piped
from tests.support.twistd import Twistd, environment

COMMAND = (sys.executable, "-m", "sockservices")

#: The command in a process where these packages are not installed: its first argument, separated by commas.
WITHOUT_PACKAGES = (
    sys.executable,
    "-c",
    "import sys; missing = sys.argv.pop(1); sys.modules.update(dict.fromkeys(missing.split(','))); "
    "from sockservices.__main__ import main; main()",
)


def run(*arguments: str, command: Sequence[str] = COMMAND) -> tuple[int, str, str]:
    """
    Run a command that does not serve.

    @return: exit status, standard output and standard error.
    """
    done = subprocess.run(
        [*command, *arguments], env=environment(), capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode, done.stdout, done.stderr


class HelpTests(SynchronousTestCase):
    """
    Tests for the help and for wrong commands, in this process.
    """

    def main(self, *arguments: str) -> tuple[object, str, str]:
        """
        Run a command line.

        @return: exit status, standard output and standard error.
        """
        self.patch(sys, "argv", ["sockservices", *arguments])
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = self.assertRaises(SystemExit, main).code
        return status, out.getvalue(), err.getvalue()

    def test_commands(self) -> None:
        """
        The help lists the subcommands.
        """
        for option in ("--help", "-h"):
            status, out, err = self.main(option)
            self.assertEqual((status, err), (0, ""))
            self.assertTrue(out.startswith("Usage: sockservices [OPTIONS] COMMAND [ARGS]..."))
            for name in ("ask", "chat", "check", "ping", "serve"):
                self.assertRegex(out, rf"\n  {name} +[A-Z].*\.\n")

    def test_wrong(self) -> None:
        """
        A missing or unknown subcommand, or an unknown option, is one line and status 64.
        """
        for arguments, text in (([], "Missing command"), (["start"], "'start'"), (["--proto", "tcp"], "--proto")):
            status, out, err = self.main(*arguments)
            self.assertEqual((status, out), (64, ""))
            self.assertRegex(err, r"^sockservices: .*; see sockservices --help\n$")
            self.assertIn(text, err)
            self.assertEqual(err.count("\n"), 1)

    def test_options(self) -> None:
        """
        The help of each subcommand gives the forms of its URL, as its error does, and its options' units and defaults.
        """
        forms = "tcp://HOST:PORT, udp://HOST:PORT, unix:///PATH or unixgram:///PATH"
        for name in ("ask", "chat", "ping"):
            status, out, err = self.main(name, "--help")
            self.assertEqual((status, err), (0, ""))
            text = " ".join(out.split())
            self.assertIn(f"Usage: sockservices {name} [OPTIONS] URL", text)
            self.assertIn(f"URL is {forms}.", text)
            self.assertIn(f"expected {forms};", self.main(name, "nowhere")[2])
            for option in commands.commands[name].params:
                if isinstance(option, click.Option) and isinstance(option.default, float):
                    self.assertRegex(text, rf"{option.opts[0]} SECONDS [^\[]*\[default: {option.default}\]")

    def test_exitStatuses(self) -> None:
        """
        The help of C{ask} lists the exit status of each verdict that it can end with.
        """
        text = " ".join(self.main("ask", "--help")[1].split())
        for verdict in set(Verdict) - {Verdict.FAILED}:
            self.assertRegex(text, rf"\b{verdict.value}( \([a-z ]+\))? {exitStatus(verdict)}[,.]")


def test_version() -> None:
    """
    The version is that of the project, for the command and for C{serve}, which needs Twisted alone.
    """
    for arguments in (["--version"], ["serve", "--version"]):
        expected = (0, f"sockservices {__version__}\n", "")
        assert run(*arguments) == expected
        assert run("click,rich", *arguments, command=WITHOUT_PACKAGES) == expected


def test_serveOptions() -> None:
    """
    C{serve} has the options of twistd's plugin and none of twistd's own; a wrong value is one line and status 1.
    """
    status, out, err = run("serve", "--help")
    assert (status, err) == (0, "")
    assert "--service" in out
    assert "--nodaemon" not in out
    for arguments in (["serve"], ["--", "serve"]):
        status, out, err = run(*arguments, "--proto", "sctp")
        assert (status, out) == (1, "")
        assert re.fullmatch(r"sockservices: --proto sctp: .+\n", err)


def test_serve(tmp_path: Path) -> None:
    """
    C{serve} stays in the foreground until SIGTERM, and creates no file. It needs Twisted alone.
    """
    for command in ((*COMMAND, "serve"), (*WITHOUT_PACKAGES, "click,rich", "serve")):
        with Twistd("--service=echo=0", command=command, cwd=tmp_path) as server:
            with socket.create_connection(server.address("echo"), 10) as client:
                client.sendall(b"words")
                assert client.recv(10) == b"words"
                assert list(tmp_path.iterdir()) == []
            assert server.stop() == -signal.SIGTERM
        assert list(tmp_path.iterdir()) == []


def test_missingPackages() -> None:
    """
    Without click or rich, every subcommand but C{serve} prints one line that says how to install it.
    """
    for missing in ("click", "rich"):
        err = f"sockservices: every command but serve needs {missing}: pip install 'sockservices[cli]'\n"
        for arguments in ([], ["--help"], ["ask", "tcp://127.0.0.1:7"], ["begin"]):
            assert run(missing, *arguments, command=WITHOUT_PACKAGES) == (64, "", err)


def test_missingModule() -> None:
    """
    A missing module of the project itself is a bug, and raises.
    """
    status, _, err = run("sockservices.cli.ask", "--help", command=WITHOUT_PACKAGES)
    assert status == 1
    assert err.startswith("Traceback")
    assert "sockservices.cli.ask" in err


def test_closedOutput() -> None:
    """
    The help ends without a message when the reader closes its standard output.
    """
    with Piped("ask", "--help") as asking:
        asking.stdout.close()
        assert asking.exited() == (141, "")
