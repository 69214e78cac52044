"""
Recorders: callables that take the L{Visit} of each finished conversation. L{VisitLog} writes it to the log.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import TypeAlias

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from sockservices.conversation.outcome import Outcome
from sockservices.conversation.visit import Visit
from sockservices.text.addresses import addressText
from sockservices.text.counts import counted
from sockservices.text.exceptions import exceptionText

__all__ = ["Record", "VisitLog", "logVisit", "recordVisit"]

log = Logger("sockservices")

#: Called once for each finished conversation.
Record: TypeAlias = Callable[[Visit], object]

#: A line costs some 60 microseconds: without a limit, lines could cost more than the conversations.
LINES_PER_SECOND = 100

#: Seconds between two summaries of conversations without a line of their own.
SUMMARY_INTERVAL = 10.0


class VisitLog:
    """
    Logs one line for each conversation, up to 100 a second. Every 10 seconds it logs a summary of the others and of all
    refused connections.
    """

    def __init__(self, clock: IReactorTime | None = None, seconds: Callable[[], float] = time.monotonic) -> None:
        """
        @param clock: calls L{flush} when a summary is due. Without one a summary waits for the next visit, or L{flush}.
        @param seconds: a monotonic clock, in seconds.
        """
        self._clock = clock
        self._seconds = seconds
        self._secondBegan = self._summarizedAt = -SUMMARY_INTERVAL
        self._lines = 0
        self._unlogged: Counter[tuple[str, Outcome]] = Counter()
        self._summaryCall: IDelayedCall | None = None

    def __call__(self, visit: Visit) -> None:
        """
        Log a visit: now, or in the next summary.
        """
        now = self._seconds()
        if now - self._secondBegan >= 1.0:
            self._secondBegan, self._lines = now, 0
        if visit.outcome is Outcome.REFUSED or self._lines >= LINES_PER_SECOND:
            self._unlogged[visit.service, visit.outcome] += 1
            if self._clock is not None and self._summaryCall is None:
                delay = max(0.0, self._summarizedAt + SUMMARY_INTERVAL - now)
                self._summaryCall = self._clock.callLater(delay, self.flush)
        else:
            self._lines += 1
            log.info(
                "{service} {transport} {peer} {outcome}: {seconds:.3f} s, {received} bytes received, {sent} sent{more}",
                service=visit.service,
                transport=visit.transport,
                peer=addressText(visit.peer) or "-",
                outcome=visit.outcome.value,
                seconds=visit.seconds,
                received=visit.received,
                sent=visit.sent,
                more="".join(f", {word} {times}" for word, times in visit.faults),
                **({"faults": dict(visit.faults)} if visit.faults else {}),
            )
        if self._unlogged and now - self._summarizedAt >= SUMMARY_INTERVAL:
            self.flush()

    def flush(self) -> None:
        """
        Log the summary now, if there is anything to summarize.
        """
        self._summarizedAt = self._seconds()
        call, self._summaryCall = self._summaryCall, None
        if call is not None and call.active():
            call.cancel()
        if not self._unlogged:
            return
        outcomes: Counter[Outcome] = Counter()
        counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for (service, outcome), count in self._unlogged.most_common():
            outcomes[outcome] += count
            counts[service][outcome.value] = count
        self._unlogged.clear()
        log.info(
            "{more} not logged individually: {text}",
            more=counted(outcomes.total(), "more conversation"),
            text=", ".join(f"{count} {outcome.value}" for outcome, count in outcomes.most_common()),
            counts=counts,
        )


def recordVisit(record: Record, visit: Visit) -> None:
    """
    Call a recorder. Log its exception, if any: the error of a recorder ends no conversation.
    """
    try:
        record(visit)
    except Exception as error:
        log.error("recording a visit raised {error}", error=exceptionText(error))


#: The default recorder. It has no clock, so that it leaves no timer in an embedder's reactor.
logVisit = VisitLog()
