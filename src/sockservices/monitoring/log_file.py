"""
A log file that can be rotated and reopened.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.logger import Logger
from twisted.python.logfile import LogFile

__all__ = ["ReopenedLogFile"]

log = Logger("sockservices")


class ReopenedLogFile(LogFile):
    """
    Twisted's log file, which is rotated by its size or on request. It reopens a file that logrotate(8) has renamed, and
    logs an error where Twisted's goes on in silence or with a closed file.
    """

    _file: Any
    size: int
    path: str

    def rotate(self) -> None:
        """
        Open a new file. Where the name still belongs to the current one, rename that to C{NAME.1} first.

        When that fails, log an error and go on with the current file.
        """
        current = self._file
        try:
            if self._hasItsName():
                for number in reversed(self.listLogs()):
                    os.rename(f"{self.path}.{number}", f"{self.path}.{number + 1}")  # noqa: PTH104
                os.rename(self.path, f"{self.path}.1")  # noqa: PTH104
            self._openFile()
        except OSError as error:
            self._file = current
            # Else each line tries again.
            self.size = 0
            log.error(
                "cannot open a new log file {file}: {error}; logging continues in the current one",
                file=self.path,
                error=error.strerror,
            )
        else:
            current.close()

    def _hasItsName(self) -> bool:
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self._file.fileno()))  # noqa: PTH116
        except FileNotFoundError:
            return False
