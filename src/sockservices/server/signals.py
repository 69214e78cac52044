"""
What signals mean to the command.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from twisted.logger import Logger

__all__ = ["Signals"]

log = Logger("sockservices")

#: Seconds beyond the drain after which a process that is still there ends without asking anything any more.
OVERDUE = 5


class Signals:
    """
    SIGTERM and SIGINT stop the server, and end it at once when they come again. SIGHUP and SIGUSR1 do not end it.
    """

    def __init__(self, reactor: Any, cut: Callable[[], object], drain: float) -> None:
        """
        @param cut: ends all conversations at once.
        @param drain: the seconds that a stop may take.
        """
        self._reactor = reactor
        self._cut = cut
        self._overdue = int(drain) + OVERDUE
        self._stopping = False
        self._twisted: dict[int, Any] = {}

    def install(self) -> None:
        """
        Take over the signals, once the reactor runs: it sets handlers of its own when it starts.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            twisted = signal.getsignal(number)
            # What was ignored stays so: shells start what runs in the background with SIGINT ignored.
            if callable(twisted):
                self._twisted[number] = twisted
                signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._reload)
        if signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL:
            signal.signal(signal.SIGUSR1, self._rotate)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self._stopping:
            # Not to Twisted's handler again: it would log a traceback, since the reactor is stopping already.
            self._reactor.callFromThread(self._end)
            return
        self._stopping = True
        # Should the reactor not come back from something, the alarm's default action ends the process.
        signal.alarm(self._overdue)
        self._twisted[number](number, frame)

    def _end(self) -> None:
        log.info("told twice to stop: ending all conversations")
        self._cut()

    def _reload(self, number: int, frame: FrameType | None) -> None:
        self._reactor.callFromThread(log.info, "SIGHUP: there is nothing to read again")

    def _rotate(self, number: int, frame: FrameType | None) -> None:
        self._reactor.callFromThread(log.info, "SIGUSR1: there is no log file to begin anew")
