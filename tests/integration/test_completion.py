"""
Completion by the shell.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sockservices.cli.group import commands
from sockservices.server.options import Options
from tests.support.commands import PATIENCE, command
from tests.support.shell import installCommands
from tests.support.twistd import environment

SHELLS = ("bash", "zsh", "fish")


def completed(shell: str, line: str) -> list[str]:
    """
    What is offered to a shell in place of the last word of a line.
    """
    *before, last = line.split(" ")
    if shell == "fish":
        asked = {"COMP_WORDS": " ".join(before), "COMP_CWORD": last}
    else:
        asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(before))}
    done = command(variables={"_SOCKSERVICES_COMPLETE": f"{shell}_complete", **asked})
    assert done.err == ""
    lines = done.out.decode().splitlines()
    if shell == "zsh":
        # Kind, word and what it does, a line each.
        assert set(lines[::3]) == {"plain"}
        return lines[1::3]
    assert all(line.startswith("plain,") for line in lines)
    return [line.removeprefix("plain,").partition("\t")[0] for line in lines]


def source(shell: str, folder: Path) -> Path:
    """
    The script for a shell, as it is printed.
    """
    done = command(variables={"_SOCKSERVICES_COMPLETE": f"{shell}_source"})
    assert (done.status, done.err) == (0, "")
    script = folder / f"script.{shell}"
    script.write_bytes(done.out)
    return script


def told(shell: list[str], words: str, folder: Path) -> str:
    """
    What a shell prints that is told this, with the command on its path.
    """
    installCommands(folder)
    path = os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [*shell, words],
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
    Commands, their options, and the server's own options are offered.
    """
    assert completed(shell, "sockservices ") == sorted(commands.commands)
    assert {"--count", "--interval", "--timeout", "--help"} == set(completed(shell, "sockservices ping --"))
    assert completed(shell, "sockservices serve --pro") == ["--proto"]


def test_words() -> None:
    """
    Words that are begun are finished. Of the server's options, each is offered, with two dashes.
    """
    assert completed("bash", "sockservices a") == ["ask"]
    assert completed("bash", "sockservices ask --e") == ["--expect"]
    assert completed("bash", "sockservices ask tcp://127.0.0.1:7 --h") == ["--hex", "--help"]
    options = completed("bash", "sockservices serve --proto tcp -")
    assert sorted(options) == sorted(f"--{name.removesuffix('=')}" for name in Options().longOpt)
    assert {"--service", "--listen", "--max-rate", "--udp-rfc-size", "--help"} < set(options)


@pytest.mark.parametrize("shell", SHELLS)
def test_source(shell: str, tmp_path: Path) -> None:
    """
    The script for a shell is printed, and names the command.
    """
    script = source(shell, tmp_path).read_text()
    assert f"_SOCKSERVICES_COMPLETE={shell}_complete" in script
    assert "complete " in script or "compdef " in script


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash(tmp_path: Path) -> None:
    """
    Bash, told the script, finishes words.
    """
    words = f"""
        source {source("bash", tmp_path)}
        complete -p sockservices
        COMP_WORDS=(sockservices serve --pro) COMP_CWORD=2
        _sockservices_completion sockservices
        echo "${{COMPREPLY[@]}}"
        COMPREPLY=() COMP_WORDS=(sockservices '') COMP_CWORD=1
        _sockservices_completion sockservices
        echo "${{COMPREPLY[@]}}"
    """
    lines = told(["bash", "--norc", "-c"], words, tmp_path).splitlines()
    assert lines[0].endswith("-F _sockservices_completion sockservices")
    assert lines[1:] == ["--proto", " ".join(sorted(commands.commands))]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh")
def test_zsh(tmp_path: Path) -> None:
    """
    Zsh, told the script, has it for the command.
    """
    words = f"autoload -U compinit; compinit -u -D; source {source('zsh', tmp_path)}; echo $_comps[sockservices]"
    assert told(["zsh", "-f", "-c"], words, tmp_path) == "_sockservices_completion\n"


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish")
def test_fish(tmp_path: Path) -> None:
    """
    Fish, told the script, finishes words.
    """
    words = f"source {source('fish', tmp_path)}; complete -C 'sockservices serve --pro'"
    assert told(["fish", "--no-config", "-c"], words, tmp_path) == "--proto\n"
