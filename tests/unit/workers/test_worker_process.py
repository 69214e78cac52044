"""
L{WorkerProcess}: the pipes of one worker.
"""

from __future__ import annotations

import json
import signal
from typing import Any

from twisted.internet.error import ProcessTerminated
from twisted.internet.task import Clock
from twisted.logger import formatEventAsClassicLogText
from twisted.python.failure import Failure

from sockservices.monitoring.log import jsonLine
from sockservices.workers.worker_log import MAX_LINE
from sockservices.workers.worker_process import WorkerProcess
from tests.support.peer import LogCase

LINE = {"time": "2026-11-21T10:00:00.000Z", "level": "error", "event": "text"}


class Transport:
    """
    The transport of a process that does not exist.
    """

    def __init__(self, worker: WorkerProcess) -> None:
        self.open = {0, 1, 2, 3}
        self._worker = worker

    def closeChildFD(self, descriptor: int) -> None:
        """
        Close a pipe. The end of the last one is the end of the process.
        """
        self.open.discard(descriptor)
        if not self.open:
            self._worker.processEnded(Failure(ProcessTerminated(signal=signal.SIGKILL)))


class WorkerProcessTests(LogCase):
    """
    Tests of one worker that serves.
    """

    def setUp(self) -> None:
        """
        Start the worker.
        """
        super().setUp()
        self.clock = Clock()
        self.ended: list[WorkerProcess] = []
        self.worker = WorkerProcess(self.clock, self, 1, 0)
        self.worker.makeConnection(Transport(self.worker))
        self.worker.childDataReceived(3, b'{"ready": true}\n')

    def workerReady(self, worker: WorkerProcess) -> None:
        """
        Do nothing.
        """

    def workerEnded(self, worker: WorkerProcess) -> None:
        """
        Record the end.
        """
        self.ended.append(worker)

    def test_aProcessThatHoldsThePipes(self) -> None:
        """
        When the process has ended, its pipes are read for half a second at most: a process that it has forked may hold
        them open.
        """
        self.worker.processExited(Failure(ProcessTerminated(signal=signal.SIGKILL)))
        self.clock.advance(0.4)
        self.assertEqual(self.ended, [])
        self.clock.advance(0.1)
        self.assertEqual(self.ended, [self.worker])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_longLines(self) -> None:
        """
        Of a line that is too long, the log has the beginning. The next line is complete.
        """
        message = json.dumps(LINE | {"event": "x" * 3 * MAX_LINE}).encode()
        for descriptor in (3, 2):
            for start in range(0, len(message), 65536):
                self.worker.childDataReceived(descriptor, message[start : start + 65536])
            self.worker.childDataReceived(descriptor, b"\n")
        self.worker.childDataReceived(3, json.dumps(LINE).encode() + b"\n")
        self.worker.childDataReceived(2, b"printed\n")
        beginning = message.decode()
        self.assertEqual(self.lines(), [beginning[:1000], beginning[:MAX_LINE], "text", "printed"])

    def test_invalidMessages(self) -> None:
        """
        The log has a message that is no JSON as it is.
        """
        self.worker.childDataReceived(3, b'{"totals": {"a{"time": \xff\n')
        self.worker.childDataReceived(3, b'{"totals": {"faults": {}}}\n')
        self.assertEqual(self.lines(), ['{"totals": {"a{"time": \\xff'])
        self.assertEqual(self.worker.totals, {"faults": {}})

    def test_standardOutputAndError(self) -> None:
        """
        The lines of the standard output and of the standard error do not mix.
        """
        self.worker.childDataReceived(1, b"first ")
        self.worker.childDataReceived(2, b"error\n")
        self.worker.childDataReceived(1, b"line\n")
        self.assertEqual(self.lines(), ["error", "first line"])

    def test_tracebacks(self) -> None:
        """
        A traceback is beside the text, as in the log of a server without workers.
        """
        self.worker.childDataReceived(3, json.dumps(LINE | {"traceback": "Traceback\n  a"}).encode() + b"\n")
        event: Any = self._events.pop()
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        line = json.loads(jsonLine(event))
        self.assertEqual((line["event"], line["traceback"]), ("text", "Traceback\n  a"))
        self.assertRegex(formatEventAsClassicLogText(event) or "", r"text\n\tTraceback\n\t  a\n$")
