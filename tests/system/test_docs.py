"""
The documents in docs/ are true: every fenced block of theirs is run, or checked as far as it can be.
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
from sockservices.server.options import Options
from sockservices.transports.poll_group import PollGroup
from tests.support.documents import Block, blocks, runConsole, runPython, runTerminal
from tests.support.shell import Shell, installCommands
from tests.support.twistd import ROOT, Twistd, environment

#: Tests that take what a document has defined, after it has run.
Afterwards = Callable[[dict[str, Any]], Awaitable[None]]

DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

#: Blocks that have a test of their own, which knows what they need.
ELSEWHERE = {("testing.md", "python"): ("integration/test_pytest_plugin.py", "unit/testing/test_testing.py")}

#: What serves a document that names a service's port, and does not say how to start the server.
SERVER = "sockservices serve --proto all --service all"

SERVES = re.compile(r"(twistd -n sockservices|sockservices serve)( .*|$)")


# The server that a document talks to.


def ports(services: list[str]) -> dict[int, int]:
    """
    For each service's port another, free for TCP and UDP, and of as many digits: printed tables have widths.
    """
    found: dict[int, int] = {}
    with contextlib.ExitStack() as held:
        for port in (find(name).port for name in services):
            least = 10 ** (len(str(port)) - 1)
            for candidate in random.sample(range(max(least, 2100), min(10 * least, 2**16)), 1000):
                with contextlib.ExitStack() as tried, contextlib.suppress(OSError):
                    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                        tried.enter_context(socket.socket(type=kind)).bind(("127.0.0.1", candidate))
                    found[port] = candidate
                    held.enter_context(tried.pop_all())
                    break
    return found


@contextlib.contextmanager
def serving(line: str, folder: Path) -> Iterator[dict[int, int]]:
    """
    Run a command that starts the server. Its services have other ports than it names or means: those are given back.
    """
    how, what = re.findall(SERVES, line)[0]
    options = Options()
    options.parseOptions(shlex.split(what))
    services = list(dict.fromkeys(listener.name for listener in options.config.listeners))
    program, *words = how.split() + shlex.split(re.sub(r" --service[ =]\S+", "", what))
    command = [str(folder / "commands" / program)]
    with contextlib.ExitStack() as running:
        for last in (False, False, True):
            given = ports(services)
            chosen = [f"--service={name}={given[find(name).port]}" for name in services]
            try:
                server = running.enter_context(Twistd(*words, *chosen, command=command, cwd=folder))
                break
            except AssertionError as fault:
                # Another program may take one of the ports in that moment.
                if last or "in use" not in str(fault):
                    raise
        assert sum(map(len, server.listeners.values())) == len(options.config.listeners), server.log
        yield given


# What is checked of a block for the shell that is no console: nobody's machine is to be changed by it.


def extraExists(name: str) -> Callable[[], None]:
    """
    Nothing is installed here, but that extra could be.
    """
    return lambda: PROJECT["optional-dependencies"][name]


def completes(shell: str) -> Callable[[], None]:
    """
    There is a script for the shell. What it completes is tested in tests/integration/test_completion.py.
    """

    def check() -> None:
        asked = environment(_SOCKSERVICES_COMPLETE=f"{shell}_source")
        command = [sys.executable, "-m", "sockservices"]
        script = subprocess.run(command, env=asked, capture_output=True, text=True, timeout=60, check=True).stdout
        assert f"_SOCKSERVICES_COMPLETE={shell}_complete" in script

    return check


def benchmarksAreThere() -> None:
    """
    Its options are understood. It runs in tests/integration/test_benchmarks.py: it takes all of a machine for a while.
    """
    listed = python("-m", "benchmarks", "--quick", "--list")
    assert listed.returncode == 0
    assert listed.stdout.startswith("workloads:\n")


def slowTestsAreThere() -> None:
    """
    It selects tests. They are heavy, which is why they are run apart.
    """
    collected = python("-m", "pytest", "-m", "slow", "--collect-only", "-q", "-p", "no:cacheprovider")
    assert collected.returncode == 0, collected.stdout
    assert "::test_" in collected.stdout


def python(*words: str) -> subprocess.CompletedProcess[str]:
    """
    A run of the interpreter in the project's folder.
    """
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60, check=False)


SHELL: dict[str, Callable[[], None]] = {
    "pip install -e '.[bench]'": extraExists("bench"),
    "pip install 'sockservices[cli]'": extraExists("cli"),
    'eval "$(_SOCKSERVICES_COMPLETE=bash_source sockservices)"': completes("bash"),
    "_SOCKSERVICES_COMPLETE=fish_source sockservices | source": completes("fish"),
    "python -m benchmarks --quick": benchmarksAreThere,
    ".venv/bin/pytest -m slow": slowTestsAreThere,
}


def checkDockerfile(block: Block, folder: Path) -> None:
    """
    Every instruction for itself: there are no containers here.
    """
    instructions = [line.partition(" ")[::2] for line in block.text.splitlines()]
    assert [word for word, _ in instructions] == ["FROM", "RUN", "USER", "ENTRYPOINT"]
    image, run, user, entrypoint = (words for _, words in instructions)
    (version,) = re.findall(r"^python:(\d+\.\d+)-slim$", image)
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)
    install, notes = run.split(" && ")
    assert install.split()[-1] == PROJECT["name"]
    with Shell(folder, folder / "commands") as shell:
        assert shell.run(notes) == ""
        assert shell.run("echo $?") == "0\n"
    assert 0 not in map(int, user.split(":"))
    program, *words = json.loads(entrypoint)
    assert (folder / "commands" / program).exists()
    assert words[:3] == ["-n", "--pidfile=", "sockservices"]
    options = Options()
    options.parseOptions(words[3:])
    assert all(":0.0.0.0:" in str(listener.binding) for listener in options.config.listeners)


async def endpointServes(namespace: dict[str, Any]) -> None:
    """
    The endpoint in docs/speed.md serves, and fast.
    """
    from twisted.internet import reactor

    port = await namespace["listening"]

    def converse() -> bytes:
        with socket.create_connection((port.getHost().host, port.getHost().port), 5) as client:
            client.sendall(b"words")
            return client.recv(10)

    assert await deferToThread(converse) == b"words"
    assert isinstance(port.group, PollGroup)
    await port.stopListening()
    while port.group.fileno() >= 0:
        await deferLater(reactor, 0.01)


AFTERWARDS: dict[str, Afterwards] = {"speed.md": endpointServes}


async def check(document: Path, folder: Path) -> None:
    """
    Run or check the blocks of a document, in order.
    """
    commands, reader = folder / "commands", folder / "reader"
    commands.mkdir()
    reader.mkdir()
    installCommands(commands)
    own = [block for block in blocks(document) if (document.name, block.language) not in ELSEWHERE]
    starts = [line for block in own if block.language == "sh" for line in block.text.splitlines() if SERVES.match(line)]
    assert len(starts) <= 1, f"{document.name} starts more than one server"
    nowhere = {find(name).port: 0 for name in names()}
    if not starts and any(block.moved(nowhere) != block for block in own):
        starts = [SERVER]
    namespace: dict[str, Any] = {"__name__": document.stem}
    with contextlib.ExitStack() as running:
        given = running.enter_context(serving(starts[0], folder)) if starts else {}
        for block in own:
            match block.language:
                case "python":
                    await runPython(block.moved(given), namespace)
                case "console":
                    runConsole(block.moved(given), reader, commands)
                case "dockerfile":
                    checkDockerfile(block, folder)
                case "terminal":
                    runTerminal(block.moved(given), reader, commands)
                case "sh" | "fish":
                    for line in block.text.splitlines():
                        assert line in starts or line in SHELL, f"{block}: nothing checks {line!r}"
                        if line in SHELL:
                            SHELL[line]()
                case _:
                    raise AssertionError(f"{block}: nothing checks a block of {block.language!r}")
    if document.name in AFTERWARDS:
        await AFTERWARDS[document.name](namespace)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_blocks(document: Path, tmp_path: Path) -> None:
    """
    Every block is run or checked, and prints what it is said to print.
    """
    await check(document, tmp_path)


# The checks themselves.

RIGHT = """
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
$ { echo said; cat; sleep 60; } &
said
$ sockservices serve --service nobody
...--service nobody: there is no service 'nobody'; there are ...
```
"""


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_whatIsRight(tmp_path: Path) -> None:
    """
    Python has one server and may wait; commands have a console with an exit status, and with others beside them.
    """
    document = tmp_path / "right.md"
    document.write_text(RIGHT)
    await check(document, tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```python\nprint(1)\n```\n```text\n2\n```", r"wrong.md:1\nis said to print:\n2\nand prints:\n1$"),
        ("\n```console\n$ true\n$ echo 1\n2\n```", r"wrong.md:2: echo 1\nis said to print:\n2\nand prints:\n1$"),
        ("```console\n$ echo 1\n```", r"print:\n\nand prints:\n1$"),
        ("```console\n$ true\n1\n```", r"print:\n1\nand prints:\n$"),
        ("```console\n$ exit\n```", "the shell has ended"),
        ("```console\necho 1\n```", "does not begin with a command"),
        ("```sh\nrm -r build\n```", "nothing checks 'rm -r build'"),
        ("```text\n1\n```", "nothing checks a block of 'text'"),
        ("```\n1\n```", "nothing checks a block of ''"),
        ("~~~\n1\n~~~", "a fence without an end, or of another kind"),
        ("```python\nprint(1)\n", "a fence without an end, or of another kind"),
    ],
)
@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_whatIsWrong(text: str, said: str, tmp_path: Path) -> None:
    """
    What prints something else than is said, and what nothing checks, is told, and where it stands.
    """
    document = tmp_path / "wrong.md"
    document.write_text(text)
    with pytest.raises((AssertionError, ValueError), match=said):
        await check(document, tmp_path)


def test_whatIsElsewhere() -> None:
    """
    Blocks that are left to other tests are so: those name the document.
    """
    for (document, _), tests in ELSEWHERE.items():
        for test in tests if (ROOT / "docs" / document).exists() else ():
            assert document in (ROOT / "tests" / test).read_text()
