"""
What becomes of a visit: any callable that takes one will do; these write them to the log.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from sockservices.conversation.outcome import Outcome
from sockservices.conversation.visit import Visit
from sockservices.text.addresses import addressText
from sockservices.text.exceptions import exceptionText

__all__ = ["Record", "VisitLog", "logVisit", "recordVisit"]

log = Logger("sockservices")

#: Called once with each finished conversation.
Record: TypeAlias = Callable[[Visit], object]

#: Lines a second; a line costs some 60 microseconds, and a flood of them would cost more than the conversations.
MOST = 100

#: Seconds between two summaries of what was not told one by one.
PAUSE = 10.0


class VisitLog:
    """
    One line for each conversation, up to 100 a second; what is over, and every refusal, is summed up every 10 seconds.
    """

    def __init__(self, clock: IReactorTime | None = None, seconds: Callable[[], float] = time.monotonic) -> None:
        """
        @param clock: tells a summary when its time has come. Without one it waits for the next visit, or L{flush}.
        @param seconds: a clock that never goes back, in seconds.
        """
        self._clock = clock
        self._seconds = seconds
        self._second = self._summed = -PAUSE
        self._lines = 0
        self._untold: Counter[Outcome] = Counter()
        self._later: IDelayedCall | None = None

    def __call__(self, visit: Visit) -> None:
        """
        Log a visit, now or in the next summary.
        """
        now = self._seconds()
        if now - self._second >= 1.0:
            self._second, self._lines = now, 0
        if visit.outcome is Outcome.REFUSED or self._lines >= MOST:
            self._untold[visit.outcome] += 1
            if self._clock is not None and self._later is None:
                self._later = self._clock.callLater(max(0.0, self._summed + PAUSE - now), self.flush)
        else:
            self._lines += 1
            log.info(
                "{service} {transport} {peer} {outcome}: {seconds:.3f} s, {received} bytes received, {sent} sent",
                service=visit.service,
                transport=visit.transport,
                peer=addressText(visit.peer) or "-",
                outcome=visit.outcome.value,
                seconds=visit.seconds,
                received=visit.received,
                sent=visit.sent,
            )
        if self._untold and now - self._summed >= PAUSE:
            self.flush()

    def flush(self) -> None:
        """
        Sum up what has not been told.
        """
        self._summed = self._seconds()
        later, self._later = self._later, None
        if later is not None and later.active():
            later.cancel()
        if self._untold:
            counts = ", ".join(f"{count} {outcome.value}" for outcome, count in self._untold.most_common())
            self._untold.clear()
            log.info("further conversations, not told one by one: {counts}", counts=counts)


def recordVisit(record: Record, visit: Visit) -> None:
    """
    Call a recorder, whose faults are its own: they end no conversation.
    """
    try:
        record(visit)
    except Exception as fault:
        log.error("recording a visit raised {fault}", fault=exceptionText(fault))


#: The default: no timer of its own, so that nothing is left in a reactor that is not ours.
logVisit = VisitLog()
