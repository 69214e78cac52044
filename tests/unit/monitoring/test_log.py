"""
The formats of the log.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import LogEvent, Logger, LogLevel, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from sockservices.conversation.outcome import Outcome
from sockservices.conversation.visit import Visit
from sockservices.monitoring.log import jsonLine, logObserver
from sockservices.monitoring.recorders import VisitLog


class JsonLineTests(SynchronousTestCase):
    """
    L{jsonLine}.
    """

    def setUp(self) -> None:
        """
        A log that is read back.
        """
        self.lines: list[dict[str, Any]] = []
        self.log = Logger("test", observer=self.keep)  # type: ignore[arg-type]

    def keep(self, event: LogEvent) -> None:
        """
        Read a line back.
        """
        self.lines.append(json.loads(jsonLine(event)))

    def test_aSentence(self) -> None:
        """
        An event has its time, level, and sentence.
        """
        self.log.warn("{count} of {what}", count=3, what="them")
        (line,) = self.lines
        self.assertRegex(line.pop("time"), r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
        self.assertEqual({"level": "warn", "event": "3 of them"}, line)

    def test_aConversation(self) -> None:
        """
        A visit has its facts as well.
        """
        observer: Any = self.keep
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        VisitLog()(Visit("echo", "tcp", None, 1, 0.5, 3, 2, Outcome.RESET))
        (line,) = self.lines
        del line["time"]
        self.assertEqual(
            {
                "level": "info",
                "event": "echo tcp - reset: 0.500 s, 3 bytes received, 2 sent",
                "service": "echo",
                "transport": "tcp",
                "peer": "-",
                "seconds": 0.5,
                "received": 3,
                "sent": 2,
                "outcome": "reset",
            },
            line,
        )

    def test_aFailure(self) -> None:
        """
        A failure has its traceback, in the same line.
        """
        self.log.failure("it went wrong", Failure(ValueError("for a reason")), LogLevel.critical)
        (line,) = self.lines
        self.assertEqual(("critical", "it went wrong"), (line["level"], line["event"]))
        self.assertIn("ValueError: for a reason", line["traceback"])

    def test_anEventOfTheOldKind(self) -> None:
        """
        What twisted.python.log makes, text and nothing else, is a line too.
        """
        line = json.loads(jsonLine({"log_format": "{log_text}", "log_text": "words", "message": ("words",)}))
        self.assertEqual(("info", "words"), (line["level"], line["event"]))

    @settings(deadline=None)
    @given(st.text(), st.one_of(st.none(), st.binary(), st.text(), st.floats()))
    def test_anythingIsOneLine(self, text: str, value: object) -> None:
        """
        Whatever is in an event, it is one line, and an object.
        """
        line = jsonLine({"log_format": "{text}{value}", "text": text, "value": value, "peer": value, "log_time": 0.0})
        self.assertEqual(1, line.count("\n"))
        self.assertTrue(line.isascii())
        self.assertEqual("1970-01-01T00:00:00.000Z", json.loads(line)["time"])


class LogObserverTests(SynchronousTestCase):
    """
    L{logObserver}.
    """

    def setUp(self) -> None:
        """
        A folder, and the signal as it was.
        """
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.getsignal(signal.SIGUSR1))

    def test_aFile(self) -> None:
        """
        In both formats, C{--logfile} is where the lines go.
        """
        for format, expected in (("text", "[test#info] hello"), ("json", '"event": "hello"')):
            path = self.folder / format
            observer: Any = logObserver(format, {"logfile": str(path), "nodaemon": True})
            Logger("test", observer=observer).info("hello")
            self.assertIn(expected, path.read_text())
            observer._outFile.close()

    def test_theTerminal(self) -> None:
        """
        In the foreground, without C{--logfile} or with C{-}, it is the standard output.
        """
        for logfile in (None, "-"):
            observer: Any = logObserver("json", {"logfile": logfile, "nodaemon": True})
            self.assertIs(sys.stdout, observer._outFile)

    def test_aDaemonHasNoTerminal(self) -> None:
        """
        A daemon that is told to log there is refused.
        """
        self.assertRaises(ValueError, logObserver, "json", {"logfile": "-", "nodaemon": False})

    def test_aFileThatCannotBe(self) -> None:
        """
        A folder that is not there, or a folder in the file's place, is an C{OSError}.
        """
        for path in (self.folder / "none" / "log", self.folder):
            self.assertRaises(OSError, logObserver, "text", {"logfile": str(path), "nodaemon": True})
