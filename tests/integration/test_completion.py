"""
Completion of command lines in a shell.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sockservices.cli.commands import commands
from sockservices.server.options import Options
from tests.support.commands import PATIENCE, runCommand
from tests.support.shell import installCommands
from tests.support.twistd import environment

SHELLS = ("bash", "zsh", "fish")


def completions(shell: str, line: str) -> list[str]:
    """
    Give the completions of the last word of a line.
    """
    *before, last = line.split(" ")
    if shell == "fish":
        words = {"COMP_WORDS": " ".join(before), "COMP_CWORD": last}
    else:
        words = {"COMP_WORDS": line, "COMP_CWORD": str(len(before))}
    done = runCommand(variables={"_SOCKSERVICES_COMPLETE": f"{shell}_complete", **words})
    assert done.err == ""
    lines = done.out.decode().splitlines()
    if shell == "zsh":
        # Three lines each: type, word, help.
        assert set(lines[::3]) == {"plain"}
        return lines[1::3]
    assert all(line.startswith("plain,") for line in lines)
    return [line.removeprefix("plain,").partition("\t")[0] for line in lines]


def source(shell: str, folder: Path) -> Path:
    """
    Write the shell's completion script to a file.
    """
    done = runCommand(variables={"_SOCKSERVICES_COMPLETE": f"{shell}_source"})
    assert (done.status, done.err) == (0, "")
    script = folder / f"script.{shell}"
    script.write_bytes(done.out)
    return script


def runShell(shell: list[str], script: str, folder: Path) -> str:
    """
    Run a script in a shell, with the command on its path.

    @return: its standard output.
    """
    installCommands(folder)
    path = os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [*shell, script],
        env=environment(PATH=path, HOME=str(folder)),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_completes(shell: str) -> None:
    """
    Subcommands, their options, and the options of C{serve} are completed.
    """
    assert completions(shell, "sockservices ") == sorted(commands.commands)
    assert {"--count", "--interval", "--timeout", "--help"} == set(completions(shell, "sockservices ping --"))
    assert completions(shell, "sockservices serve --pro") == ["--proto"]


def test_prefixes() -> None:
    """
    A prefix selects the completions. A single dash completes to every option of C{serve}.
    """
    assert completions("bash", "sockservices a") == ["ask"]
    assert completions("bash", "sockservices ask --e") == ["--expect"]
    assert completions("bash", "sockservices ask tcp://127.0.0.1:7 --h") == ["--hex", "--help"]
    options = completions("bash", "sockservices serve --proto tcp -")
    assert sorted(options) == sorted(f"--{name.removesuffix('=')}" for name in Options().longOpt)
    assert {"--service", "--listen", "--max-rate", "--udp-rfc-size", "--help"} < set(options)


@pytest.mark.parametrize("shell", SHELLS)
def test_source(shell: str, tmp_path: Path) -> None:
    """
    The command prints a completion script for each shell.
    """
    script = source(shell, tmp_path).read_text()
    assert f"_SOCKSERVICES_COMPLETE={shell}_complete" in script
    assert "complete " in script or "compdef " in script


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash(tmp_path: Path) -> None:
    """
    The script works in bash.
    """
    script = f"""
        source {source("bash", tmp_path)}
        complete -p sockservices
        COMP_WORDS=(sockservices serve --pro) COMP_CWORD=2
        _sockservices_completion sockservices
        echo "${{COMPREPLY[@]}}"
        COMPREPLY=() COMP_WORDS=(sockservices '') COMP_CWORD=1
        _sockservices_completion sockservices
        echo "${{COMPREPLY[@]}}"
    """
    lines = runShell(["bash", "--norc", "-c"], script, tmp_path).splitlines()
    assert lines[0].endswith("-F _sockservices_completion sockservices")
    assert lines[1:] == ["--proto", " ".join(sorted(commands.commands))]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh(tmp_path: Path) -> None:
    """
    The script registers the completion in zsh.
    """
    script = f"autoload -U compinit; compinit -u -D; source {source('zsh', tmp_path)}; echo $_comps[sockservices]"
    assert runShell(["zsh", "-f", "-c"], script, tmp_path) == "_sockservices_completion\n"


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish(tmp_path: Path) -> None:
    """
    The script works in fish.
    """
    script = f"source {source('fish', tmp_path)}; complete -C 'sockservices serve --pro'"
    assert runShell(["fish", "--no-config", "-c"], script, tmp_path) == "--proto\n"
