"""
The command's actions on signals.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from twisted.logger import Logger

__all__ = ["Signals", "blockedSignals"]

log = Logger("sockservices")

#: Seconds after the drain until SIGALRM kills a process whose shutdown hangs.
ALARM_DELAY = 5


@contextmanager
def blockedSignals() -> Iterator[None]:
    """
    Block the signals whose default action ends the process, and leaves the files of sockets that are being opened.
    """
    numbers = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1}
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


class Signals:
    """
    SIGTERM and SIGINT stop the server; a second one aborts all conversations. SIGHUP reloads and logs the totals.
    SIGUSR1 without a log file logs a line.
    """

    def __init__(
        self,
        reactor: Any,
        abortAll: Callable[[], object],
        drain: float,
        logTotals: Callable[[], object] | None = None,
        reload: Callable[[], object] | None = None,
    ) -> None:
        """
        @param abortAll: ends all conversations at once.
        @param drain: the maximum number of seconds of a stop.
        @param logTotals: logs the server's totals.
        @param reload: called on SIGHUP, before L{logTotals}; L{None} where there is nothing to reload.
        """
        self._logTotals = logTotals
        self._reload = reload
        self._reactor = reactor
        self._abortAll = abortAll
        self._alarmSeconds = int(drain) + ALARM_DELAY
        self._stopping = False
        self._held: int | None = None
        self._twistedActions: dict[int, Any] = {}

    def hold(self) -> None:
        """
        Defer the first signal to stop until the reactor runs. The default action would end the process at once, and
        leave the files of sockets.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            # An ignored signal stays ignored: shells start background processes with SIGINT ignored.
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._hold)
        self._installOthers()

    def install(self) -> None:
        """
        Install the actions, and act on the deferred signal. Call this when the reactor runs: the reactor installs
        its own actions when it starts.
        """
        for number, twistedAction in ((signal.SIGTERM, self._reactor.sigTerm), (signal.SIGINT, self._reactor.sigInt)):
            action = signal.getsignal(number)
            if action == self._hold:
                # Twisted installs its action for SIGINT only in place of Python's own.
                action = twistedAction
            if callable(action):
                self._twistedActions[number] = action
                signal.signal(number, self._stop)
        self._installOthers()
        if self._held is not None:
            signal.raise_signal(self._held)

    def _installOthers(self) -> None:
        signal.signal(signal.SIGHUP, self._hangUp)
        if signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL:
            signal.signal(signal.SIGUSR1, self._rotate)

    def _hold(self, number: int, frame: FrameType | None) -> None:
        if self._held is None:
            self._held = number
            # When the start hangs, SIGALRM ends it.
            signal.alarm(self._alarmSeconds)

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

    def _hangUp(self, number: int, frame: FrameType | None) -> None:
        self._reactor.callFromThread(self._reloadAndLogTotals)

    def _reloadAndLogTotals(self) -> None:
        if self._reload is None:
            log.info("SIGHUP: nothing to reload")
        else:
            self._reload()
        if self._logTotals is not None:
            self._logTotals()

    def _rotate(self, number: int, frame: FrameType | None) -> None:
        self._reactor.callFromThread(log.info, "SIGUSR1: no log file to reopen")
