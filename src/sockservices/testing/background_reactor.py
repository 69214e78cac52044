"""
A reactor beside the program: for code that blocks, or that has a loop of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from contextlib import suppress
from importlib import import_module
from types import TracebackType
from typing import Any, Self

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ReactorNotRunning

__all__ = ["BackgroundReactor"]

#: The reactors that need nothing but Python, best first.
KINDS = (("epollreactor", "EPollReactor"), ("pollreactor", "PollReactor"), ("selectreactor", "SelectReactor"))

#: Seconds in which what was asked for must have happened, unless told otherwise.
LIMIT = 10.0


class BackgroundReactor:
    """
    A reactor of its own in a thread of its own: the global one is neither used nor installed.

    It starts when it is first needed. Stopped, it leaves no thread and no descriptor, and may be started again, with
    another reactor.

    @ivar reactor: the reactor, from L{start} to L{stop}, else L{None}. Only what runs in its thread may touch it.
    """

    reactor: Any = None
    _thread: threading.Thread | None = None

    def __init__(self, kinds: Iterable[tuple[str, str]] = KINDS) -> None:
        """
        @param kinds: the reactors that will do, best first: a module of Twisted's and its class.
        """
        self._kinds = kinds
        # Of several threads, each may be the first that needs it.
        self._starting = threading.Lock()

    def start(self) -> None:
        """
        Start, unless it runs already.
        """
        with self._starting:
            if self._thread is None:
                self.reactor = _reactor(self._kinds)
                run = {"target": self.reactor.run, "kwargs": {"installSignalHandlers": False}}
                self._thread = threading.Thread(**run, name="sockservices", daemon=True)
                self._thread.start()

    def here(self) -> bool:
        """
        Whether this is called in the reactor's thread.
        """
        return self._thread is threading.current_thread()

    def call(self, function: Callable[..., Any], *arguments: Any, limit: float | None = LIMIT) -> Any:
        """
        Call a function in the reactor's thread, and wait for its result; if that is a L{Deferred
        <twisted.internet.defer.Deferred>} or a coroutine, for what becomes of it.

        @param limit: seconds to wait; L{None} waits as long as it takes. A L{Deferred
            <twisted.internet.defer.Deferred>} that takes longer is cancelled.
        @return: what it returns.
        @raise Exception: what it raises.
        @raise TimeoutError: when there is no result in time.
        """
        if self.here():
            raise RuntimeError("the reactor's thread cannot wait for itself")
        self.start()
        future: Future[Any] = Future()
        deferreds: list[Deferred[Any]] = []

        def run() -> None:
            deferred = maybeDeferred(function, *arguments)
            deferreds.append(deferred)
            deferred.addCallbacks(future.set_result, lambda failure: future.set_exception(failure.value))

        def giveUp() -> None:
            for deferred in deferreds:
                deferred.cancel()

        done = None
        try:
            self.reactor.callFromThread(run)
            done, _ = wait([future], limit)
        finally:
            # Not when there is a result; but when the program is interrupted, too.
            if not done:
                self.reactor.callFromThread(giveUp)
        if not done:
            raise TimeoutError(f"the reactor's thread had no result in {limit:g} s")
        return future.result()

    def stop(self, limit: float = LIMIT) -> None:
        """
        Stop, if it runs: connections and ports that are still open are closed.

        @raise TimeoutError: when what runs there does not end in time.
        """
        thread, reactor = self._thread, self.reactor
        if thread is None:
            return
        if thread.is_alive():
            reactor.callFromThread(_stop, reactor)
            thread.join(limit)
            if thread.is_alive():
                raise TimeoutError(f"the reactor's thread is busy, and has not stopped in {limit:g} s")
        self._thread = self.reactor = None
        # What Twisted leaves open, since a reactor lasts as long as its process.
        for reader in reactor._internalReaders:
            reader.connectionLost(None)
        if hasattr(reactor, "_poller") and hasattr(reactor._poller, "close"):
            reactor._poller.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _stop(reactor: Any) -> None:
    # It may have been stopped by what runs there, or by a stop that was given up.
    with suppress(ReactorNotRunning):
        reactor.stop()


def _reactor(kinds: Iterable[tuple[str, str]]) -> Any:
    """
    A reactor of the first kind that there is here.
    """
    for module, kind in kinds:
        with suppress(ImportError):
            reactor = getattr(import_module(f"twisted.internet.{module}"), kind)()
            # Twisted notes one thread in the process as that of the reactor: it is not to be this one.
            reactor._registerAsIOThread = False
            # The wall clock may be set back and forth.
            reactor.seconds = time.monotonic
            return reactor
    raise RuntimeError("Twisted has no reactor for this system")
