"""
Responders are found by service name, in this package and in others.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

import sockservices.responders
from sockservices import Conversation
from sockservices.registry import GROUP, find, names
from sockservices.responders import Echo, Welcome

#: A module with one service.
SHOUT = """
from sockservices import Responder
from sockservices.responders import Upper

class Shout(Upper):
    name = "shout"
    port = 8081

    def answer(self, message):
        return super().answer(message) + b"!"
"""


#: Where another package has its entry point.
ORIGIN = r"\Aotherpackage 1\.0, entry point '\w+ = [\w:.]+' of sockservices\.responders: "

#: Entry points that are rejected, the modules of their package, and a pattern of the reason.
REJECTED: tuple[tuple[list[str], dict[str, str], str], ...] = (
    (
        ["echo = loudly:Shout"],
        {"loudly": SHOUT.replace('"shout"', '"echo"')},
        r"another service has the name 'echo'\Z",
    ),
    (
        ["a = loudly:Shout", "b = louder:Shout"],
        {"loudly": SHOUT, "louder": SHOUT},
        r"another service has the name 'shout'\Z",
    ),
    (["a = loudly:Shout.answer"], {"loudly": SHOUT}, r"not a Responder class"),
    (["a = pathlib:Path"], {}, r"not a Responder class"),
    (["a = sockservices:Responder"], {}, r"not a Responder class with a name and a port\Z"),
    (["a = loudly:Shout"], {"loudly": "import gone"}, r"ModuleNotFoundError\(.*gone"),
    (["a = loudly:Shout"], {"loudly": "raise SystemExit(3)"}, r"SystemExit\(3\)"),
    (["a = loudly:Whisper"], {"loudly": SHOUT}, r"AttributeError\(.*Whisper"),
)


class RegistryTests(SynchronousTestCase):
    """
    Tests for L{find} and L{names}.
    """

    @contextmanager
    def folder(self, **modules: str) -> Iterator[Path]:
        """
        Make a folder with these modules; afterwards, they are not imported any more.
        """
        before = set(sys.modules)
        with TemporaryDirectory() as name:
            for module, text in modules.items():
                Path(name, f"{module}.py").write_text(text)
            importlib.invalidate_caches()
            yield Path(name)
        for imported in set(sys.modules) - before:
            if imported.rpartition(".")[2] in modules:
                del sys.modules[imported]

    @contextmanager
    def installed(self, *points: str, **modules: str) -> Iterator[None]:
        """
        Install another package with these entry points and modules.
        """
        with self.folder(**modules) as folder:
            information = folder / "otherpackage-1.0.dist-info"
            information.mkdir()
            (information / "METADATA").write_text("Metadata-Version: 2.1\nName: otherpackage\nVersion: 1.0\n")
            (information / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *points, ""]))
            sys.path.append(str(folder))
            try:
                yield
            finally:
                sys.path.remove(str(folder))

    def test_ownServices(self) -> None:
        """
        The names are sorted and unique, each leads to the exported class of that name, and each module holds one.
        """
        self.assertIs(find("echo"), Echo)
        self.assertIs(find("welcome"), Welcome)
        self.assertEqual(names(), sorted(set(names())))
        self.assertEqual([find(name).name for name in names()], names())
        exported = {getattr(sockservices.responders, name).name for name in sockservices.responders.__all__}
        self.assertLessEqual(exported, set(names()))
        folder = Path(sockservices.responders.__file__).parent
        modules = {f"sockservices.responders.{file.stem}" for file in folder.glob("[!_]*.py")}
        own = [find(name).__module__ for name in names() if find(name).__module__.startswith("sockservices.")]
        self.assertEqual(sorted(own), sorted(modules))

    def test_unknownName(self) -> None:
        """
        An unknown name raises L{LookupError}, whose text is one line and lists the names.
        """
        for name in ("ecko", "", "Echo", "echo\n"):
            error = self.assertRaises(LookupError, find, name)
            self.assertEqual(str(error), f"no service {name!r}: expected one of {', '.join(names())}")
            self.assertNotIn("\n", str(error))

    def test_newModule(self) -> None:
        """
        A new module in the folder is a new service; the base class that it imports is not found twice.
        """
        sockservices.responders.__path__.append(str(self.enterContext(self.folder(shout=SHOUT))))
        self.addCleanup(sockservices.responders.__path__.pop)
        self.assertIn("shout", names())
        self.assertEqual(find("shout")(Conversation()).answer(b"hi"), b"HI!")

    def test_otherPackage(self) -> None:
        """
        An entry point of another package adds a service, by the name of its class and not of the entry point.
        """
        self.assertNotIn("shout", names())
        self.enterContext(self.installed("whisper = loudly:Shout", loudly=SHOUT))
        self.assertIn("shout", names())
        self.assertEqual(names(), sorted(names()))
        self.assertEqual((find("shout").__name__, find("shout").__module__), ("Shout", "loudly"))
        self.assertIs(find("echo"), Echo)
        self.assertRaises(LookupError, find, "whisper")

    def test_sameClassTwice(self) -> None:
        """
        Two entry points may refer to the same class.
        """
        self.enterContext(
            self.installed("echo = sockservices.responders:Echo", "mine = sockservices.responders.echo:Echo")
        )
        self.assertEqual(names().count("echo"), 1)

    def test_rejected(self) -> None:
        """
        An entry point that cannot be used leaves the other services. A warning names its distribution, itself and its
        group, and the reason.
        """
        own = names()
        for points, modules, pattern in REJECTED:
            with self.installed(*points, **modules):
                with warnings.catch_warnings(record=True) as warned:
                    warnings.simplefilter("always")
                    self.assertLessEqual(set(own), set(names()))
                    self.assertIs(find("echo"), Echo)
                (warning,) = warned
                self.assertRegex(str(warning.message), ORIGIN + pattern)
                self.assertIs(warning.category, RuntimeWarning)
                self.assertNotIn("\n", str(warning.message))

    def test_findRejected(self) -> None:
        """
        The error of a name that such an entry point has gives the reason.
        """
        self.enterContext(self.installed("shout = loudly:Shout", loudly="import gone"))
        error = self.assertRaises(LookupError, find, "shout")
        self.assertRegex(str(error), ORIGIN + "ModuleNotFoundError")
