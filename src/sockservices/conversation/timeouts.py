"""
The timeouts of one connection. Pure: time goes in; the timeout that has passed, or the time of the next check, comes
out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from operator import itemgetter

from sockservices.conversation.outcome import Outcome
from sockservices.conversation.policy import Policy

__all__ = ["Timeouts"]

#: Seconds without input after which a connection may be ended when the server stops.
QUIET = 0.5

#: The number of checks during a timeout, so that it is detected at most a tenth late.
CHECKS = 10

#: The longest time in seconds between two checks of a peer that has data pending.
MAX_CHECK_INTERVAL = 1.0

#: A stalled peer gets at least so many times the longest gap between two of its earlier acknowledgements. A full
#: receive window reopens in large steps (RFC 9293 3.8.6.2.2), so a slow reader acknowledges rarely.
GAP_FACTOR = 2

#: The longest time in seconds that a peer gets by its earlier gaps.
MAX_STALL_TIMEOUT = 300.0


class Timeouts:
    """
    The timeouts of one connection. Events only store times; L{check} compares them with the timeouts. Times are in
    seconds by the server's clock.

    @ivar draining: whether the server stops.
    @ivar tracking: whether data is pending for the peer, and its progress is tracked.
    """

    __slots__ = (
        *("_acked", "_closedAt", "_firstMessage", "_longestGap", "_policy", "_progressAt", "_startedAt"),
        *("draining", "tracking"),
    )

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._startedAt = self._progressAt = 0.0
        self._closedAt = math.inf
        self._firstMessage = self._longestGap = 0.0
        self._acked = 0
        self.tracking = self.draining = False

    def start(self, now: float, deadline: float | None) -> float:
        """
        Count the time to the first message from now on.

        A responder with a deadline has short conversations. Their first check is early enough to be the check of the
        last data too, so that most short conversations set one timer and never move it.

        @param deadline: the seconds in which the responder expects its first message. The policy may override it.
        @return: the time of the first check.
        """
        self._startedAt = now
        if deadline is not None:
            self._firstMessage = deadline if self._policy.timeout is None else self._policy.timeout
        if self._firstMessage:
            return now + min(MAX_CHECK_INTERVAL / 2, self._firstMessage)
        return now + (self._policy.idleTimeout or math.inf)

    def replyCheck(self, now: float) -> float:
        """
        The time of the check whether the peer acknowledges a reply.
        """
        return now + (self._policy.stallTimeout / CHECKS or math.inf)

    def close(self, now: float) -> float:
        """
        The conversation is ending.

        @return: the time of the next check.
        """
        self._closedAt = now
        return now + min(MAX_CHECK_INTERVAL, self._policy.closeGrace / CHECKS or math.inf)

    def trackProgress(self, now: float, acked: int) -> float:
        """
        Data is pending: track how much of it the peer's kernel acknowledges.

        @return: the time of the next check.
        """
        if not self.tracking:
            self.tracking, self._acked, self._progressAt = True, acked, now
        # Without a stall timeout too: only a check detects that all data is acknowledged and the peer is idle.
        return now + min(MAX_CHECK_INTERVAL, self._policy.stallTimeout / CHECKS or math.inf)

    def check(self, now: float, idleSince: float, received: bool, acked: int, pending: bool) -> Outcome | float:
        """
        Return the outcome if a timeout has passed, else the time of the next check.

        A peer stalls when its kernel acknowledges nothing for the stall timeout, however slow it was before; for longer
        if it has recovered from a long gap before. A peer is idle when it sends nothing while no data is pending. The
        close grace is for the peer's end, once it has all data.

        @param idleSince: the time from which the peer is idle, if no data is pending.
        @param received: whether a first message has come.
        @param acked: how many bytes the peer's kernel has acknowledged so far.
        @param pending: whether any sent bytes are not yet acknowledged.
        """
        if self.tracking and acked != self._acked:
            self._longestGap = max(self._longestGap, now - self._progressAt)
            self.tracking = False
        if pending:
            nextCheck = self.trackProgress(now, acked)
            if self._policy.stallTimeout and now >= self._progressAt + self._stallTimeout():
                return Outcome.STALLED
        else:
            self.tracking = False
            nextCheck = math.inf
        if pending and self._closedAt < math.inf:
            # The close grace is counted from the time at which the peer has all data.
            self._closedAt = now
        at, outcome = min(self._ends(idleSince, received, pending), default=(math.inf, None), key=itemgetter(0))
        return min(at, nextCheck) if outcome is None or now < at else outcome

    def _stallTimeout(self) -> float:
        timeout = self._policy.stallTimeout
        return max(timeout, min(MAX_STALL_TIMEOUT, GAP_FACTOR * self._longestGap))

    def _ends(self, idleSince: float, received: bool, pending: bool) -> Iterator[tuple[float, Outcome]]:
        """
        The times at which timeouts end the connection, if nothing happens before.
        """
        policy = self._policy
        if self._closedAt < math.inf:
            if policy.closeGrace and not pending:
                yield self._closedAt + policy.closeGrace, Outcome.GRACE
            return
        if self._firstMessage and not received:
            yield self._startedAt + self._firstMessage, Outcome.TIMED_OUT
        elif policy.idleTimeout and not pending:
            yield idleSince + policy.idleTimeout, Outcome.IDLE
        if self.draining and not pending:
            yield idleSince + QUIET, Outcome.DRAINED
