"""
The formats of the log.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from io import StringIO
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import Logger, LogLevel, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from sockservices.conversation.outcome import Outcome
from sockservices.conversation.visit import Visit
from sockservices.monitoring.log import jsonLine, logObserver
from sockservices.monitoring.log_file import ReopenedLogFile
from sockservices.monitoring.recorders import VisitLog
from tests.support.loop import LoopCase


class JsonLineTests(SynchronousTestCase):
    """
    L{jsonLine}.
    """

    def setUp(self) -> None:
        """
        Observe all events, and parse their lines.
        """
        self.lines: list[dict[str, Any]] = []
        observer: Any = lambda event: self.lines.append(json.loads(jsonLine(event)))  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def test_fields(self) -> None:
        """
        A line has the time, level and text of an event, and the fields of a visit.
        """
        Logger("test").warn("{count} of {what}", count=3, what="them")
        VisitLog()(Visit("echo", "tcp", None, 1, 0.5, 3, 2, Outcome.RESET))
        for line in self.lines:
            self.assertRegex(line.pop("time"), r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
        visit = {"service": "echo", "transport": "tcp", "peer": "-", "seconds": 0.5, "received": 3, "sent": 2}
        visit |= {"outcome": "reset", "level": "info", "event": "echo tcp - reset: 0.500 s, 3 bytes received, 2 sent"}
        self.assertEqual(self.lines, [{"level": "warn", "event": "3 of them"}, visit])

    def test_failure(self) -> None:
        """
        The line of a failure has its traceback.
        """
        Logger("test").failure("it went wrong", Failure(ValueError("for a reason")), LogLevel.critical)
        (line,) = self.lines
        self.assertEqual((line["level"], line["event"]), ("critical", "it went wrong"))
        self.assertIn("ValueError: for a reason", line["traceback"])
        self.flushLoggedErrors(ValueError)

    def test_legacyEvent(self) -> None:
        """
        An event of twisted.python.log is a line, too.
        """
        line = json.loads(jsonLine({"log_format": "{log_text}", "log_text": "hello", "message": ("hello",)}))
        self.assertEqual((line["level"], line["event"]), ("info", "hello"))

    @settings(deadline=None)
    @given(st.text(), st.one_of(st.none(), st.binary(), st.text(), st.floats()))
    def test_anyEvent(self, text: str, value: object) -> None:
        """
        Any event is one line with one object.
        """
        line = jsonLine({"log_format": "{text}{value}", "text": text, "value": value, "peer": value, "log_time": 0.0})
        self.assertEqual(line.count("\n"), 1)
        self.assertTrue(line.isascii())
        self.assertEqual(json.loads(line)["time"], "1970-01-01T00:00:00.000Z")


class LogObserverTests(LoopCase):
    """
    L{logObserver}.
    """

    def setUp(self) -> None:
        """
        Restore the action of SIGUSR1 after the test.
        """
        super().setUp()
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.getsignal(signal.SIGUSR1))

    def info(self, format: str, text: str, logfile: object = None) -> None:
        """
        Log a line.
        """
        observer: Any = logObserver(format, {"logfile": logfile, "nodaemon": True}, self.reactor)
        if isinstance(observer._outFile, ReopenedLogFile):
            self.addCleanup(observer._outFile.close)
        Logger("test", observer=observer).info(text)

    def test_destinations(self) -> None:
        """
        In both formats lines go to the C{--logfile}: a file, a FIFO that need not have a reader yet, a device. In the
        foreground, without one or with C{-}, they go to the standard output.
        """
        fifo = str(self.folder / "fifo")
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDWR)
        self.addCleanup(os.close, reader)
        for format, expected in (("text", "[test#info] hello"), ("json", '"event": "hello"')):
            path = self.folder / format
            self.info(format, "hello", str(path))
            self.info(format, "hello", fifo)
            self.info(format, "hello", os.devnull)
            for logfile in (None, "-"):
                self.patch(sys, "stdout", output := StringIO())
                self.info(format, "hello", logfile)
                self.assertIn(expected, output.getvalue())
            self.assertIn(expected, path.read_text())
            self.assertIn(expected, os.read(reader, 1000).decode())

    def test_droppedLines(self) -> None:
        """
        The count of dropped lines is a line in the format of the others.
        """
        for format, expected in (
            ("text", r"\[sockservices#warn\] \d+ log lines dropped: "),
            ("json", r'"level": "warn", "event": "\d+ log lines dropped: '),
        ):
            reader, pipe = os.pipe()
            with open(reader) as output, open(pipe, "w") as stdout:  # noqa: PTH123 (they are descriptors)
                self.patch(sys, "stdout", stdout)
                reactor = MemoryReactorClock()
                observer: Any = logObserver(format, {"logfile": "-", "nodaemon": True}, reactor)
                reactor.run()
                log = Logger("test", observer=observer)
                for _ in range(10):
                    log.info("x" * 50000)
                self.assertRegex(next(line for line in output if "dropped" in line), expected)

    def test_invalidDestinations(self) -> None:
        """
        A daemon has no standard output. A file in a folder that does not exist, and a folder, cannot be opened.
        """
        for error, logfile, foreground in (
            (ValueError, "-", False),
            (OSError, str(self.folder / "none" / "log"), True),
            (OSError, str(self.folder), True),
        ):
            options = {"logfile": logfile, "nodaemon": foreground}
            self.assertRaises(error, logObserver, "text", options, self.reactor)
        self.patch(sys, "stdout", None)
        self.assertRaises(ValueError, logObserver, "text", {"nodaemon": True}, self.reactor)

    def test_rotation(self) -> None:
        """
        SIGUSR1 opens a new file, in the reactor's thread, unless the signal has another action already.
        """
        for action in (signal.SIG_IGN, signal.default_int_handler):
            signal.signal(signal.SIGUSR1, action)
            self.info("text", "hello", str(self.folder / "other"))
            self.assertIs(signal.getsignal(signal.SIGUSR1), action)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        self.info("text", "hello", str(self.folder / "log"))
        (self.folder / "log").rename(self.folder / "log.moved")
        signal.raise_signal(signal.SIGUSR1)
        self.assertFalse((self.folder / "log").exists())
        self.turn()
        self.assertTrue((self.folder / "log").exists())
