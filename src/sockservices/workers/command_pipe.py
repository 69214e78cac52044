"""
The pipe on which a worker reads the commands of its supervisor.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.fdesc import readFromFD, setNonBlocking
from twisted.python.failure import Failure

__all__ = ["CommandPipe"]


class CommandPipe(FileDescriptor):
    """
    Calls a function for each command. The process ends at the end of the pipe: then its supervisor has ended.
    """

    def __init__(self, reactor: Any, descriptor: int, commands: Mapping[bytes, Callable[[], object]]) -> None:
        """
        @param descriptor: the end of the pipe for reading.
        @param commands: a function for each word.
        """
        super().__init__(reactor)
        self._descriptor = descriptor
        self._commands = commands
        self._running = True
        reactor.addSystemEventTrigger("before", "shutdown", self._reactorStops)
        setNonBlocking(descriptor)
        self.startReading()

    def fileno(self) -> int:
        """
        The descriptor.
        """
        return self._descriptor

    def doRead(self) -> Any:
        """
        Read commands. A word is not divided: write(2) to a pipe is atomic up to PIPE_BUF bytes (pipe(7)).
        """
        return readFromFD(self._descriptor, self._received)

    def _received(self, data: bytes) -> None:
        for word in data.split():
            self._commands[word]()

    def _reactorStops(self) -> None:
        self._running = False

    def connectionLost(self, reason: Failure) -> None:
        """
        End the process, unless the reactor stops already.
        """
        if self._running:
            os._exit(1)
