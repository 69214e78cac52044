"""
A reactor in a background thread, for programs that block or run an event loop of their own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from importlib import import_module
from typing import Any, Self

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.task import deferLater

__all__ = ["BackgroundReactor"]

#: The reactors that need no package but Twisted, the fastest first: the module in C{twisted.internet}, and the class.
REACTORS = (("epollreactor", "EPollReactor"), ("pollreactor", "PollReactor"), ("selectreactor", "SelectReactor"))

#: Seconds to wait for the result of a call, and for the thread to end.
DEFAULT_TIMEOUT = 10.0


class BackgroundReactor:
    """
    A reactor in its own thread. It neither uses nor installs the global reactor.

    The first L{call} starts it. After L{stop} no thread and no descriptor is left, and L{start} makes a new reactor.

    @ivar reactor: the reactor, between L{start} and L{stop}; else L{None}. Use it only in the reactor's thread.
    """

    reactor: Any = None
    _thread: threading.Thread | None = None

    def __init__(self, reactors: Sequence[tuple[str, str]] = REACTORS) -> None:
        """
        @param reactors: the reactors to try, in this order: a module in C{twisted.internet}, and its class.
        """
        self._reactors = reactors
        # Several threads may make the first call at the same time.
        self._startLock = threading.Lock()

    def start(self) -> None:
        """
        Start the reactor, unless it runs.
        """
        with self._startLock:
            if self._thread is None:
                self.reactor = _newReactor(self._reactors)
                run = {"target": self.reactor.run, "kwargs": {"installSignalHandlers": False}}
                self._thread = threading.Thread(**run, name="sockservices", daemon=True)
                self._thread.start()

    def inReactorThread(self) -> bool:
        """
        Return whether the current thread is the reactor's.
        """
        return self._thread is threading.current_thread()

    def call(self, function: Callable[..., Any], *arguments: Any, timeout: float | None = DEFAULT_TIMEOUT) -> Any:
        """
        Call a function in the reactor's thread and wait for its result. If the function returns a L{Deferred
        <twisted.internet.defer.Deferred>} or a coroutine, wait for the result of that.

        @param timeout: seconds to wait; L{None} for no limit. After this time the L{Deferred
            <twisted.internet.defer.Deferred>} is cancelled.
        @return: the result.
        @raise Exception: the exception that the function raises, or that its L{Deferred
            <twisted.internet.defer.Deferred>} fails with.
        @raise RuntimeError: in the reactor's thread, which cannot wait for itself.
        @raise TimeoutError: after C{timeout} seconds without a result.
        """
        if self.inReactorThread():
            raise RuntimeError("the reactor's thread cannot wait for itself")
        self.start()
        future: Future[Any] = Future()
        deferreds: list[Deferred[Any]] = []

        def run() -> None:
            deferred = maybeDeferred(function, *arguments)
            deferreds.append(deferred)
            deferred.addCallbacks(future.set_result, lambda failure: future.set_exception(failure.value))

        def cancel() -> None:
            for deferred in deferreds:
                deferred.cancel()

        done = None
        try:
            self.reactor.callFromThread(run)
            done, _ = wait([future], timeout)
        finally:
            # After the timeout, and after a KeyboardInterrupt.
            if not done:
                self.reactor.callFromThread(cancel)
        if not done:
            raise TimeoutError(f"the reactor's thread had no result in {timeout:g} s")
        return future.result()

    def runTurns(self, count: int) -> None:
        """
        Wait until the reactor has done so many turns: it has then read what was sent before.
        """

        async def run() -> None:
            for _ in range(count):
                await deferLater(self.reactor, 0)

        self.call(run)

    def stop(self, timeout: float = DEFAULT_TIMEOUT) -> None:
        """
        Stop the reactor, if it runs, and close its connections and ports.

        @param timeout: seconds to wait for the end of the thread.
        @raise TimeoutError: if the thread has not ended then. L{stop} may be called again.
        """
        thread, reactor = self._thread, self.reactor
        if thread is None:
            return
        if thread.is_alive():
            reactor.callFromThread(_stopReactor, reactor)
            thread.join(timeout)
            if thread.is_alive():
                raise TimeoutError(f"the reactor's thread is busy, and has not stopped in {timeout:g} s")
        self._thread = self.reactor = None
        # Twisted expects a reactor to last as long as its process, and leaves these descriptors open.
        for reader in reactor._internalReaders:
            reader.connectionLost(None)
        if hasattr(reactor, "_poller") and hasattr(reactor._poller, "close"):
            reactor._poller.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def _stopReactor(reactor: Any) -> None:
    # Code in the thread, or an earlier stop() that timed out, may have stopped it.
    with suppress(ReactorNotRunning):
        reactor.stop()


def _newReactor(reactors: Sequence[tuple[str, str]]) -> Any:
    """
    Make a reactor of the first class that this system supports.
    """
    for module, name in reactors:
        with suppress(ImportError):
            reactor = getattr(import_module(f"twisted.internet.{module}"), name)()
            # threadable.ioThread, one for the process, belongs to the thread of the global reactor.
            reactor._registerAsIOThread = False
            # The default is the wall clock, which an administrator or NTP may set back.
            reactor.seconds = time.monotonic
            return reactor
    raise RuntimeError("Twisted has no reactor for this system")
