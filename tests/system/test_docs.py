"""
The documents in docs/ and CONTRIBUTING.md are correct: every fenced block is executed, or checked as far as possible.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import shlex
import socket
import subprocess
import sys
import tomllib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from packaging.specifiers import SpecifierSet
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from sockservices.registry import find, names
from sockservices.scripting import loadScript
from sockservices.server.options import Options
from sockservices.transports.poll_group import PollGroup
from tests.support import inetd
from tests.support.documents import Block, blocks, runConsole, runPython, runTerminal
from tests.support.shell import Shell, installCommands
from tests.support.twistd import ROOT, Twistd, environment

#: A check that runs after the Python blocks of a document, with their namespace.
FinalCheck = Callable[[dict[str, Any]], Awaitable[None]]

DOCUMENTS = [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

#: The blocks that other tests execute, by document and language.
EXECUTED_ELSEWHERE = {
    ("testing.md", "python"): ("system/test_pytest_plugin.py", "unit/testing/test_document.py"),
    ("faults.md", "python"): ("system/test_pytest_plugin.py",),
    ("scripts.md", "python"): ("system/test_scripts_document.py",),
}

#: The server for a document that names the port of a service, but has no command that starts a server.
DEFAULT_SERVER = "sockservices serve --proto all --service all"

SERVER_COMMAND = re.compile(r"(twistd -n sockservices|sockservices serve)( .*|$)")


# The server that the examples of a document use.


def freePorts(services: list[str]) -> dict[int, int]:
    """
    Map the port of each service to a port that is free for TCP and UDP. The number of digits stays the same, because it
    determines the width of printed tables.
    """
    found: dict[int, int] = {}
    with contextlib.ExitStack() as bound:
        for port in (find(name).port for name in services):
            minimum = 10 ** (len(str(port)) - 1)
            for candidate in random.sample(range(max(minimum, 2100), min(10 * minimum, 2**16)), 1000):
                with contextlib.ExitStack() as sockets, contextlib.suppress(OSError):
                    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                        sockets.enter_context(socket.socket(type=kind)).bind(("127.0.0.1", candidate))
                    found[port] = candidate
                    bound.enter_context(sockets.pop_all())
                    break
    return found


@contextlib.contextmanager
def running(line: str, folder: Path) -> Iterator[dict[int, int]]:
    """
    Run a command that starts the server, with free ports in place of the documented ones.

    @return: the free port for each documented port.
    """
    start, arguments = re.findall(SERVER_COMMAND, line)[0]
    options = Options()
    options.parseOptions(shlex.split(arguments))
    services = list(dict.fromkeys(listener.name for listener in options.config.listeners))
    program, *rest = start.split() + shlex.split(re.sub(r" --service[ =]\S+", "", arguments))
    command = [str(folder / "commands" / program)]
    with contextlib.ExitStack() as stack:
        for lastAttempt in (False, False, True):
            ports = freePorts(services)
            chosen = [f"--service={name}={ports[find(name).port]}" for name in services]
            try:
                server = stack.enter_context(Twistd(*rest, *chosen, command=command, cwd=folder))
                break
            except AssertionError as error:
                # Another process can bind a port between the check and the start.
                if lastAttempt or "in use" not in str(error):
                    raise
        assert sum(map(len, server.listeners.values())) == len(options.config.listeners), server.log
        yield ports


def commandPorts(own: list[Block]) -> dict[int, int]:
    """
    Free ports for those on which the commands of a document listen themselves.
    """
    documented = {int(port) for block in own for port in re.findall(r"(?:\.toml=|--listen tcp:)(\d+)", block.text)}
    return dict(zip(documented, inetd.freePorts(len(documented)), strict=True))


def writeScript(block: Block, home: Path) -> None:
    """
    Write the script of a block into the folder of the commands. Its first line gives the name of its file.
    """
    (name,) = re.findall(r"^# (\S+)$", block.text.splitlines()[0])
    (home / name).write_text(block.text)
    loadScript(home / name)


# Checks of commands that would change the machine, or take long.


def extraExists(name: str) -> Callable[[], None]:
    """
    The extra exists. The test does not install it.
    """
    return lambda: PROJECT["optional-dependencies"][name]


def completes(shell: str) -> Callable[[], None]:
    """
    The command prints a completion script for the shell. tests/integration/test_completion.py tests the completions.
    """

    def check() -> None:
        variables = environment(_SOCKSERVICES_COMPLETE=f"{shell}_source")
        command = [sys.executable, "-m", "sockservices"]
        script = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=True).stdout
        assert f"_SOCKSERVICES_COMPLETE={shell}_complete" in script

    return check


def benchmarksExist() -> None:
    """
    The benchmarks accept the options. tests/integration/test_benchmarks.py runs them.
    """
    listed = python("-m", "benchmarks", "--quick", "--list")
    assert listed.returncode == 0
    assert listed.stdout.startswith("workloads:\n")


def slowTestsExist() -> None:
    """
    The command selects tests. They are too heavy to run here.
    """
    collected = python("-m", "pytest", "-m", "slow", "--collect-only", "-q", "-p", "no:cacheprovider")
    assert collected.returncode == 0, collected.stdout
    assert "::test_" in collected.stdout


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """
    Run the interpreter in the root of the project.
    """
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60, check=False)


def hookExists() -> None:
    """
    The configuration of pre-commit runs the version of ruff that the project requires.
    """
    (requirement,) = (each for each in PROJECT["optional-dependencies"]["dev"] if each.startswith("ruff"))
    assert f'"{requirement}"' in (ROOT / ".pre-commit-config.yaml").read_text()


def nothing() -> None:
    """
    The command needs no check: the README's test command is the same.
    """


COMMAND_CHECKS: dict[str, Callable[[], None]] = {
    "pip install -e '.[bench]'": extraExists("bench"),
    "pip install .": nothing,
    "pip install '.[cli]'": extraExists("cli"),
    'eval "$(_SOCKSERVICES_COMPLETE=bash_source sockservices)"': completes("bash"),
    "_SOCKSERVICES_COMPLETE=fish_source sockservices | source": completes("fish"),
    "python -m benchmarks --quick": benchmarksExist,
    ".venv/bin/pytest -m slow": slowTestsExist,
    "python3 -m venv .venv": nothing,
    ". .venv/bin/activate": nothing,
    "pip install -e '.[dev]'": extraExists("dev"),
    "pre-commit install": hookExists,
}


def checkDockerfile(block: Block, folder: Path) -> None:
    """
    Check each instruction by itself, because the test cannot run a container.
    """
    instructions = [line.partition(" ")[::2] for line in block.text.splitlines()]
    assert [word for word, _ in instructions] == ["FROM", "COPY", "RUN", "USER", "ENTRYPOINT"]
    image, copy, run, user, entrypoint = (arguments for _, arguments in instructions)
    (version,) = re.findall(r"^python:(\d+\.\d+)-slim$", image)
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)
    install, warmUp = run.split(" && ")
    assert copy.split() == [".", install.split()[-1]]
    with Shell(folder, folder / "commands") as shell:
        assert shell.run(warmUp) == ""
        assert shell.run("echo $?") == "0\n"
    assert 0 not in map(int, user.split(":"))
    program, *rest = json.loads(entrypoint)
    assert (folder / "commands" / program).exists()
    assert rest[:3] == ["-n", "--pidfile=", "sockservices"]
    options = Options()
    options.parseOptions(rest[3:])
    assert all(":0.0.0.0:" in str(listener.binding) for listener in options.config.listeners)


async def endpointServes(namespace: dict[str, Any]) -> None:
    """
    The endpoint in docs/speed.md serves, with a poll group.
    """
    from twisted.internet import reactor

    port = await namespace["listening"]

    def converse() -> bytes:
        with socket.create_connection((port.getHost().host, port.getHost().port), 5) as client:
            client.sendall(b"hello")
            return client.recv(10)

    assert await deferToThread(converse) == b"hello"
    assert isinstance(port.group, PollGroup)
    await port.stopListening()
    while port.group.fileno() >= 0:
        await deferLater(reactor, 0.01)


FINAL_CHECKS: dict[str, FinalCheck] = {"speed.md": endpointServes}


async def check(document: Path, folder: Path) -> None:
    """
    Execute or check the blocks of a document, in order.
    """
    commands, home = folder / "commands", folder / "home"
    commands.mkdir()
    home.mkdir()
    installCommands(commands)
    own = [block for block in blocks(document) if (document.name, block.language) not in EXECUTED_ELSEWHERE]
    shellLines = [line for block in own if block.language == "sh" for line in block.text.splitlines()]
    starts = [line for line in shellLines if SERVER_COMMAND.match(line)]
    assert len(starts) <= 1, f"{document.name} starts more than one server"
    zeros = {find(name).port: 0 for name in names()}
    if not starts and any(block.withPorts(zeros) != block for block in own):
        starts = [DEFAULT_SERVER]
    namespace: dict[str, Any] = {"__name__": document.stem}
    with contextlib.ExitStack() as stack:
        ports = stack.enter_context(running(starts[0], folder)) if starts else {}
        ports.update(commandPorts(own))
        for block in own:
            match block.language:
                case "python":
                    await runPython(block.withPorts(ports), namespace)
                case "console":
                    runConsole(block.withPorts(ports), home, commands)
                case "dockerfile":
                    checkDockerfile(block, folder)
                case "toml":
                    writeScript(block, home)
                case "terminal":
                    runTerminal(block.withPorts(ports), home, commands)
                case "sh" | "fish":
                    for line in block.text.splitlines():
                        assert line in starts or line in COMMAND_CHECKS, f"{block}: no check for {line!r}"
                        if line in COMMAND_CHECKS:
                            COMMAND_CHECKS[line]()
                case _:
                    raise AssertionError(f"{block}: no check for blocks of {block.language!r}")
    if document.name in FINAL_CHECKS:
        await FINAL_CHECKS[document.name](namespace)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_documents(document: Path, tmp_path: Path) -> None:
    """
    Every block of every document is executed or checked, and prints the documented output.
    """
    await check(document, tmp_path)


def test_contributingCommands() -> None:
    """
    The sessions, the paths and the markers in the table of commands exist.
    """
    commands = re.findall(r"^\| `([^`]+)` \|", (ROOT / "CONTRIBUTING.md").read_text(), re.M)
    sessions = re.findall(r"^@nox\.session.*\n(?:@.*\n)*def (\w+)", (ROOT / "noxfile.py").read_text(), re.M)
    assert {command.removeprefix("nox -s ") for command in commands if command.startswith("nox")} == {*sessions}
    for command in commands:
        for path in re.findall(r"(?<= )tests/\S+|^\.ci/run", command):
            assert (ROOT / path).exists(), command


# Tests of the checks.

CORRECT = """
```python
print("one")
print(8007, ("127.0.0.1", 8007)[1] != 8007)
```
```text
one
8007 True
```
```python
from twisted.internet.defer import succeed

print(await succeed("later"), "whatever")
```

