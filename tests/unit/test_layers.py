"""
Imports follow the order of the rooms that pyproject.toml declares, the lower rooms are plain Python, and importing the
package costs nothing.
"""

from __future__ import annotations

import pkgutil
import sys
from pathlib import Path

import grimp
from twisted.trial.unittest import SynchronousTestCase

import sockservices
from tests.support.interpreter import runFresh

ROOT = Path(__file__).parents[2]

#: The rooms that import nothing but Python's own library at run time.
PURE = tuple(f"sockservices.{room}" for room in ("text", "conversation", "admission", "responders", "registry"))

#: The modules that need an extra, or pytest.
EXTRAS = ("sockservices.cli", "sockservices.pytest_plugin")


def foreignImports(graph: grimp.ImportGraph, allowed: set[str]) -> list[str]:
    """
    List the imports of third-party packages other than those allowed, each as C{"MODULE imports PACKAGE"}.
    """
    return [
        f"{module} imports {imported}"
        for module in sorted(graph.modules)
        for imported in sorted(graph.find_modules_directly_imported_by(module))
        if module.startswith("sockservices")
        if imported.partition(".")[0] not in {*sys.stdlib_module_names, "sockservices", *allowed}
    ]


class ImportOrderTests(SynchronousTestCase):
    """
    Tests for which module imports which.
    """

    def test_contracts(self) -> None:
        """
        Every room has its row, no module imports one of a higher row, transports know no responder, and protocols do
        not look up responders. Imports inside functions and imports for type checkers count.
        """
        config = str(ROOT / "pyproject.toml")
        report = runFresh(
            f"from importlinter.cli import lint_imports; lint_imports({config!r}, no_cache=True, no_logo=True)"
        )
        self.assertRegex(report, r"\nContracts: [1-9]\d* kept, 0 broken\.", report)

    def test_pureRooms(self) -> None:
        """
        The modules of the lower rooms import no third-party package, Twisted included, other than for type checkers.
        """
        graph = grimp.build_graph(
            "sockservices", include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
        )
        self.assertEqual([line for line in foreignImports(graph, set()) if line.startswith(PURE)], [])

    def test_extras(self) -> None:
        """
        Only the modules for the command line and for pytest import more than the required packages.
        """
        graph = grimp.build_graph("sockservices", include_external_packages=True, cache_dir=None)
        foreign = foreignImports(graph, {"twisted", "zope"})
        self.assertEqual([line for line in foreign if not line.startswith(EXTRAS)], [])


class ImportTests(SynchronousTestCase):
    """
    Tests for the effects of importing the package.
    """

    def test_noReactor(self) -> None:
        """
        No module of the package installs a reactor when it is imported: the embedding program, or twistd, chooses it.
        """
        names = [module.name for module in pkgutil.walk_packages(sockservices.__path__, "sockservices.")]
        self.assertGreater(len(names), 50)
        code = (
            f"import importlib, sys\nfor name in {['sockservices', *names]}:\n    importlib.import_module(name)\n"
            "    if 'twisted.internet.reactor' in sys.modules:\n        sys.exit(name + ' installs a reactor')"
        )
        self.assertEqual(runFresh(code), "")

    def test_exportsAreLazy(self) -> None:
        """
        Importing the package, or its pytest plugin, imports nothing of Twisted before an exported name is used.
        """
        for module in ("sockservices", "sockservices.conversation.policy", "sockservices.pytest_plugin"):
            code = (
                f"import {module}, sys; print('twisted' in sys.modules, 'sockservices.admission.census' in sys.modules)"
            )
            self.assertEqual(runFresh(code), "False False\n", module)

    def test_exportsExist(self) -> None:
        """
        C{dir()} lists every exported name, C{from sockservices import *} imports them, and an unknown name raises
        AttributeError.
        """
        code = (
            "import sockservices\n"
            "print(set(sockservices.__all__) <= set(dir(sockservices)), hasattr(sockservices, 'Nonsense'))\n"
            "from sockservices import *\n"
            "print(all(globals()[name] is getattr(sockservices, name) for name in sockservices.__all__))"
        )
        self.assertEqual(runFresh(code), "True False\nTrue\n")

    def test_twistedIsNotShadowed(self) -> None:
        """
        The plugin folders of the checkout are no packages: an C{__init__.py} there would shadow Twisted or overwrite
        its own file.
        """
        for folder in (ROOT / "twisted", ROOT / "twisted" / "plugins"):
            self.assertFalse((folder / "__init__.py").exists(), folder)
