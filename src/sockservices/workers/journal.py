"""
The journal of a server with several workers: one file.
"""

from __future__ import annotations

import os

from sockservices.monitoring.journal_file import MAX_FILE, JournalFile
from sockservices.workers.shared_census import SERIAL_BITS

__all__ = ["SharedJournal", "WorkerJournal"]

#: The beginning of each line of a worker.
LINE_START = b'{"time": '


class WorkerJournal(JournalFile):
    """
    The journal in one worker, which writes the lines of its own conversations.

    When two workers find room for a line at the same moment, both write theirs: the file may get too long by one line
    for each worker but one.
    """

    def __init__(self, path: str, descriptor: int, number: int, maxSize: int = MAX_FILE) -> None:
        """
        @param descriptor: of the file, which the supervisor has opened.
        @param number: the number of this worker, from 1; no two workers of a server have the same.
        """
        super().__init__(path, maxSize)
        self._descriptor = descriptor
        self._conversations = number - 1 << SERIAL_BITS

    def open(self) -> None:
        """
        Do nothing: the file is open.
        """

    def close(self) -> None:
        """
        Do nothing: the supervisor writes the last line for all workers.
        """


class SharedJournal(JournalFile):
    """
    The journal in the supervisor, which opens and ends the file.

    When a process is killed while it writes, the kernel may have written a part of the line. The next line of another
    worker follows this part immediately.

    @ivar descriptor: what the workers inherit.
    """

    def open(self) -> None:
        """
        Create the file, or empty it.

        @raise OSError: if that is not possible.
        """
        super().open()
        self.descriptor = self._descriptor
        # With O_APPEND, pwrite(2) would ignore its offset.
        self._whole = os.open(f"/proc/self/fd/{self._descriptor}", os.O_RDWR)
        #: The end of the last line that has been checked.
        self._checked = 0

    def workerEnded(self, leftOut: int, leftOutBytes: int) -> None:
        """
        Count the entries that a worker has left out, and overwrite what it has written of an incomplete line.
        """
        self.leftOut += leftOut
        self.leftOutBytes += leftOutBytes
        self._overwriteIncompleteLines()

    def _overwriteIncompleteLines(self) -> None:
        """
        Write spaces, which JSON allows before the object of the next line.
        """
        try:
            size = os.fstat(self._whole).st_size
            # Another program may have truncated the file.
            self._checked = min(size, self._checked)
            for line in os.pread(self._whole, size - self._checked, self._checked).splitlines(keepends=True):
                incomplete = line.rfind(LINE_START)
                if incomplete > 0:
                    os.pwrite(self._whole, b" " * incomplete, self._checked)
                if line.endswith(b"\n"):
                    self._checked += len(line)
        except OSError as error:
            self.logError(error)

    def close(self) -> None:
        """
        Write how much is left out, and close the file. All workers have ended.
        """
        self._overwriteIncompleteLines()
        try:
            # Remove an incomplete line that no other line follows.
            os.ftruncate(self._whole, self._checked)
            os.close(self._whole)
        except OSError as error:
            self.logError(error)
        super().close()
