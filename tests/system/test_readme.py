"""
The README is correct: its Python examples run, its command lines are valid, and its log lines match. The files and
tests that the documents name exist.
"""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from sockservices.registry import find, names
from sockservices.server.options import Options
from tests.support.documents import blocks
from tests.support.twistd import ROOT, Twistd

README = ROOT / "README.md"

TEXT = README.read_text()

DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "changelog.d" / "README.md"]


def texts(language: str) -> list[str]:
    """
    The texts of the README's fenced blocks of a language.
    """
    return [block.text for block in blocks(README) if block.language == language]


def serverCommands() -> list[str]:
    """
    The README's command lines that start the server.
    """
    return [line for text in texts("sh") for line in text.splitlines() if "twistd -n sockservices" in line]


def parse(command: str) -> Options:
    """
    The options of a command line.
    """
    options = Options()
    options.parseOptions(shlex.split(command.partition("sockservices ")[2]))
    return options


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_pythonExamples(capfd: Any) -> None:
    """
    All Python examples run, in one namespace and with a real server. The client prints the documented reply.
    """
    namespace: dict[str, Any] = {"__name__": "readme"}
    with Twistd("--service", "welcome=0") as server:
        port = str(server.address("welcome")[1])
        for example in texts("python"):
            exec(compile(example.replace("8001", port), "README.md", "exec"), namespace)
    assert "welcome to server!" in capfd.readouterr().out
    await namespace["stopped"]


def test_doctestOfTheServiceExample() -> None:
    """
    The doctest in the example of a service passes.
    """
    namespace: dict[str, Any] = {"__name__": "readme"}
    (example,) = (text for text in texts("python") if "class Rot13" in text)
    exec(compile(example, "README.md", "exec"), namespace)
    (test,) = doctest.DocTestFinder().find(namespace["Rot13"], "Rot13", module=False, globs=namespace)[:1]
    assert doctest.DocTestRunner().run(test) == (0, 1)


def test_commandLines() -> None:
    """
    Every command line that starts the server is valid and has listeners.
    """
    assert len(serverCommands()) >= 5
    for command in serverCommands():
        assert parse(command).config.listeners


def test_logLines() -> None:
    """
    The documented log lines name the listeners of the first command.
    """
    documented = re.findall(r"(\w+ listening on tcp:\S+)", TEXT)
    listeners = parse(serverCommands()[0]).config.listeners
    assert documented == [f"{listener.name} listening on {listener.binding}" for listener in listeners]
    assert f"ready: {len(listeners)} listeners" in TEXT


def test_tableOfServices() -> None:
    """
    The table of services has the name and the port of every service.
    """
    table = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", TEXT, re.MULTILINE))
    assert table == {name: str(find(name).port) for name in names()}


def anchors(document: Path) -> set[str]:
    """
    The anchors that code hosts make of a document's headings.
    """
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_links(document: Path) -> None:
    """
    Every file and every heading that a document links to exists.
    """
    for target, anchor in re.findall(r"\]\(([^):#]*)(?:#([^)]+))?\)", document.read_text()):
        path = document.parent / target if target else document
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), f"{target}#{anchor}"


def test_namedTests() -> None:
    """
    Every test and every test file that a document names exists.
    """
    source = "".join(path.read_text() for path in ROOT.glob("tests/**/*.py"))
    text = "".join(document.read_text() for document in DOCUMENTS)
    tests, files = re.findall(r"`(test_[a-z]\w*)`", text), re.findall(r"`(tests/[a-z_/]+(?:\.py)?)`", text)
    assert len(tests) > 15
    assert [test for test in tests if f"def {test}(" not in source] == []
    assert [name for name in files if not (ROOT / name).exists()] == []
