"""
The journal as a file.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sockservices.monitoring.journal_file import JournalFile, ListenerJournal
from tests.support.peer import LogCase


class JournalFileTests(LogCase):
    """
    What the file holds.
    """

    def setUp(self) -> None:
        """
        Make a folder.
        """
        super().setUp()
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "journal"

    def write(self, *data: bytes, **options: Any) -> list[Any]:
        """
        Write entries.

        @return: the objects in the file.
        """
        file = JournalFile(str(self.path), **options)
        file.open()
        journal = ListenerJournal(file, "echo")
        for each in data:
            journal.add("in", journal.begin(), "192.0.2.7:40000", each)
        file.close()
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def test_lines(self) -> None:
        """
        A line has the time, direction, conversation, service, peer and data. Only the owner may read the file.
        """
        self.path.write_text("an earlier journal")
        self.path.chmod(0o600)
        first, second = self.write(b"hello", b"\xff")
        self.assertGreater(first.pop("time"), 1_700_000_000)
        data = {"text": "hello", "base64": "aGVsbG8="}
        fields = {"direction": "in", "conversation": 1, "service": "echo", "peer": "192.0.2.7:40000"}
        self.assertEqual(first, {**fields, "data": data})
        self.assertEqual((second["conversation"], second["data"]), (2, {"text": "\\xff", "base64": "/w=="}))
        self.path.unlink()
        self.write()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_limit(self) -> None:
        """
        A full file gets no more entries. One line of the log says so, and the last line of the file has the counts.
        """
        *entries, last = self.write(*[b"x" * 100] * 10, maxSize=1000)
        self.assertEqual((len(entries), last), (2, {"leftOut": 8, "leftOutBytes": 800}))
        self.assertEqual(
            self.lines(), [f"--journal {self.path}: full; further segments and datagrams are counted only"]
        )

    def test_errors(self) -> None:
        """
        A path where no file can be made is an error. An error of a write is logged, and ends no conversation.
        """
        os.mkfifo(self.path)
        for path in (self.path, self.path.parent, self.path.parent / "missing" / "journal"):
            self.assertRaises(OSError, JournalFile(str(path)).open)
        file = JournalFile("/dev/full")
        with self.assertRaisesRegex(OSError, "expected a regular file"):
            file.open()
        file._descriptor = os.open("/dev/full", os.O_WRONLY)
        ListenerJournal(file, "echo").add("in", 1, "-", b"x")
        file.close()
        self.assertIn("--journal /dev/full: No space left on device", self.lines())
