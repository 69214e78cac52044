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
from typing import Any, TextIO

from twisted.logger import Logger

__all__ = ["JournalFile", "ListenerJournal"]

log = Logger("sockservices")

#: The most bytes of a file.
MAX_FILE = 64 * 2**20


class JournalFile:
    """
    A JSON object for each segment and datagram, up to 64 MiB. The last line counts what is left out.
    """

    def __init__(self, path: str, maxSize: int = MAX_FILE) -> None:
        """
        @param maxSize: the most bytes of the file.
        """
        self._path = path
        self._room = maxSize
        self._startedAt = time.time() - time.monotonic()
        self._conversations = 0
        self._leftOut = self._leftOutBytes = 0
        self._file: TextIO | None = None

    def open(self) -> None:
        """
        Create the file, or empty it. Only its owner may read it.

        @raise OSError: if that is not possible.
        """
        # Without O_NONBLOCK, the open of a FIFO would wait for a reader (fifo(7)).
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK, 0o600)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "expected a regular file")
        self._file = os.fdopen(descriptor, "w", buffering=1, encoding="ascii")

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
        line = json.dumps(fields | {"data": content}) + "\n"
        if self._leftOut or len(line) > self._room or not self._tryWrite(line):
            if not self._leftOut:
                log.warn("--journal {path}: full; further segments and datagrams are counted only", path=self._path)
            self._leftOut += 1
            self._leftOutBytes += len(data)
        else:
            self._room -= len(line)

    def _tryWrite(self, line: str) -> bool:
        if self._file is None:
            return False
        try:
            self._file.write(line)
        except OSError as error:
            log.error("--journal {path}: {error}", path=self._path, error=error.strerror)
            return False
        return True

    def close(self) -> None:
        """
        Write how much is left out, and close the file.
        """
        if self._leftOut:
            self._tryWrite(json.dumps({"leftOut": self._leftOut, "leftOutBytes": self._leftOutBytes}) + "\n")
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                log.error("--journal {path}: {error}", path=self._path, error=error.strerror)


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
