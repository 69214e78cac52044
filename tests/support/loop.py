"""
Tests over real sockets, with a reactor that is turned by hand.
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

#: Seconds in which something that was asked for must have happened.
PATIENCE = 10.0


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
    The number of open descriptors of this process, after garbage collection: Twisted leaves the socket of a failed
    listen in the traceback, a reference cycle.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        _freezeModules()
        gc.collect()
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (a path object for each would be many)


class LoopCase(SynchronousTestCase):
    """
    A test over real sockets, with a reactor of its own that turns when the test says so: nothing happens meanwhile.

    @ivar folder: an empty folder with a short path.
    """

    def setUp(self) -> None:
        """
        Make the reactor and the folder.
        """
        self.reactor: Any = self.makeReactor()
        self.addCleanup(self._dispose)
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def makeReactor(self) -> Any:
        """
        One that no other test has seen.
        """
        reactor: Any = EPollReactor()
        self.addCleanup(reactor._poller.close)
        return reactor

    def _dispose(self) -> None:
        for reader in self.reactor.removeAll():
            reader.connectionLost(Failure(ConnectionLost()))
        for reader in self.reactor._internalReaders:
            reader.connectionLost(None)

    def keep(self, opened: Any) -> Any:
        """
        What is closed when the test is over.
        """
        self.addCleanup(opened.close)
        return opened

    def turn(self, turns: int = 1) -> None:
        """
        Turn the reactor, without waiting for anything.
        """
        for _ in range(turns):
            self.reactor.iterate(0)

    def until(self, condition: Callable[[], object]) -> None:
        """
        Turn the reactor until a condition holds.
        """
        patient = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), patient, "it never came")
            self.reactor.iterate(0.01)

    def wait(self, deferred: Deferred[Any]) -> Any:
        """
        Turn the reactor until a Deferred fires.

        @return: what it fires with.
        """
        fired: list[Any] = []
        deferred.addBoth(fired.append)
        self.until(lambda: fired)
        if isinstance(fired[0], Failure):
            fired[0].raiseException()
        return fired[0]

    def connect(self, address: Any) -> socket.socket:
        """
        Connect a client that does not block: the kernel does that, whether the reactor turns or not.

        @param address: an L{IAddress}, or what C{connect()} takes.
        """
        kind = socket.AF_UNIX
        if isinstance(address, UNIXAddress):
            address = os.fsdecode(address.name or b"")
        elif not isinstance(address, (str, bytes)):
            address = address if isinstance(address, tuple) else (address.host, address.port)
            kind = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        client: socket.socket = self.keep(socket.socket(kind))
        client.settimeout(PATIENCE)
        client.connect(address)
        client.setblocking(False)
        return client

    def hear(self, client: socket.socket, length: int = 1) -> bytes:
        """
        What a client receives: so many bytes, or fewer when the connection ends.
        """
        heard = b""
        ended = False

        def received() -> bool:
            nonlocal heard, ended
            try:
                segment = client.recv(length - len(heard))
            except BlockingIOError:
                return False
            heard += segment
            ended = not segment
            return ended or len(heard) >= length

        self.until(received)
        return heard

    def assertQuiet(self) -> None:
        """
        Nothing is left in the reactor.
        """
        readers = set(self.reactor.getReaders()) - self.reactor._internalReaders
        self.assertEqual((readers, self.reactor.getWriters(), self.reactor.getDelayedCalls()), (set(), [], []))