```text
later ...
```
```console
$ cat
$ printf 'no line end'; false
no line end
$ echo $?
1
$ { echo started; cat; sleep 60; } &
started
$ sockservices serve --service nobody
...--service nobody: ...
```
"""


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_correctBlocks(tmp_path: Path) -> None:
    """
    Python blocks share one namespace and may await Deferreds. Console commands see the last exit status, get no input,
    and may run in the background.
    """
    document = tmp_path / "correct.md"
    document.write_text(CORRECT)
    await check(document, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "```python\nprint(1)\n```\n```text\n2\n```",
            r"wrong.md:1\nexpected output:\n2\nactual output:\n1$",
        ),
        (
            "\n```console\n$ true\n$ echo 1\n2\n```",
            r"wrong.md:2: echo 1\nexpected output:\n2\nactual output:\n1$",
        ),
        ("```console\n$ echo 1\n```", r"expected output:\n\nactual output:\n1$"),
        ("```console\n$ true\n1\n```", r"expected output:\n1\nactual output:\n$"),
        ("```console\n$ exit\n```", "the shell ended"),
        ("```console\necho 1\n```", "the first line is not a command"),
        ("```sh\nrm -r build\n```", "no check for 'rm -r build'"),
        ("```text\n1\n```", "no check for blocks of 'text'"),
        ("```\n1\n```", "no check for blocks of ''"),
        ("~~~\n1\n~~~", "a fence is not closed, or is not made of three backquotes"),
        ("```python\nprint(1)\n", "a fence is not closed, or is not made of three backquotes"),
    ],
)
@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_incorrectBlocks(text: str, message: str, tmp_path: Path) -> None:
    """
    A block whose output differs from the document, and a block that no check covers, fail. The message gives the line.
    """
    document = tmp_path / "wrong.md"
    document.write_text(text)
    with pytest.raises((AssertionError, ValueError), match=message):
        await check(document, tmp_path)


def test_blocksExecutedElsewhere() -> None:
    """
    The tests that execute the remaining blocks name the document.
    """
    for (document, _), tests in EXECUTED_ELSEWHERE.items():
        assert (ROOT / "docs" / document).exists()
        for test in tests:
            assert document in (ROOT / "tests" / test).read_text()
