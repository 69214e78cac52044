"""
The reactor that a command does its work with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from threading import Thread
from typing import Any

from twisted.python.threadpool import ThreadPool

from sockservices.client import Unanswered, Verdict
from sockservices.testing.background_reactor import BackgroundReactor

__all__ = ["LIMIT", "background", "run"]

#: Seconds for what is still open to be closed.
LIMIT = 2.0


class _Names(ThreadPool):
    """
    Threads that look names up, and that nobody waits for: a name server may take its time, but not the command's.
    """

    threadFactory: Any = staticmethod(partial(Thread, daemon=True))


@contextmanager
def background() -> Iterator[BackgroundReactor]:
    """
    A reactor beside the main thread, which is left to the terminal.
    """
    running = BackgroundReactor()
    try:
        running.start()
        running.call(_lookUpNames, running.reactor)
        yield running
    finally:
        # Its thread may be stuck, printing what nobody reads: it then ends with the process.
        with suppress(TimeoutError):
            running.stop(LIMIT)


def _lookUpNames(reactor: Any) -> None:
    reactor.threadpool = _Names(0, 2, "names")
    reactor.threadpool.start()


def run(function: Callable[[Any], Any], seconds: float) -> Any:
    """
    Call a function with a reactor, in the reactor's thread, and wait for what becomes of it.

    @param seconds: how long it may take, by its own measure.
    @raise Unanswered: when it takes longer: its thread is stuck, printing what nobody reads.
    """
    with background() as running:
        try:
            return running.call(function, running.reactor, limit=seconds + LIMIT)
        except TimeoutError:
            raise Unanswered(Verdict.TIMEOUT, f"the answer was not read within {seconds:g} s") from None
