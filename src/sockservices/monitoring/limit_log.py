"""
Logs exceeded limits: a client cannot distinguish a refusal from a lost connection or datagram.
"""

from __future__ import annotations

from collections import Counter

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from sockservices.admission.census import ExceededLimit
from sockservices.conversation.policy import optionName
from sockservices.text.counts import counted

__all__ = ["LimitLog"]

log = Logger("sockservices")

#: Seconds between two lines.
LOG_INTERVAL = 10.0

#: The maximum number of sources with a count of their own until the next line.
MAX_COUNTED = 1000

#: The maximum number of sources that one line names.
MAX_NAMED = 5

#: In place of the sources that are not counted apart or not named.
OTHERS = "other sources"


class LimitLog:
    """
    One line when a limit is exceeded, and then at most one in 10 seconds with the counts.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._counts: Counter[ExceededLimit] = Counter()
        self._call: IDelayedCall | None = None

    def __call__(self, exceeded: ExceededLimit) -> None:
        """
        Log an exceeded limit, or count it for the next line.
        """
        if exceeded not in self._counts and len(self._counts) >= MAX_COUNTED:
            exceeded = exceeded._replace(source=OTHERS)
        self._counts[exceeded] += 1
        if self._call is None:
            self._due()

    def flush(self) -> None:
        """
        Log the counts, and stop the timer.
        """
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
        self._log()

    def _due(self) -> None:
        self._call = None
        if self._counts:
            self._log()
            self._call = self._clock.callLater(LOG_INTERVAL, self._due)

    def _log(self) -> None:
        counts = self._named()
        if not counts:
            return
        self._counts.clear()
        log.warn(
            "{text} (at most one such line in {interval:.0f} s)",
            text="; ".join(_text(exceeded, count) for exceeded, count in counts.items()),
            interval=LOG_INTERVAL,
            exceeded=[
                {"option": optionName(each.limit), "limit": each.number, "peer": each.source, "count": count}
                for each, count in counts.items()
            ],
        )

    def _named(self) -> dict[ExceededLimit, int]:
        """
        The sources with the highest counts, and then all others together.
        """
        named: dict[ExceededLimit, int] = {}
        others: Counter[ExceededLimit] = Counter()
        for exceeded, count in self._counts.most_common():
            if len(named) < MAX_NAMED and exceeded.source != OTHERS:
                named[exceeded] = count
            else:
                others[exceeded._replace(source=OTHERS)] += count
        return named | others


def _text(exceeded: ExceededLimit, count: int) -> str:
    datagrams = exceeded.limit == "udpRate"
    things = counted(count, "datagram" if datagrams else "connection")
    # The path of a Unix socket may hold any characters.
    source = ascii(exceeded.source)[1:-1]
    effect = "not answered" if datagrams else "refused"
    return f"over {optionName(exceeded.limit)} {exceeded.number}: {things} from {source} {effect}"
