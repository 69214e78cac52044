"""
The journal as a file of JSON lines.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from base64 import b64encode
from math import inf
from typing import Any

from twisted.logger import Logger

__all__ = ["MAX_FILE", "JournalFile", "ListenerJournal"]

log = Logger("sockservices")

#: The most bytes of a file.
MAX_FILE = 64 * 2**20


class JournalFile:
    """
    A JSON object for each segment and datagram, up to 64 MiB. The last line counts what is left out.

    Each line is one write(2) with O_APPEND, so that several processes can write to the file (open(2): not over NFS).

    @ivar leftOut: the number of entries that are left out.
    @ivar leftOutBytes: the number of their bytes of data.
    """

    _descriptor = -1

    def __init__(self, path: str, maxSize: int = MAX_FILE) -> None:
        """
        @param maxSize: the most bytes of the file.
        """
        self._path = path
        self._maxSize = maxSize
        self._startedAt = time.time() - time.monotonic()
        self._conversations = 0
        self.leftOut = self.leftOutBytes = 0

    def open(self) -> None:
        """
        Create the file, or empty it. Only its owner may read it.

        @raise OSError: if that is not possible.
        """
        # Without O_NONBLOCK, the open of a FIFO would wait for a reader (fifo(7)).
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK
        descriptor = os.open(self._path, flags, 0o600)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "expected a regular file")
        self._descriptor = descriptor

    def begin(self) -> int:
        """
        A conversation begins.

        @return: its number.
        """
        self._conversations += 1
        return self._conversations

    def write(self, entry: dict[str, Any], data: bytes) -> None:
        """
        Write a line, or count the entry as left out.
        """
        fields = {"time": round(self._startedAt + time.monotonic(), 6), **entry}
        content = {"text": data.decode(errors="backslashreplace"), "base64": b64encode(data).decode()}
        if self.leftOut or not self._tryWrite(fields | {"data": content}, self._maxSize):
            if not self.leftOut:
                log.warn("--journal {file}: full; further segments and datagrams are counted only", file=self._path)
            self.leftOut += 1
            self.leftOutBytes += len(data)

    def _tryWrite(self, entry: dict[str, Any], maxSize: float = inf) -> bool:
        if self._descriptor < 0:
            return False
        line = (json.dumps(entry) + "\n").encode("ascii")
        try:
            if os.fstat(self._descriptor).st_size + len(line) > maxSize:
                return False
            if os.write(self._descriptor, line) == len(line):
                return True
            # The kernel writes a part of the line before it reports a full disk.
            self.logError(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        except OSError as error:
            self.logError(error)
        return False

    def close(self) -> None:
        """
        Write how much is left out, and close the file.
        """
        if self.leftOut:
            self._tryWrite({"leftOut": self.leftOut, "leftOutBytes": self.leftOutBytes})
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            try:
                os.close(descriptor)
            except OSError as error:
                self.logError(error)

    def logError(self, error: OSError) -> None:
        """
        Log an error, which ends no conversation.
        """
        log.error("--journal {file}: {error}", file=self._path, error=error.strerror)


class ListenerJournal:
    """
    The part of one listener.
    """

    def __init__(self, file: JournalFile, service: str) -> None:
        self._file = file
        self._service = service
        self.begin = file.begin

    def add(self, direction: str, conversation: int, peer: str, data: bytes) -> None:
        """
        A segment or datagram was received or sent.
        """
        fields = {"direction": direction, "conversation": conversation, "service": self._service, "peer": peer}
        self._file.write(fields, data)
