"""
A coroutine that runs in a conversation, and ends with it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

__all__ = ["CoroutineRun"]

#: How many times a coroutine is cancelled that goes on to wait for something else. After that, it is closed.
MAX_CANCELLATIONS = 10


class CoroutineRun:
    """
    One run of a coroutine.

    @ivar finished: whether it has returned or raised.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any], clock: IReactorTime) -> None:
        """
        @param clock: calls back a cancellation that the coroutine itself has caused.
        """
        self._coroutine = coroutine
        self._clock = clock
        self._deferred: Deferred[Any] | None = None
        self.finished = False

    def start(self, onReturn: Callable[[Any], object], onRaise: Callable[[Failure], object]) -> None:
        """
        Run to the first C{await} that has no result yet.

        @param onReturn: called with what the coroutine returns.
        @param onRaise: called with what it raises, or with the failure of its cancellation.
        """
        deferred = Deferred.fromCoroutine(self._coroutine)
        self._deferred = deferred
        deferred.addBoth(self._finish).addCallbacks(onReturn, onRaise)

    def _finish(self, result: Any) -> Any:
        self.finished = True
        return result

    def cancel(self) -> None:
        """
        Cancel what the coroutine awaits, so that it raises CancelledError there. A coroutine that awaits something else
        then is cancelled there too, and at last closed.
        """
        if self.finished:
            return
        if self._deferred is None or self._coroutine.cr_running:  # type: ignore[attr-defined]
            # The coroutine has caused this. It is cancelled when it waits for something.
            self._clock.callLater(0, self.cancel)
            return
        for _ in range(MAX_CANCELLATIONS):
            self._deferred.cancel()
            if self.finished:
                return
        self.finished = True
        # What it awaits may still fire. Then the closed coroutine cannot run, which is no error.
        self._deferred.addErrback(lambda _: None)
        self._coroutine.close()
