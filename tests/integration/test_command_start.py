"""
The C{sockservices} command without its optional packages, and the exit status of usage errors.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from sockservices.cli.plain_help import INSTALL_CLI
from tests.support.twistd import environment

#: The command in a process where click is not installed.
WITHOUT_CLICK = "import sys; sys.modules['click'] = None; from sockservices.__main__ import main; main()"

WITH_CLICK = "from sockservices.__main__ import main; main()"


def run(program: str, *arguments: str) -> tuple[int, str, str]:
    """
    Run the command.

    @return: exit status, standard output and standard error.
    """
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]], ids=["none", "-h", "--help"])
def test_help(arguments: list[str]) -> None:
    """
    Without arguments, with -h and with --help, the command prints its help. Without click, it names the other commands
    and what to install for them.
    """
    status, out, err = run(WITHOUT_CLICK, *arguments)
    assert (status, err) == (0, "")
    assert out.startswith("Usage: sockservices COMMAND [ARGS]...\n")
    assert "\n  serve " in out
    assert "ask, chat, check, ping, probe and record" in out
    assert INSTALL_CLI in out
    status, out, err = run(WITH_CLICK, *arguments)
    assert (status, err) == (0, "")
    assert out.startswith("Usage: sockservices [OPTIONS] COMMAND [ARGS]...\n")


EXPECTED_COMMAND = "expected serve, or one of ask, chat, check, ping, probe and record, which need click"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ask", "tcp://127.0.0.1:7"], f"ask needs click: {INSTALL_CLI}"),
        (["start"], f"'start': {EXPECTED_COMMAND}"),
        (["--proto", "tcp"], f"'--proto': {EXPECTED_COMMAND}"),
    ],
)
def test_withoutClick(arguments: list[str], message: str) -> None:
    """
    Without click, another command is one line that says how to install it, and an unknown command is one line.
    """
    assert run(WITHOUT_CLICK, *arguments) == (64, "", f"sockservices: {message}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "--proto", "sctp"],
        ["serve", "--nonsense"],
        ["serve", "--service", "gopher"],
        ["serve", "echo"],
        ["--", "serve", "--proto", "sctp"],
        ["ask"],
        ["probe", "tcp://127.0.0.1:0"],
        ["start"],
    ],
    ids=" ".join,
)
def test_usageStatus(arguments: list[str]) -> None:
    """
    Every error in the command line is one line and status 64, that of C{serve} too.
    """
    status, out, err = run(WITH_CLICK, *arguments)
    assert (status, out) == (64, ""), err
    assert err.startswith("sockservices")
    assert err.count("\n") == 1


def test_failedStart() -> None:
    """
    A listener that cannot be opened is no usage error: C{serve} ends with status 1.
    """
    status, out, err = run(WITH_CLICK, "serve", "--listen", "echo=unix:/no/such/folder/socket")
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
