"""
Completion of values: services, ports, targets and states.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from sockservices.cli.commands import run
from sockservices.client.probe import STATES
from sockservices.conformance import PORTS
from sockservices.registry import names
from tests.support.shell import installCommands
from tests.support.twistd import environment

Complete = Callable[..., list[str]]


@pytest.fixture
def complete(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Complete:
    """
    A function that returns the completions of the last word, as the script of a shell requests them.
    """

    def completionsOf(*words: str, shell: str = "zsh") -> list[str]:
        line = ["sockservices", *words]
        monkeypatch.setenv("_SOCKSERVICES_COMPLETE", f"{shell}_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(line[:-1] if shell == "fish" else line))
        monkeypatch.setenv("COMP_CWORD", words[-1] if shell == "fish" else str(len(words)))
        with pytest.raises(SystemExit):
            run([])
        lines = capfd.readouterr().out.splitlines()
        if shell == "zsh":
            # click escapes the colons of values with a description, as _describe of zsh needs.
            return [each.replace("\\:", ":") for each in lines[1::3]]
        return [each.removeprefix("plain,").partition("\t")[0] for each in lines]

    return completionsOf


@pytest.mark.parametrize("shell", ["zsh", "fish", "bash"])
def test_services(shell: str, complete: Complete) -> None:
    """
    C{serve} completes services, transports and formats.
    """
    assert set(complete("serve", "--service", "", shell=shell)) == {*names(), "all"}
    assert complete("serve", "--show", "--service", "ec", shell=shell) == ["echo"]
    assert complete("serve", "--proto", "", shell=shell) == ["tcp", "udp", "all"]
    assert complete("serve", "--log-format", "j", shell=shell) == ["json"]
    assert "--service" in complete("serve", "--s", shell=shell)


@pytest.mark.parametrize("shell", ["zsh", "fish", "bash"])
def test_faults(shell: str, complete: Complete) -> None:
    """
    C{--fault} completes services, words and keys.
    """
    assert {"loss", "latency", "echo:"} < set(complete("serve", "--fault", "", shell=shell))
    assert complete("serve", "--fault", "lat", shell=shell) == ["latency"]
    assert complete("serve", "--fault", "loss,b", shell=shell) == ["loss,burst="]
    assert complete("serve", "--fault", "lag,", shell="zsh") == []
    assert complete("serve", "--fault", "echo:lat", shell="zsh") == ["echo:latency"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_joinedOption(shell: str, complete: Complete) -> None:
    """
    An option that is joined to its value by an equals sign stays in the completion.
    """
    assert complete("serve", "--service=ec", shell=shell) == ["--service=echo"]
    assert complete("check", "127.0.0.1", "--ports=ec", shell=shell) == ["--ports=echo=8007"]
    assert complete("probe", "--expect=ref", shell=shell) == ["--expect=refused"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_ports(shell: str, complete: Complete) -> None:
    """
    C{check} completes services with their ports, also after a comma.
    """
    assert set(complete("check", "127.0.0.1", "--ports", "", shell=shell)) == {
        "rfc",
        *(f"{name}={port}" for name, port in PORTS.items()),
    }
    assert complete("check", "--ports", "echo=8007,ti", shell=shell) == ["echo=8007,time=8037"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_targets(shell: str, complete: Complete) -> None:
    """
    Targets are completed with the schemes, and with the ports of the services on the host that is given.
    """
    for command in ("ask", "chat", "ping", "probe"):
        every = complete(command, "", shell=shell)
        assert {"tcp://127.0.0.1:8007", "udp://127.0.0.1:8007", "unix:///", "unixgram:///"} < set(every)
        assert complete(command, "tcp://host.example:800", shell=shell) == [
            f"tcp://host.example:{port}" for port in sorted(PORTS.values()) if str(port).startswith("800")
        ]
        assert complete(command, "udp://[::1]:233", shell=shell) == ["udp://[::1]:2333"]


def test_states(complete: Complete) -> None:
    """
    C{probe --expect} completes the states.
    """
    assert complete("probe", "--expect", "") == list(STATES)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        # bash divides words at colons and equals signs, and replaces the last part alone.
        (["ask", "tcp", ":", "//127.0.0.1", ":", "233"], ["2333"]),
        (["ask", "tcp", ":", "//127.0.0.1", ":"], [str(port) for port in sorted(PORTS.values())]),
        (["probe", "udp", ":", "//[", "::", "1]", ":", "233"], ["2333"]),
        (["serve", "--service", "=", "ec"], ["echo"]),
        (["check", "h", "--ports", "=", "echo", "=", "80"], ["8007"]),
        (["check", "h", "--ports", "ec"], ["echo=8007"]),
        (["probe", "--expect", "=", "no"], ["no-connection"]),
    ],
    ids=" ".join,
)
def test_bash(words: list[str], expected: list[str], complete: Complete) -> None:
    """
    The completions for bash stand for the last part of a word.
    """
    assert complete(*words, shell="bash") == expected


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_interactiveBash(tmp_path_factory: pytest.TempPathFactory) -> None:
    """
    The script works in bash, which divides the words itself.
    """
    folder = tmp_path_factory.mktemp("bash")
    installCommands(folder)
    script = """
        eval "$(_SOCKSERVICES_COMPLETE=bash_source sockservices)"
        COMP_WORDS=(sockservices ask tcp : //127.0.0.1 : 233) COMP_CWORD=6
        _sockservices_completion sockservices
        echo "${COMPREPLY[@]}"
    """
    path = f"{folder}:{sys.prefix}/bin:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env=environment(PATH=path, HOME=str(folder)),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("2333\n", "")
