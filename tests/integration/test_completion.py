"""
Completion of command lines in a shell.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sockservices.cli.commands import commands, run
from sockservices.server.serve_options import ServeOptions
from tests.support.commands import TIMEOUT
from tests.support.shell import installCommands
from tests.support.twistd import environment

SHELLS = ("bash", "zsh", "fish")


@pytest.fixture
def complete(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """
    A function that runs the command as a completion script does, and returns its output.
    """

    def runInProcess(instruction: str, **variables: str) -> str:
        for name, value in {"_SOCKSERVICES_COMPLETE": instruction, **variables}.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            run([])
        out, err = capfd.readouterr()
        assert (ended.value.code, err) == (0, "")
        return out

    return runInProcess


@pytest.fixture
def completions(complete: Callable[..., str]) -> Callable[[str, str], list[str]]:
    """
    A function that returns the completions of the last argument of a line.
    """

    def completionsOf(shell: str, line: str) -> list[str]:
        *before, last = line.split(" ")
        if shell == "fish":
            variables = {"COMP_WORDS": " ".join(before), "COMP_CWORD": last}
        else:
            variables = {"COMP_WORDS": line, "COMP_CWORD": str(len(before))}
        lines = complete(f"{shell}_complete", **variables).splitlines()
        if shell == "zsh":
            # Three lines each: type, value, help.
            assert set(lines[::3]) == {"plain"}
            return lines[1::3]
        assert all(line.startswith("plain,") for line in lines)
        return [line.removeprefix("plain,").partition("\t")[0] for line in lines]

    return completionsOf


@pytest.mark.parametrize("shell", SHELLS)
def test_completes(shell: str, completions: Callable[[str, str], list[str]]) -> None:
    """
    Subcommands, their options, and the options of C{serve} are completed. A prefix selects the completions. A single
    dash completes to every option of C{serve}.
    """
    for line, expected in (
        ("sockservices ", sorted(commands.commands)),
        ("sockservices a", ["ask"]),
        ("sockservices ask --e", ["--expect"]),
        ("sockservices ask tcp://127.0.0.1:7 --h", ["--hex", "--help"]),
        ("sockservices serve --pro", ["--proto"]),
    ):
        assert completions(shell, line) == expected
    assert {"--count", "--interval", "--json", "--timeout", "--help"} == set(completions(shell, "sockservices ping --"))
    options = completions(shell, "sockservices serve --proto tcp -")
    assert sorted(options) == sorted(f"--{name.removesuffix('=')}" for name in ServeOptions().longOpt)
    assert {"--service", "--listen", "--max-rate", "--udp-rfc-size", "--help"} < set(options)


@pytest.mark.parametrize("shell", SHELLS)
def test_source(shell: str, complete: Callable[..., str]) -> None:
    """
    The command prints a completion script for each shell.
    """
    script = complete(f"{shell}_source")
    assert f"_SOCKSERVICES_COMPLETE={shell}_complete" in script
    assert "complete " in script or "compdef " in script


#: Shells without their start-up files; commands that use the completion script; and their output.
SCRIPTS = {
    "bash": (
        ["--norc"],
        """
        complete -p sockservices | grep -o -e '-F .*'
        COMP_WORDS=(sockservices serve --pro) COMP_CWORD=2
        _sockservices_completion sockservices
        echo "${COMPREPLY[@]}"
        """,
        "-F _sockservices_completion sockservices\n--proto\n",
    ),
    "zsh": (["-f"], "echo $_comps[sockservices]", "_sockservices_completion\n"),
    "fish": (["--no-config"], "complete -C 'sockservices serve --pro'", "--proto\n"),
}


@pytest.mark.parametrize("shell", SHELLS)
def test_script(shell: str, tmp_path: Path) -> None:
    """
    The script works in bash and fish, and registers the completion in zsh.
    """
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    options, script, output = SCRIPTS[shell]
    installCommands(tmp_path)
    prepare = "autoload -U compinit; compinit -u -D; " if shell == "zsh" else ""
    source = f"env _SOCKSERVICES_COMPLETE={shell}_source sockservices > script"
    done = subprocess.run(
        [shell, *options, "-c", f"{prepare}{source}\nsource ./script\n{script}"],
        env=environment(
            PATH=os.pathsep.join([str(tmp_path), str(Path(sys.executable).parent), os.environ["PATH"]]),
            HOME=str(tmp_path),
        ),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert (done.stdout, done.stderr) == (output, "")
