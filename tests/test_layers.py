"""
Imports point down only, and the lower layers are plain Python.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import sockservices

PACKAGE = "sockservices"

#: From the bottom up: a module may import its own room and the rooms in the rows above it on this page.
LAYERS: tuple[set[str], ...] = (
    # Pure: no I/O, no Twisted.
    {"text"},
    {"conversation"},
    {"admission", "responders"},
    {"registry"},
    # Twisted's side of a socket, then the protocols over it.
    {"transports"},
    {"monitoring"},
    {"protocols"},
    # Embedding; the package itself exports what it needs.
    {"client", "server", PACKAGE},
    # The commands, and what tests use.
    {"cli", "conformance", "testing", "fixture", "tap"},
    {"__main__", "pytest_plugin"},
)

LEVEL = {module: level for level, modules in enumerate(LAYERS) for module in modules}

#: How many layers, from the bottom, are pure.
PURE = 4

#: Rooms that a room must not reach, even by way of others, where the order of layers alone would allow it.
STRANGERS = {"protocols": {"registry", "responders"}}

#: All that the transports know of the package: nothing of responders and conversations.
TRANSPORTS_KNOW = {"transports", "text"}


def imports(text: str, package: str = PACKAGE) -> Iterator[tuple[str, bool]]:
    """
    What a file imports, anywhere in it.

    @param package: the package that the file is in.
    @return: dotted names, each with whether it is imported at run time, and not for type checkers alone.
    """
    waiting: list[tuple[ast.AST, bool]] = [(ast.parse(text), True)]
    while waiting:
        node, runs = waiting.pop()
        if isinstance(node, ast.Import):
            yield from ((name.name, runs) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), package)
            yield from ((f"{origin}.{name.name}", runs) for name in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            waiting += [(child, False) for child in node.body]
            waiting += [(child, runs) for child in node.orelse]
        else:
            waiting += [(child, runs) for child in ast.iter_child_nodes(node)]


def files() -> Iterator[tuple[str, str, str]]:
    """
    The package's files: for each its dotted name, the package that it is in, and its text.
    """
    folder = Path(sockservices.__file__).parent
    for file in sorted(folder.rglob("*.py")):
        package = ".".join((PACKAGE, *file.relative_to(folder).parts[:-1]))
        yield package if file.stem == "__init__" else f"{package}.{file.stem}", package, file.read_text("utf-8")


def place(dotted: str) -> str:
    """
    What a file of the package is called in the layers.
    """
    return dotted.split(".")[1] if "." in dotted else PACKAGE


def known() -> dict[str, set[str]]:
    """
    For each module in the layers, those that it imports, for types too.
    """
    modules: dict[str, set[str]] = {place(dotted): set() for dotted, _, _ in files()}
    for dotted, package, text in files():
        ours = {place(name) for name, _ in imports(text, package) if name.split(".")[0] == PACKAGE}
        # What is no module is a name that the package itself exports.
        modules[place(dotted)] |= {name if name in modules else PACKAGE for name in ours}
    return modules


def fresh(code: str) -> str:
    """
    Run this in an interpreter that has imported nothing.

    @return: what it printed.
    """
    path = os.pathsep.join([str(Path(sockservices.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    result = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    return result.stdout + result.stderr


class LayersTests(SynchronousTestCase):
    """
    Tests for who imports whom.
    """

    def test_everyModuleHasALayer(self) -> None:
        """
        A module has its place in the layers, and only one.
        """
        missing = sorted(set(known()) - set(LEVEL))
        self.assertEqual(missing, [], f"add {', '.join(missing)} to LAYERS in {Path(__file__).name}")
        self.assertEqual(len(LEVEL), sum(map(len, LAYERS)))

    def test_downward(self) -> None:
        """
        No module imports one of a layer above its own.
        """
        upward = [
            f"{module} imports {other}"
            for module, others in known().items()
            for other in sorted(others)
            if LEVEL.get(other, 0) > LEVEL.get(module, 0)
        ]
        self.assertEqual(upward, [])

    def test_strangers(self) -> None:
        """
        The protocols do not find services by name, and streams and datagrams do not know each other.
        """
        edges = known()
        for module, strangers in STRANGERS.items():
            reached = {module}
            while further := {other for one in reached for other in edges.get(one, ())} - reached:
                reached |= further
            self.assertEqual(reached & strangers, set(), module)

    def test_transportsKnowNoResponder(self) -> None:
        """
        The transports serve any of Twisted's protocols: of this package they know addresses and bindings.
        """
        self.assertEqual(known()["transports"] - TRANSPORTS_KNOW, set())

    def test_pureLayers(self) -> None:
        """
        The lowest layers need nothing but Python itself: no Twisted, when they run.
        """
        foreign = [
            f"{dotted} imports {name}"
            for dotted, package, text in files()
            if LEVEL.get(place(dotted), PURE) < PURE
            for name, runs in imports(text, package)
            if runs and name.split(".")[0] not in {*sys.stdlib_module_names, PACKAGE}
        ]
        self.assertEqual(foreign, [])

    def test_noReactor(self) -> None:
        """
        Importing the package installs no reactor: who embeds it, or runs the command, chooses that.
        """
        code = "import sockservices, sys; print('twisted.internet.reactor' in sys.modules)"
        self.assertEqual(fresh(code), "False\n")

    def test_exportsComeWhenAskedFor(self) -> None:
        """
        Importing the package, or its plugin for pytest, takes no time: nothing of Twisted is imported before a name is
        asked for.
        """
        for module in ("sockservices", "sockservices.conversation.policy", "sockservices.pytest_plugin"):
            code = (
                f"import {module}, sys; print('twisted' in sys.modules, 'sockservices.admission.census' in sys.modules)"
            )
            self.assertEqual(fresh(code), "False False\n", module)

    def test_exportsAreThere(self) -> None:
        """
        Every name that the package exports can be had, by C{from sockservices import *} too, and is listed by C{dir()};
        another name is missed as in any module.
        """
        code = (
            "import sockservices\n"
            "print(set(sockservices.__all__) <= set(dir(sockservices)), hasattr(sockservices, 'Nonsense'))\n"
            "from sockservices import *\n"
            "print(all(globals()[name] is getattr(sockservices, name) for name in sockservices.__all__))"
        )
        self.assertEqual(fresh(code), "True False\nTrue\n")

    def test_noReactorFromAnyModule(self) -> None:
        """
        No module of the package installs a reactor when it is imported, those of the command included.
        """
        names = [dotted for dotted, _, _ in files()]
        code = (
            f"import importlib, sys\nfor name in {names}:\n    importlib.import_module(name)\n"
            "    if 'twisted.internet.reactor' in sys.modules:\n        sys.exit(name + ' installs a reactor')"
        )
        self.assertEqual(fresh(code), "")

    def test_twistedIsNotHidden(self) -> None:
        """
        The folders beside the package that hold its plugins are no packages: they would hide Twisted, or overwrite it.
        """
        root = Path(__file__).parents[1]
        for folder in (root / "twisted", root / "twisted" / "plugins"):
            self.assertFalse((folder / "__init__.py").exists(), folder)


class ImportsTests(SynchronousTestCase):
    """
    Tests for how the imports are read.
    """

    def test_everyForm(self) -> None:
        """
        However a module is imported, and wherever in the file, it is found.
        """
        for text, dotted in {
            "import a.b": "a.b",
            "import a as b": "a",
            "from a.b import c as d": "a.b.c",
            "from . import c": "sockservices.responders.c",
            "from .b import c": "sockservices.responders.b.c",
            "from ..b import c": "sockservices.b.c",
            "def f():\n    from a import b": "a.b",
            "class C:\n    def f(self):\n        try:\n            import a\n        finally:\n            pass": "a",
        }.items():
            self.assertEqual(list(imports(text, "sockservices.responders")), [(dotted, True)], text)

    def test_forTypesOnly(self) -> None:
        """
        What is imported for type checkers alone is told from what runs.
        """
        text = "if typing.TYPE_CHECKING:\n    import a\nelse:\n    import b\nif not TYPE_CHECKING:\n    import c"
        self.assertEqual(sorted(imports(text)), [("a", False), ("b", True), ("c", True)])
