"""
Writes log lines to a pipe, terminal or socket from a thread, so that a stalled reader does not block the reactor.
"""

from __future__ import annotations

import os
import select
import stat
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Condition, RLock, Thread
from typing import Any

__all__ = ["BackgroundWriter", "mayBlock"]

#: The maximum number of bytes in the queue.
MAX_QUEUE = 262144

#: The maximum number of bytes in one write(2): Linux's PIPE_BUF, so that the lines of several processes in a pipe
#: do not mix.
MAX_WRITE = 4096

#: Seconds that a line waits for space in a full queue: a busy reactor can fill it although the reader keeps up.
FULL_QUEUE_TIMEOUT = 0.05

#: Seconds that the end of the process waits for the reader.
EXIT_TIMEOUT = 1.0


def mayBlock(descriptor: int) -> bool:
    """
    Whether write(2) waits for another process: to a pipe, FIFO, socket or terminal it does, to a regular file not.
    """
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)


class BackgroundWriter:
    """
    A text file over a descriptor. While the reactor runs, C{write} queues the text, and a thread writes it. When the
    queue is full, and the reader does not take half of it in 50 ms, further lines are dropped until the queue is empty;
    then a line gives the number of dropped lines.

    The thread uses blocking writes because O_NONBLOCK belongs to the open file description, which other processes
    share. It starts with the reactor: a daemon has done its last fork(2) by then. Before, C{write} writes directly.
    """

    def __init__(
        self, descriptor: int, droppedLine: Callable[[int], str], fullQueueTimeout: float = FULL_QUEUE_TIMEOUT
    ) -> None:
        """
        @param droppedLine: makes the line for a number of dropped lines.
        @param fullQueueTimeout: seconds that a line waits for the reader when the queue is full.
        """
        self._descriptor = descriptor
        self._droppedLine = droppedLine
        self._fullQueueTimeout = fullQueueTimeout
        #: Each text, and how many lines are lost with it.
        self._queue: deque[tuple[bytes, int]] = deque()
        self._pendingBytes = self._dropped = 0
        # Reentrant: a garbage collection within these methods may log the failure of a Deferred.
        self._lock = RLock()
        self._queued, self._written = Condition(self._lock), Condition(self._lock)
        self._thread: Thread | None = None
        self._exitBy: float | None = None

    def runWith(self, reactor: Any) -> None:
        """
        Queue lines from the start of the reactor, and wait for the thread from its stop.
        """
        reactor.callWhenRunning(self.start)
        reactor.addSystemEventTrigger("after", "shutdown", self.stop)

    def start(self) -> None:
        """
        Start the thread. If the system has no room for one more, C{write} continues to write directly.
        """
        thread = Thread(target=self._run, name="log writer", daemon=True)
        with suppress(RuntimeError):
            thread.start()
            self._thread = thread

    def stop(self) -> None:
        """
        Wait until the thread has written all lines, 1 second at most. From now on C{write} waits as well; all these
        waits together take at most that second.
        """
        self._exitBy = time.monotonic() + EXIT_TIMEOUT
        with self._lock:
            self._waitUntilPending(0, EXIT_TIMEOUT)

    def write(self, text: str) -> None:
        """
        Write or queue lines.
        """
        data = text.encode(errors="backslashreplace")
        if self._thread is None:
            self._writeNow(data)
            return
        with self._lock:
            if self._hasRoom(len(data)):
                self._enqueue(data, 1)
            else:
                self._dropped += 1
            if self._exitBy is not None:
                self._waitUntilPending(0, max(0.0, self._exitBy - time.monotonic()))

    def flush(self) -> None:
        """
        Do nothing: the thread writes each line as soon as it can.
        """

    def _hasRoom(self, size: int) -> bool:
        if not self._pendingBytes:
            return True
        if self._dropped:
            return False
        if self._pendingBytes + size <= MAX_QUEUE:
            return True
        return self._exitBy is None and self._waitUntilPending(MAX_QUEUE // 2, self._fullQueueTimeout)

    def _waitUntilPending(self, size: int, seconds: float) -> bool:
        return self._written.wait_for(lambda: self._pendingBytes <= size, seconds)

    def _enqueue(self, data: bytes, lines: int) -> None:
        self._queue.append((data, lines))
        self._pendingBytes += len(data)
        self._queued.notify()

    def _run(self) -> None:
        while True:
            with self._lock:
                self._queued.wait_for(lambda: self._queue)
                data, lines = self._nextWrite()
            written = self._writeNow(data)
            with self._lock:
                self._pendingBytes -= len(data)
                if not written:
                    self._dropped += lines
                elif self._dropped and not self._pendingBytes:
                    self._enqueue(self._droppedLine(self._dropped).encode(), self._dropped)
                    self._dropped = 0
                self._written.notify_all()

    def _nextWrite(self) -> tuple[bytes, int]:
        """
        Take the first text of the queue, and those that fit into the same write.
        """
        data, lines = self._queue.popleft()
        while self._queue and len(data) + len(self._queue[0][0]) <= MAX_WRITE:
            following, more = self._queue.popleft()
            data += following
            lines += more
        return data, lines

    def _writeNow(self, data: bytes) -> bool:
        """
        Write all of it.

        @return: whether that was possible: after EPIPE or EIO the reader is gone.
        """
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                # Another process has set O_NONBLOCK on the shared description.
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                poll.poll()
            except OSError:
                return False
        return True
