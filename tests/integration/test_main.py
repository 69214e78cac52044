"""
The C{sockservices} command: help, C{serve}, and installations without the packages of the extra C{cli}.
"""

from __future__ import annotations

import contextlib
import io
import signal
import socket
import subprocess
import sys
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


def run(*arguments: str) -> tuple[int, str, str]:
    """
    Run a command that does not serve, without some packages.

    @return: exit status, standard output and standard error.
    """
    command = [*WITHOUT_PACKAGES, *arguments]
    ended = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=30, check=False)
    return ended.returncode, ended.stdout, ended.stderr


class HelpTests(SynchronousTestCase):
    """
    Tests for the help and for invalid commands, in this process.
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
            for name in ("ask", "chat", "check", "ping", "probe", "record", "serve"):
                self.assertRegex(out, rf"\n  {name} +[A-Z].*\.\n")

    def test_invalid(self) -> None:
        """
        An unknown subcommand or option is one line and status 64.
        """
        for arguments, text in ((["start"], "'start'"), (["--proto", "tcp"], "--proto")):
            status, out, err = self.main(*arguments)
            self.assertEqual((status, out), (64, ""))
            self.assertRegex(err, r"^sockservices: .*; see sockservices --help\n$")
            self.assertIn(text, err)
            self.assertEqual(err.count("\n"), 1)

    def test_options(self) -> None:
        """
        The help of each subcommand gives the forms of its URL, as its error does, and its options' units and defaults.
        """
        others = "udp://HOST:PORT, unix:///PATH or unixgram:///PATH"
        for name in ("ask", "chat", "ping", "record"):
            forms = f"tcp://HOST:PORT, tls://HOST:PORT, {others}" if name == "record" else f"tcp://HOST:PORT, {others}"
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

    def test_serveOptions(self) -> None:
        """
        C{serve} has the options of twistd's plugin, none of twistd's own. An invalid value is one line and status 64.
        """
        status, out, err = self.main("serve", "--help")
        self.assertEqual((status, err), (0, ""))
        self.assertIn("--service", out)
        self.assertNotIn("--nodaemon", out)
        for arguments in (["serve"], ["--", "serve"]):
            status, out, err = self.main(*arguments, "--proto", "sctp")
            self.assertEqual((status, out), (64, ""))
            self.assertRegex(err, "^sockservices: --proto sctp: .+\\n$")


def test_version() -> None:
    """
    The version is that of the project, for the command and for C{serve}. It needs Twisted alone.
    """
    for arguments in (["--version"], ["serve", "--version"]):
        assert run("click,rich", *arguments) == (0, f"sockservices {__version__}\n", "")


def test_serve(tmp_path: Path) -> None:
    """
    C{serve} stays in the foreground until SIGTERM, and creates no file. It needs Twisted alone.
    """
    for command in ((*COMMAND, "serve"), (*WITHOUT_PACKAGES, "click,rich", "serve")):
        with Twistd("--service=echo=0", command=command, cwd=tmp_path) as server:
            with socket.create_connection(server.address("echo"), 10) as client:
                client.sendall(b"hello")
                assert client.recv(10) == b"hello"
                assert list(tmp_path.iterdir()) == []
            assert server.stop() == -signal.SIGTERM
        assert list(tmp_path.iterdir()) == []


def test_missingModule() -> None:
    """
    A missing module of the project itself is a bug, and raises.
    """
    status, _, err = run("sockservices.cli.ask", "--help")
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
