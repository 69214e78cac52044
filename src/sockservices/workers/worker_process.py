"""
The supervisor's end of one worker: its process, its pipes and its state.
"""

from __future__ import annotations

import json
import signal
from contextlib import suppress
from typing import Any, Protocol

from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from sockservices.workers.descriptors import COMMANDS, MESSAGES
from sockservices.workers.worker_log import LineBuffer, logOutput, logWorkerLine

__all__ = ["START_TIMEOUT", "WorkerEvents", "WorkerProcess"]

#: The least seconds in which a worker is ready, or is killed.
START_TIMEOUT = 30.0

#: Maximum number of bytes that the log shows of an invalid message.
MAX_INVALID = 1000

#: Seconds from the end of a process to the end of its pipes, which a process that it has started may hold.
PIPE_TIMEOUT = 0.5


class WorkerEvents(Protocol):
    """
    The methods that a L{WorkerProcess} calls when its state changes.
    """

    def workerReady(self, worker: WorkerProcess, /) -> None:
        """
        The worker serves.
        """

    def workerEnded(self, worker: WorkerProcess, /) -> None:
        """
        The process has ended, and its output has been read.
        """


class WorkerProcess(ProcessProtocol):
    """
    One worker.

    @ivar number: its number, from 1, in the log.
    @ivar slot: its slot in the shared counters.
    @ivar place: its place, from 0, among the workers that serve; a replacement has that of its predecessor.
    @ivar readyAt: seconds, when it began to serve; L{None} before.
    @ivar lastMessageAt: seconds, when its last message came.
    @ivar totals: the last totals that it has sent, or L{None}.
    @ivar failures: how many of its predecessors ended soon after their start, one after the other.
    @ivar end: how the process ended, as text.
    """

    readyAt: float | None = None
    totals: dict[str, Any] | None = None
    end = ""
    _startTimeout: IDelayedCall | None = None
    _killCall: IDelayedCall | None = None
    transport: Any

    def __init__(
        self,
        reactor: Any,
        events: WorkerEvents,
        number: int,
        slot: int,
        place: int = 0,
        failures: int = 0,
        startSeconds: float = START_TIMEOUT,
    ) -> None:
        """
        @param startSeconds: seconds in which it is ready, or is killed.
        """
        self._startSeconds = startSeconds
        self._reactor = reactor
        self._events = events
        self.number = number
        self.slot = slot
        self.place = place
        self.failures = failures
        self.lastMessageAt = reactor.seconds()
        self._buffers = {descriptor: LineBuffer() for descriptor in (1, 2, MESSAGES)}
        #: The lines that it printed before it was ready. The last one is the cause if it never gets ready.
        self._startOutput: list[str] = []

    def connectionMade(self) -> None:
        """
        Start the timeout: the process has started.
        """
        self._startTimeout = self._reactor.callLater(self._startSeconds, self._startTimedOut)

    def _startTimedOut(self) -> None:
        self._startTimeout = None
        self.end = f"it was not ready after {self._startSeconds:.0f} s"
        self.kill()

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """
        Read messages, or lines that the process and its libraries print.
        """
        received = self._message if childFD == MESSAGES else self._printed
        for line in self._buffers[childFD].add(data):
            received(line)

    def _message(self, line: bytes) -> None:
        self.lastMessageAt = self._reactor.seconds()
        try:
            message = json.loads(line)
        except ValueError:
            # It was too long, or a process that the worker has forked writes to the same pipe.
            logOutput(self.number, line[:MAX_INVALID].decode(errors="backslashreplace"))
            return
        if "totals" in message and "event" not in message:
            self.totals = message["totals"]
        elif "ready" in message:
            self._cancelTimeout()
            self.readyAt = self.lastMessageAt
            for text in self._startOutput:
                logOutput(self.number, text)
            self._events.workerReady(self)
        else:
            logWorkerLine(self.number, message)

    def _printed(self, line: bytes) -> None:
        text = line.decode(errors="backslashreplace")
        if self.readyAt is None:
            self._startOutput = [*self._startOutput[-9:], text]
        else:
            logOutput(self.number, text)

    def send(self, command: bytes) -> None:
        """
        Send a command. Do nothing if the process has closed the pipe, or was never started.
        """
        with suppress(AttributeError, KeyError):
            self.transport.writeToChild(COMMANDS, command + b" ")

    def stop(self, command: bytes, seconds: float) -> None:
        """
        Send a command that ends the process, and kill it if it has not ended so many seconds later.
        """
        self.send(command)
        call = self._killCall
        if call is None:
            self._killCall = self._reactor.callLater(seconds, self.kill)
        elif call.active() and call.getTime() > self._reactor.seconds() + seconds:
            call.reset(seconds)

    @property
    def stopping(self) -> bool:
        """
        Whether C{stop} has been called.
        """
        return self._killCall is not None

    def kill(self) -> None:
        """
        Kill the process, if it runs.
        """
        with suppress(AttributeError, ProcessExitedAlready):
            self.transport.signalProcess(signal.SIGKILL)

    def processExited(self, reason: Failure) -> None:
        """
        Limit the time in which the rest of its output is read: the process has ended.
        """
        self._cancelTimeout()
        self._pipeTimeout = self._reactor.callLater(PIPE_TIMEOUT, self._closePipes)

    def _closePipes(self) -> None:
        for descriptor in (COMMANDS, 1, 2, MESSAGES):
            self.transport.closeChildFD(descriptor)

    def processEnded(self, reason: Failure) -> None:
        """
        Report the end: the process has ended, and its output has been read.
        """
        for call in (self._pipeTimeout, self._killCall):
            if call is not None and call.active():
                call.cancel()
        for descriptor in (1, 2):
            self.childDataReceived(descriptor, b"\n")
        status: Any = reason.value
        number = status.signal
        cause = self._startOutput[-1] if self._startOutput and self.readyAt is None else ""
        how = f"exit status {status.exitCode}" if number is None else f"signal {number} ({signal.strsignal(number)})"
        self.end = self.end or cause or how
        self._events.workerEnded(self)

    def _cancelTimeout(self) -> None:
        timeout, self._startTimeout = self._startTimeout, None
        if timeout is not None:
            timeout.cancel()
