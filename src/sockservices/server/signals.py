"""
The command's actions on signals.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from twisted.logger import Logger

__all__ = ["Signals"]

log = Logger("sockservices")

#: Seconds after the drain until SIGALRM kills a process whose shutdown hangs.
ALARM_DELAY = 5


class Signals:
    """
    SIGTERM and SIGINT stop the server; a second one aborts all conversations. SIGHUP, and SIGUSR1 without a log file,
    log a line.
    """

    def __init__(self, reactor: Any, abortAll: Callable[[], object], drain: float) -> None:
        """
        @param abortAll: ends all conversations at once.
        @param drain: seconds that a stop may take.
        """
        self._reactor = reactor
        self._abortAll = abortAll
        self._alarmSeconds = int(drain) + ALARM_DELAY
        self._stopping = False
        self._twistedActions: dict[int, Any] = {}

    def install(self) -> None:
        """
        Install the actions. Call this when the reactor runs: it installs its own when it starts.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            action = signal.getsignal(number)
            # An ignored signal stays ignored: shells start background processes with SIGINT ignored.
            if callable(action):
                self._twistedActions[number] = action
                signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._reload)
        if signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL:
            signal.signal(signal.SIGUSR1, self._rotate)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self._stopping:
            # Twisted's action would log a traceback: the reactor is stopping already.
            self._reactor.callFromThread(self._abort)
            return
        self._stopping = True
        # When shutdown hangs, the default action of SIGALRM kills the process.
        signal.alarm(self._alarmSeconds)
        self._twistedActions[number](number, frame)

    def _abort(self) -> None:
        log.info("second signal to stop: aborting all conversations")
        self._abortAll()

    def _reload(self, number: int, frame: FrameType | None) -> None:
        self._reactor.callFromThread(log.info, "SIGHUP: nothing to reload")

    def _rotate(self, number: int, frame: FrameType | None) -> None:
        self._reactor.callFromThread(log.info, "SIGUSR1: no log file to reopen")
