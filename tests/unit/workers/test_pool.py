"""
L{WorkerPool}: which workers are started, replaced and stopped, and when.
"""

from __future__ import annotations

import json
import signal
from typing import Any

from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from sockservices.workers.pool import WorkerPool
from sockservices.workers.worker_process import WorkerProcess
from tests.support.peer import LogCase


class Transport:
    """
    The transport of a process that does not exist.
    """

    pid = 42

    def __init__(self) -> None:
        self.commands: list[bytes] = []
        self.signals: list[int] = []

    def writeToChild(self, descriptor: int, data: bytes) -> None:
        """
        Record a command.
        """
        self.commands.append(data)

    def signalProcess(self, number: int) -> None:
        """
        Record a signal.
        """
        self.signals.append(number)

    def closeChildFD(self, descriptor: int) -> None:
        """
        Do nothing.
        """


class PoolTests(LogCase):
    """
    Tests of a pool of two workers, six slots, and a drain of 10 s. The test simulates the processes.
    """

    def setUp(self) -> None:
        """
        Start the pool.
        """
        super().setUp()
        self.clock = Clock()
        self.workers: list[WorkerProcess] = []
        self.ready: list[None] = []
        self.failed: list[str] = []
        self.ended: list[WorkerProcess] = []
        self.restarts: list[str] = []
        self.spawnError: OSError | None = None
        self.pool = WorkerPool(
            self.clock,
            2,
            6,
            10,
            self.spawn,
            lambda: self.ready.append(None),
            self.failed.append,
            self.ended.append,
        )
        self.pool.onRestarting = lambda: self.restarts.append("begin")
        self.pool.onRestarted = lambda: self.restarts.append("end")
        self.pool.start()

    def spawn(self, worker: WorkerProcess) -> None:
        """
        Start no process.
        """
        if self.spawnError is not None:
            raise self.spawnError
        self.workers.append(worker)
        worker.makeConnection(Transport())

    def serve(self, *workers: WorkerProcess) -> None:
        """
        Let workers report that they serve.
        """
        for worker in workers:
            worker.childDataReceived(3, b'{"ready": true}\n')

    def end(self, *workers: WorkerProcess, number: int | None = signal.SIGKILL) -> None:
        """
        Let processes end, by a signal or with status 0.
        """
        for worker in workers:
            reason = Failure(ProcessDone(0) if number is None else ProcessTerminated(signal=number))
            worker.processExited(reason)
            worker.processEnded(reason)

    def commands(self, *workers: WorkerProcess) -> list[bytes]:
        """
        The commands that workers got.
        """
        return [b"".join(worker.transport.commands) for worker in workers]

    def test_start(self) -> None:
        """
        The pool is ready when the last of its workers is.
        """
        first, second = self.workers
        self.serve(first)
        self.assertEqual(self.ready, [])
        self.serve(second)
        self.assertEqual(self.ready, [None])
        self.assertEqual([first.slot, second.slot, first.number, second.number], [0, 1, 1, 2])

    def test_aStartThatFails(self) -> None:
        """
        A worker that ends before all are ready fails the start. The cause is the last line that it has printed, its
        timeout, or how it ended.
        """
        for cause, play in {
            "no module": lambda worker: worker.childDataReceived(2, b"Traceback\nno module\n"),
            "it was not ready after 30 s": lambda worker: self.clock.advance(30),
            "signal 9 (Killed)": lambda worker: None,
        }.items():
            with self.subTest(cause):
                self.setUp()
                play(self.workers[0])
                self.end(self.workers[0])
                self.assertEqual(self.failed, [cause])
        self.assertEqual(len(self.workers), 2)

    def test_theStartOfManyWorkers(self) -> None:
        """
        More than 30 workers have one second each for their start, because they share the cores.
        """
        pool = WorkerPool(self.clock, 40, 160, 10, self.spawn, list, self.failed.append, self.ended.append)
        pool.start()
        self.clock.advance(39)
        self.assertEqual(self.workers[-1].transport.signals, [])
        self.clock.advance(1)
        self.assertEqual(self.workers[-1].transport.signals, [signal.SIGKILL])

    def test_outputAfterTheEnd(self) -> None:
        """
        The cause is in the output that is read after the process has ended.
        """
        reason = Failure(ProcessTerminated(3))
        self.workers[0].processExited(reason)
        self.assertEqual(self.failed, [])
        self.workers[0].childDataReceived(2, b"no module")
        self.workers[0].processEnded(reason)
        self.assertEqual(self.failed, ["no module"])

    def test_aProcessThatCannotBeStarted(self) -> None:
        """
        An error of the system at the start of a process counts as the end of the worker.
        """
        self.serve(*self.workers)
        self.spawnError = PermissionError(13, "Permission denied", "python")
        self.end(self.workers[0])
        self.clock.pump([0, 0])
        self.assertIn("worker 3 ended: python: Permission denied; another one starts in 0.5 s", self.lines())

    def test_replacements(self) -> None:
        """
        A worker that ends is replaced at once. A replacement that ends within 10 s is replaced after a pause, which
        doubles up to 30 s. One that has served longer counts as the first again. The other worker's end is apart.
        """
        self.serve(*self.workers)
        delays = [0, 0.5, 1, 2, 4, 8, 16, 30, 30]
        for delay in delays:
            self.end(self.workers[-1])
            count = len(self.workers)
            self.clock.advance(delay / 2)
            self.assertEqual(len(self.workers), count + (not delay))
            self.clock.advance(delay / 2)
            self.assertEqual(len(self.workers), count + 1)
        self.serve(self.workers[-1])
        self.clock.advance(10)
        self.end(self.workers[-1], self.workers[0])
        self.clock.advance(0)
        self.assertEqual(len(self.workers), 2 + len(delays) + 2)
        self.assertEqual(len(self.ended), len(delays) + 2)

    def test_restart(self) -> None:
        """
        A restart starts new workers. When all of them serve, the previous ones retire. A restart that is asked for
        meanwhile follows.
        """
        first = self.workers[:]
        self.pool.restart()
        self.serve(*first)
        self.assertEqual(self.restarts, [])
        self.pool.restart()
        self.pool.restart()
        self.assertEqual(self.restarts, ["begin"])
        second = self.workers[2:]
        self.serve(second[0])
        self.assertEqual(self.commands(*first), [b"", b""])
        self.serve(second[1])
        self.assertEqual(self.commands(*first, *second), [b"retire ", b"retire ", b"", b""])
        self.assertEqual(self.restarts, ["begin", "end", "begin"])
        self.serve(*self.workers[4:])
        self.assertEqual(self.restarts, ["begin", "end"] * 2)
        self.assertEqual(self.commands(*second), [b"retire ", b"retire "])
        self.end(*first, *second, number=None)
        self.clock.advance(100)
        self.assertEqual(len(self.workers), 6)

    def test_aRestartNeedsSlots(self) -> None:
        """
        When the workers of earlier restarts still have connections, the oldest ones stop before the next restart, and
        only as many as are needed. Those that hang are killed 2 s after the drain.
        """
        for _ in range(2):
            self.serve(*self.workers)
            self.pool.restart()
        self.serve(*self.workers[4:])
        self.pool.restart()
        self.assertEqual(len(self.workers), 6)
        self.assertEqual(self.commands(*self.workers[:4]), [b"retire stop "] * 2 + [b"retire "] * 2)
        self.end(self.workers[0], number=None)
        self.assertEqual(self.commands(*self.workers[1:4]), [b"retire stop "] + [b"retire "] * 2)
        self.clock.advance(12)
        self.assertEqual([worker.transport.signals for worker in self.workers[1:4]], [[signal.SIGKILL], [], []])
        self.end(self.workers[1])
        self.assertEqual([worker.slot for worker in self.workers[6:]], [0, 1])

    def test_aRestartThatFails(self) -> None:
        """
        When a new worker ends before all new ones serve, the present ones continue, and the other new ones end with the
        connections that they have accepted.
        """
        self.serve(*self.workers)
        self.pool.restart()
        self.serve(self.workers[2])
        self.end(self.workers[3])
        self.assertEqual(self.commands(*self.workers[:3]), [b"", b"", b"retire "])
        self.assertIn("the restart failed: signal 9 (Killed); the previous workers continue", self.lines())
        self.assertEqual(self.restarts, ["begin", "end"])
        self.end(self.workers[2], number=None)
        self.clock.advance(100)
        self.assertEqual(len(self.workers), 4)

    def test_stop(self) -> None:
        """
        A stop ends all workers, replaces none, and kills those that remain 2 s after the drain.
        """
        self.serve(*self.workers)
        stopped = self.pool.stop()
        self.end(self.workers[0], number=None)
        self.assertNoResult(stopped)
        self.assertEqual(self.commands(*self.workers), [b"stop "] * 2)
        self.clock.advance(12)
        self.assertEqual(self.workers[1].transport.signals, [signal.SIGKILL])
        self.end(self.workers[1])
        self.successResultOf(stopped)
        self.assertEqual((len(self.workers), self.clock.getDelayedCalls()), (2, []))

    def test_aStopDuringTheStart(self) -> None:
        """
        Workers that get ready after the server has begun to stop do not make it ready.
        """
        stopped = self.pool.stop()
        self.serve(*self.workers)
        self.end(*self.workers, number=None)
        self.successResultOf(stopped)
        self.assertEqual((self.ready, self.failed), ([], []))

    def test_abort(self) -> None:
        """
        An abort during a stop ends all workers, and kills those that remain after 2 s.
        """
        self.serve(*self.workers)
        stopped = self.pool.stop()
        self.pool.abort()
        self.assertEqual(self.commands(*self.workers), [b"stop abort "] * 2)
        self.clock.advance(2)
        self.end(*self.workers)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_log(self) -> None:
        """
        The log has the lines of a worker, and what it prints, under its name; parts of lines wait for the rest.
        """
        worker = self.workers[0]
        line = json.dumps({"time": "2026-11-21T10:00:00.000Z", "level": "warn", "event": "text {0}", "peer": "p"})
        worker.childDataReceived(3, line[:9].encode())
        worker.childDataReceived(3, line[9:].encode() + b"\n")
        self.serve(worker)
        worker.childDataReceived(2, b"printed \xff\n")
        events: list[Any] = self._events
        self.assertEqual([event["log_system"] for event in events], ["worker 1#warn"] * 2)
        self.assertEqual([event["text"] for event in events], ["text {0}", "printed \\xff"])
        self.assertEqual((events[0]["peer"], events[0]["worker"]), ("p", 1))
        self.assertEqual(events[0]["log_time"], 1795255200.0)
