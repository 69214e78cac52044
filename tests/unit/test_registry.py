"""
Services are found by name: the package's own, and those of other packages.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

import sockservices.responders
from sockservices import Conversation
from sockservices.registry import GROUP, find, names
from sockservices.responders import Echo, Welcome

#: A file with one service.
SHOUT = """
from sockservices import Responder
from sockservices.responders import Upper

class Shout(Upper):
    name = "shout"
    port = 8081

    def answer(self, message):
        return super().answer(message) + b"!"
"""


class RegistryTests(SynchronousTestCase):
    """
    Tests for L{find} and L{names}.
    """

    def folder(self, **files: str) -> Path:
        """
        A folder with these Python files, which are forgotten when the test is over.
        """
        folder = Path(self.enterContext(TemporaryDirectory()))
        for name, text in files.items():
            (folder / f"{name}.py").write_text(text)
        before = set(sys.modules)

        def forget() -> None:
            for name in set(sys.modules) - before:
                if name.rpartition(".")[2] in files:
                    del sys.modules[name]

        self.addCleanup(forget)
        importlib.invalidate_caches()
        return folder

    def install(self, *points: str, **files: str) -> None:
        """
        Install another package, that has these entry points and files.
        """
        folder = self.folder(**files)
        information = folder / "otherpackage-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: otherpackage\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *points, ""]))
        sys.path.append(str(folder))
        self.addCleanup(sys.path.remove, str(folder))

    def test_find(self) -> None:
        """
        A service is found by its name, as the class that can be imported too.
        """
        self.assertIs(find("echo"), Echo)
        self.assertIs(find("welcome"), Welcome)

    def test_names(self) -> None:
        """
        The names are sorted, each leads to a class of that name, and all that the package exports are there.
        """
        self.assertEqual(names(), sorted(set(names())))
        self.assertEqual([find(name).name for name in names()], names())
        exported = {getattr(sockservices.responders, word).name for word in sockservices.responders.__all__}
        self.assertLessEqual(exported, set(names()))

    def test_unknownName(self) -> None:
        """
        An unknown name is refused in one line that says which there are.
        """
        for name in ("ecko", "", "Echo", "echo\n"):
            with self.assertRaises(LookupError) as raised:
                find(name)
            self.assertEqual(str(raised.exception), f"no service {name!r}; there are {', '.join(names())}")
            self.assertNotIn("\n", str(raised.exception))

    def test_oneServiceAFile(self) -> None:
        """
        Each file in the folder holds one service.
        """
        folder = Path(sockservices.responders.__file__).parent
        files = {f"sockservices.responders.{file.stem}" for file in folder.glob("*.py")} - {
            "sockservices.responders.__init__"
        }
        own = [find(name).__module__ for name in names() if find(name).__module__.startswith("sockservices.")]
        self.assertEqual(sorted(own), sorted(files))

    def test_newFile(self) -> None:
        """
        A new file in the folder is a new service, with no other line to be written; what it imports is not found twice.
        """
        sockservices.responders.__path__.append(str(self.folder(shout=SHOUT)))
        self.addCleanup(sockservices.responders.__path__.pop)
        self.assertIn("shout", names())
        self.assertEqual(find("shout")(Conversation()).answer(b"hi"), b"HI!")

    def test_otherPackage(self) -> None:
        """
        A service of another package is found like the package's own.
        """
        self.assertNotIn("shout", names())
        self.install("shout = loudly:Shout", loudly=SHOUT)
        self.assertIn("shout", names())
        self.assertEqual(names(), sorted(names()))
        self.assertEqual(find("shout").__module__, "loudly")
        self.assertIs(find("echo"), Echo)

    def test_nameIsTheClasss(self) -> None:
        """
        The name is the one that the class bears, whatever the entry point is called.
        """
        self.install("whisper = loudly:Shout", loudly=SHOUT)
        self.assertEqual(find("shout").__name__, "Shout")
        self.assertRaises(LookupError, find, "whisper")

    def test_sameClassTwice(self) -> None:
        """
        A class that two ways lead to is one service.
        """
        self.install("echo = sockservices.responders:Echo", "mine = sockservices.responders.echo:Echo")
        self.assertEqual(names().count("echo"), 1)

    def refused(self, fault: type[Exception], text: str) -> None:
        """
        Nothing is found, not even what is sound, and the fault says why.
        """
        self.assertRegex(str(self.assertRaises(fault, names)), text)
        self.assertRaises(fault, find, "echo")

    def test_nameTaken(self) -> None:
        """
        Another package cannot replace a service by one of the same name.
        """
        self.install("echo = loudly:Shout", loudly=SHOUT.replace('"shout"', '"echo"'))
        self.refused(ValueError, r"\Aloudly:Shout: there is a service 'echo' already\Z")

    def test_nameTakenByAnother(self) -> None:
        """
        Nor can two other packages share a name.
        """
        self.install("a = loudly:Shout", "b = louder:Shout", loudly=SHOUT, louder=SHOUT)
        self.refused(ValueError, r"\Aloude?[rl].*:Shout: there is a service 'shout' already\Z")

    def test_noResponder(self) -> None:
        """
        What is no responder class, or one without a name, is refused by the name of where it came from.
        """
        self.install("shout = loudly:Shout.answer", loudly=SHOUT)
        self.refused(ValueError, r"\Aloudly:Shout.answer: not a Responder class")

    def test_otherClass(self) -> None:
        """
        A class of another kind is refused.
        """
        self.install("shout = pathlib:Path")
        self.refused(ValueError, r"\Apathlib:Path: not a Responder class")

    def test_nameless(self) -> None:
        """
        A responder without a name is refused.
        """
        self.install("shout = sockservices:Responder")
        self.refused(ValueError, r"\Asockservices:Responder: not a Responder class with a name and a port\Z")

    def test_failsToImport(self) -> None:
        """
        A package that cannot be imported is not passed over in silence: what is raised names it, and why.
        """
        self.install("shout = loudly:Shout", loudly="import nosuchmodule")
        self.refused(ValueError, r"\Aloudly:Shout: ModuleNotFoundError\(.*nosuchmodule")

    def test_notThere(self) -> None:
        """
        An entry point that leads nowhere is not passed over either.
        """
        self.install("shout = loudly:Whisper", loudly=SHOUT)
        self.refused(ValueError, r"\Aloudly:Whisper: AttributeError\(.*Whisper")
