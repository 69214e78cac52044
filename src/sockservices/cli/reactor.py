"""
The reactor of a command. It runs in a thread of its own, so that the main thread can block on the terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from threading import Thread
from typing import Any

from twisted.python.threadpool import ThreadPool

from sockservices.client import RequestFailed, Verdict
from sockservices.testing.background_reactor import BackgroundReactor

__all__ = ["CLOSE_TIMEOUT", "backgroundReactor", "runInReactor"]

#: Seconds to wait at the end of a command for open connections to close.
CLOSE_TIMEOUT = 2.0


@contextmanager
def backgroundReactor(background: BackgroundReactor | None = None) -> Iterator[BackgroundReactor]:
    """
    Run a reactor in a background thread.

    @param background: by default a new one.
    """
    background = BackgroundReactor() if background is None else background
    # The thread hangs if it writes to a pipe that nobody reads. It is a daemon thread and ends with the process.
    closeTimeout = CLOSE_TIMEOUT
    try:
        background.start()
        background.call(_useDaemonThreads, background.reactor)
        yield background
    except TimeoutError:
        # It hangs already: the time to wait for it is over.
        closeTimeout = 0.0
        raise
    finally:
        with suppress(TimeoutError):
            background.stop(closeTimeout)


def _useDaemonThreads(reactor: Any) -> None:
    """
    Resolve names in daemon threads: the process exits without waiting for a slow name server.
    """
    reactor.threadpool = ThreadPool(0, 2, "resolver")
    reactor.threadpool.threadFactory = partial(Thread, daemon=True)
    reactor.threadpool.start()


def runInReactor(function: Callable[[Any], Any], timeout: float) -> Any:
    """
    Call a function with a reactor, in the reactor's thread, and wait for the result of its Deferred.

    @param timeout: the function's own timeout in seconds.
    @raise RequestFailed: if the function exceeds its own timeout, because its thread hangs in a write to standard
        output.
    """
    try:
        with backgroundReactor() as background:
            return background.call(function, background.reactor, timeout=timeout + CLOSE_TIMEOUT)
    except TimeoutError:
        description = f"standard output was not read within {timeout:g} s"
        raise RequestFailed(Verdict.TIMEOUT, description) from None
