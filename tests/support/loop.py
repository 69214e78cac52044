"""
Test cases with real sockets, and a reactor that runs only when the test iterates it.
"""

from __future__ import annotations

import gc
import os
import socket
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

__all__ = ["LoopCase", "descriptors"]

#: Seconds to wait for an expected event.
TIMEOUT = 10.0


@cache
def _freezeModules() -> None:
    """
    Exempt the objects that exist now, mostly those of imported modules, from garbage collection. A collection takes
    some 40 ms with them, and tests collect hundreds of times.
    """
    gc.collect()
    gc.freeze()


def descriptors() -> int:
    """
    Count the open descriptors of this process, after a garbage collection: the traceback of a failed listen may keep a
    socket alive in a reference cycle.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        _freezeModules()
        gc.collect()
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (a path object for each descriptor is slow)


class LoopCase(SynchronousTestCase):
    """
    A test with real sockets, and a new reactor that runs only when the test iterates it.

    @ivar folder: an empty directory with a short path.
    """

    def setUp(self) -> None:
        """
        Make the reactor and the directory.
        """
        self.reactor: Any = self.makeReactor()
        self.addCleanup(self._dispose)
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def makeReactor(self) -> Any:
        """
        Make a new reactor.
        """
        reactor: Any = EPollReactor()
        self.addCleanup(reactor._poller.close)
        return reactor

    def _dispose(self) -> None:
        for reader in self.reactor.removeAll():
            reader.connectionLost(Failure(ConnectionLost()))
        for reader in self.reactor._internalReaders:
            reader.connectionLost(None)

    def closeLater(self, opened: Any) -> Any:
        """
        Close an object after the test.

        @return: the object.
        """
        self.addCleanup(opened.close)
        return opened

    def turn(self, turns: int = 1) -> None:
        """
        Iterate the reactor without waiting for events.
        """
        for _ in range(turns):
            self.reactor.iterate(0)

    def until(self, condition: Callable[[], object]) -> None:
        """
        Iterate the reactor until a condition is true.
        """
        deadline = time.monotonic() + TIMEOUT
        while not condition():
            self.assertLess(time.monotonic(), deadline, "the condition did not become true")
            self.reactor.iterate(0.01)

    def wait(self, deferred: Deferred[Any]) -> Any:
        """
        Iterate the reactor until a Deferred fires.

        @return: its result.
        @raise Exception: the exception that it fails with.
        """
        results: list[Any] = []
        deferred.addBoth(results.append)
        self.until(lambda: results)
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]

    def connect(self, address: Any) -> socket.socket:
        """
        Connect a non-blocking client. The kernel completes the handshake, also while the reactor does not run.

        @param address: an L{IAddress}, or an argument for C{socket.connect}.
        """
        family = socket.AF_UNIX
        if isinstance(address, UNIXAddress):
            address = os.fsdecode(address.name or b"")
        elif not isinstance(address, (str, bytes)):
            address = address if isinstance(address, tuple) else (address.host, address.port)
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        client: socket.socket = self.closeLater(socket.socket(family))
        client.settimeout(TIMEOUT)
        client.connect(address)
        client.setblocking(False)
        return client

    def receive(self, client: socket.socket, length: int = 1) -> bytes:
        """
        Receive C{length} bytes, or fewer if the connection ends.
        """
        data = b""
        ended = False

        def received() -> bool:
            nonlocal data, ended
            try:
                segment = client.recv(length - len(data))
            except BlockingIOError:
                return False
            data += segment
            ended = not segment
            return ended or len(data) >= length

        self.until(received)
        return data

    def assertQuiet(self) -> None:
        """
        The reactor has no readers, writers or timers.
        """
        readers = set(self.reactor.getReaders()) - self.reactor._internalReaders
        self.assertEqual((readers, self.reactor.getWriters(), self.reactor.getDelayedCalls()), (set(), [], []))
