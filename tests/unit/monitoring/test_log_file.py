"""
Rotation of the log file.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from sockservices.monitoring.log_file import ReopenedLogFile
from tests.support.peer import LogCase


class ReopenedLogFileTests(LogCase):
    """
    L{ReopenedLogFile}.
    """

    def setUp(self) -> None:
        """
        Make a file with one line.
        """
        super().setUp()
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "folder"
        self.folder.mkdir()
        self.file = ReopenedLogFile("log", str(self.folder), rotateLength=100)
        self.addCleanup(self.file.close)
        self.file.write("first\n")

    def contents(self) -> dict[str, str]:
        """
        The text of each file in the folder, by its name.
        """
        return {path.name: path.read_text() for path in self.folder.iterdir()}

    def test_numberedCopies(self) -> None:
        """
        If the file C{log} is the open one, C{log.1} is renamed to C{log.2}, then C{log} to C{log.1}.
        """
        for text in ("second\n", "third\n"):
            self.file.rotate()
            self.file.write(text)
        self.assertEqual(self.contents(), {"log": "third\n", "log.1": "second\n", "log.2": "first\n"})

    def test_reopenedByName(self) -> None:
        """
        A file that logrotate has renamed is left alone. The new one is made, or appended to if logrotate has made it.
        """
        for name, made in (("log.moved", False), ("log.1", True)):
            (self.folder / "log").rename(self.folder / name)
            if made:
                (self.folder / "log").write_text("made\n")
            self.file.rotate()
            self.file.write("next\n")
        self.assertEqual(self.contents(), {"log": "made\nnext\n", "log.moved": "first\n", "log.1": "next\n"})

    def test_failure(self) -> None:
        """
        When the new file cannot be opened, an error is logged, and the current file is written to until it can.
        """
        moved = self.folder.rename(self.folder.with_name("moved"))
        for _ in range(2):
            self.file.rotate()
        self.assertEqual(
            self.lines(),
            [
                f"cannot open a new log file {self.folder}/log: No such file or directory; "
                "logging continues in the current one"
            ]
            * 2,
        )
        self.file.write("second\n")
        self.assertEqual((moved / "log").read_text(), "first\nsecond\n")
        moved.rename(self.folder)
        self.file.rotate()
        self.assertEqual(self.contents(), {"log": "", "log.1": "first\nsecond\n"})

    def test_failureWhenFull(self) -> None:
        """
        A full file whose successor cannot be opened goes on, with one error for each 100 bytes and not for each line.
        """
        moved = self.folder.rename(self.folder.with_name("moved"))
        for _ in range(25):
            self.file.write("123456789\n")
        self.assertEqual(len(self.lines()), 2)
        self.assertEqual(len((moved / "log").read_text()), 256)
        moved.rename(self.folder)
