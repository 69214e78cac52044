"""
The README is true: its Python examples run, its command lines are understood, and its log lines are what is logged.
"""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path
from typing import Any

import pytest_twisted

from sockservices.registry import find, names
from sockservices.server.options import Options
from tests.support.twistd import Twistd

TEXT = (Path(__file__).parents[2] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """
    The fenced blocks of a language.
    """
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """
    The command lines that start the server.
    """
    return [line for block in blocks("sh") for line in block.splitlines() if "twistd -n sockservices" in line]


def options(command: str) -> Options:
    """
    What a command line asks for.
    """
    parsed = Options()
    parsed.parseOptions(shlex.split(command.partition("sockservices ")[2]))
    return parsed


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_pythonExamplesRun(capfd: Any) -> None:
    """
    All Python examples run, in one namespace, against a real server; the client prints what the README says.
    """
    namespace: dict[str, Any] = {"__name__": "readme"}
    with Twistd("--service", "welcome=0") as server:
        port = str(server.address("welcome")[1])
        for example in blocks("python"):
            exec(compile(example.replace("8001", port), "README.md", "exec"), namespace)
    assert "welcome to server!" in capfd.readouterr().out
    await namespace["stopped"]


def test_exampleOfAServiceIsRight() -> None:
    """
    The example's own example gives what it says.
    """
    namespace: dict[str, Any] = {"__name__": "readme"}
    (example,) = (block for block in blocks("python") if "class Rot13" in block)
    exec(compile(example, "README.md", "exec"), namespace)
    (test,) = doctest.DocTestFinder().find(namespace["Rot13"], "Rot13", module=False, globs=namespace)[:1]
    assert doctest.DocTestRunner().run(test) == (0, 1)


def test_commandLinesAreUnderstood() -> None:
    """
    Every command line that starts a server has listeners.
    """
    assert len(commands()) >= 5
    for command in commands():
        assert options(command).config.listeners


def test_logLinesAreThose() -> None:
    """
    What is said to be listened on is what the first command listens on.
    """
    said = re.findall(r"(\w+ listening on tcp:\S+)", TEXT)
    listeners = options(commands()[0]).config.listeners
    assert said == [f"{listener.name} listening on {listener.binding}" for listener in listeners]
    assert f"ready: {len(listeners)} listeners" in TEXT


def test_whatIsSaidToHoldIsThere() -> None:
    """
    Every test and every file that a document names is there.
    """
    root = Path(__file__).parents[2]
    tests = "".join(path.read_text() for path in root.glob("tests/**/*.py"))
    named = 0
    for document in [root / "README.md", *root.glob("docs/*.md")]:
        text = document.read_text()
        for test in re.findall(r"`(test_[a-z]\w*)`", text):
            assert f"def {test}(" in tests, f"{document.name}: {test}"
            named += 1
        for name in re.findall(r"`(tests/[\w/]+\.py)`|\]\(([^):]+)\)", text):
            assert (root / name[0]).exists() if name[0] else (document.parent / name[1]).exists(), name
            named += 1
    assert named > 30


def test_tableNamesEveryService() -> None:
    """
    The table of services has their names and ports.
    """
    table = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", TEXT, re.MULTILINE))
    assert table == {name: str(find(name).port) for name in names()}
