"""
Starts workers, replaces those that end, and stops them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from sockservices.workers.descriptors import ABORT, RETIRE, STOP
from sockservices.workers.worker_process import START_TIMEOUT, WorkerProcess

__all__ = ["WorkerPool"]

log = Logger("sockservices")

#: A worker that has served for so many seconds is replaced at once when it ends.
STABLE_SECONDS = 10.0

#: Seconds until the second replacement of a worker that ends again and again; each further one waits twice as long.
FIRST_DELAY = 0.5

#: Maximum number of seconds until a replacement.
MAX_DELAY = 30.0

#: Seconds for the start of each worker, if they start together on one core.
SECONDS_PER_START = 1.0

#: Seconds after the drain, or after an abort, until workers that have not ended are killed.
KILL_DELAY = 2.0


class WorkerPool:
    """
    The workers of a server.
    """

    def __init__(
        self,
        reactor: Any,
        count: int,
        slots: int,
        drain: float,
        spawn: Callable[[WorkerProcess], object],
        onReady: Callable[[], object],
        onFailed: Callable[[str], object],
        onEnded: Callable[[WorkerProcess], object],
    ) -> None:
        """
        @param count: the number of workers that serve.
        @param slots: the maximum number of workers at a time, retired ones included.
        @param drain: seconds that a worker may take to stop.
        @param spawn: starts the process of a worker, or raises L{OSError}.
        @param onReady: called once, when all workers serve.
        @param onFailed: called with the cause when one of the first workers does not get ready.
        @param onEnded: called with each worker whose process has ended.
        """
        self._reactor = reactor
        self._count = count
        self._startSeconds = max(START_TIMEOUT, count * SECONDS_PER_START)
        self._stopSeconds = drain + KILL_DELAY
        self._spawn = spawn
        #: Called when a restart begins, and when it has succeeded or failed.
        self.onRestarting = self.onRestarted = lambda: None
        self._onReady, self._onFailed, self._onEnded = onReady, onFailed, onEnded
        self._freeSlots = list(range(slots))
        self._number = 0
        #: The workers that serve or start to serve, those of a restart that has begun, and those that earlier restarts
        #: have replaced.
        self._serving: list[WorkerProcess] = []
        self._successors: list[WorkerProcess] = []
        self._retired: list[WorkerProcess] = []
        self._replacements: set[IDelayedCall] = set()
        self._started = self._restartAgain = False
        self._stopping: Deferred[None] | None = None

    def __iter__(self) -> Iterator[WorkerProcess]:
        """
        All workers.
        """
        return iter([*self._serving, *self._successors, *self._retired])

    @property
    def processes(self) -> list[WorkerProcess]:
        """
        The workers that serve.
        """
        return [worker for worker in self._serving if worker.readyAt is not None]

    def start(self) -> None:
        """
        Start the workers.
        """
        if self._stopping is None:
            self._launchAll(self._serving)

    def _launchAll(self, group: list[WorkerProcess]) -> None:
        for place in range(self._count):
            self._launch(group, place)

    def _launch(self, group: list[WorkerProcess], place: int, failures: int = 0) -> None:
        self._number += 1
        slot = self._freeSlots.pop(0)
        worker = WorkerProcess(self._reactor, self, self._number, slot, place, failures, self._startSeconds)
        group.append(worker)
        try:
            self._spawn(worker)
        except OSError as error:
            worker.end = f"{error.filename or 'fork'}: {error.strerror}"
            self._reactor.callLater(0, self.workerEnded, worker)

    def workerReady(self, worker: WorkerProcess) -> None:
        """
        Report the start or complete a restart, if this is the last of the workers that get ready.
        """
        if self._stopping is not None:
            return
        if worker in self._successors:
            if all(each.readyAt is not None for each in self._successors):
                self._succeed()
        elif worker in self._serving and not self._started:
            if len(self.processes) == self._count:
                self._started = True
                self._onReady()
        elif worker in self._serving:
            log.info("worker {number} serves: process {pid}", number=worker.number, pid=worker.transport.pid)

    def _succeed(self) -> None:
        """
        Let the successors serve, and the previous workers end with their connections.
        """
        previous, self._serving, self._successors = self._serving, self._successors, []
        self._cancelReplacements()
        self._retired += previous
        _retire(previous)
        log.info("restarted: {count} workers", count=self._count)
        self.onRestarted()
        self._restartIfAsked()

    def restart(self) -> None:
        """
        Start new workers. When all of them serve, the present ones stop listening and end with their last connection.
        If one of the new ones does not get ready, the present ones continue. During the start, do nothing.
        """
        self._restartAgain = self._started
        self._restartIfAsked()

    def _restartIfAsked(self) -> None:
        """
        Restart now, or when the previous restart has ended and there are enough free slots.
        """
        if not self._restartAgain or self._stopping is not None or self._successors:
            return
        # Each replacement that is due to start takes a free slot.
        missing = self._count - len(self._freeSlots) + len(self._replacements)
        if missing > 0:
            self._stop(each for each in self._retired[:missing] if not each.stopping)
            return
        self._restartAgain = False
        log.info("starting {count} new workers", count=self._count)
        self.onRestarting()
        self._launchAll(self._successors)

    def workerEnded(self, worker: WorkerProcess) -> None:
        """
        Replace a worker that has ended, unless it was to end.
        """
        group = next(each for each in (self._serving, self._successors, self._retired) if worker in each)
        group.remove(worker)
        self._freeSlots.append(worker.slot)
        self._onEnded(worker)
        if self._stopping is not None:
            self._fireIfStopped()
        elif group is self._serving:
            self._replace(worker)
        elif group is self._successors:
            self._abandonRestart(worker)
        self._restartIfAsked()

    def _replace(self, worker: WorkerProcess) -> None:
        if not self._started:
            self._onFailed(worker.end)
            return
        served = 0.0 if worker.readyAt is None else self._reactor.seconds() - worker.readyAt
        failures = 0 if served >= STABLE_SECONDS else worker.failures
        delay = min(FIRST_DELAY * 2 ** (failures - 1), MAX_DELAY) if failures else 0.0
        log.error(
            "worker {number} ended: {end}; another one starts{later}",
            number=worker.number,
            end=worker.end,
            later=f" in {delay:g} s" if delay else "",
        )

        def launch() -> None:
            self._replacements.discard(call)
            self._launch(self._serving, worker.place, failures + 1)

        call = self._reactor.callLater(delay, launch)
        self._replacements.add(call)

    def _abandonRestart(self, worker: WorkerProcess) -> None:
        log.error("the restart failed: {end}; the previous workers continue", end=worker.end)
        # Those that serve already have accepted connections.
        self._retired += self._successors
        _retire(self._successors)
        self._successors = []
        self.onRestarted()

    def stop(self) -> Deferred[None]:
        """
        Stop all workers.

        @return: fires when all processes have ended.
        """
        self._stopping = Deferred()
        self._cancelReplacements()
        self._stop(self)
        stopped = self._stopping
        self._fireIfStopped()
        return stopped

    def _stop(self, workers: Iterable[WorkerProcess]) -> None:
        for worker in workers:
            worker.stop(STOP, self._stopSeconds)

    def abort(self) -> None:
        """
        Let all workers reset their connections.
        """
        for worker in self:
            worker.stop(ABORT, KILL_DELAY)

    def _fireIfStopped(self) -> None:
        if self._stopping is not None and not self._stopping.called and not list(self):
            self._stopping.callback(None)

    def _cancelReplacements(self) -> None:
        for call in self._replacements:
            call.cancel()
        self._replacements.clear()


def _retire(workers: Iterable[WorkerProcess]) -> None:
    for worker in workers:
        worker.send(RETIRE)
