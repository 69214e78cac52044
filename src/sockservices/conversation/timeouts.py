"""
When a connection must end. Pure: told the time, it says what is over, or when to look again.
"""

from __future__ import annotations

import math

from sockservices.conversation.outcome import Outcome
from sockservices.conversation.policy import Policy

__all__ = ["Deadlines", "glance"]

#: Seconds of silence after which a connection counts as quiet, and may end, when the server stops.
QUIET = 0.5

#: The most seconds between two looks at a peer that is owed something.
TICK = 1.0


def glance(patience: float) -> float:
    """
    The seconds between two looks, by the seconds after which patience is at its end (0: never).
    """
    return (patience or math.inf) / 10


class Deadlines:
    """
    The deadlines of one connection. What happens is only noted here; all is worked out when the timer looks.

    @ivar draining: the server stops.
    @ivar watched: the peer is owed something, and watched for taking it.
    """

    __slots__ = ("_beganAt", "_closing", "_first", "_policy", "_taken", "_takenAt", "draining", "watched")

    def __init__(self, policy: Policy, now: float) -> None:
        self._policy = policy
        self._beganAt = self._takenAt = now
        self._first = 0.0
        self._taken = 0
        self.watched = self._closing = self.draining = False

    def expect(self, deadline: float | None) -> None:
        """
        The responder wants its first message within so many seconds; the policy may say otherwise.
        """
        if deadline is not None:
            self._first = deadline if self._policy.timeout is None else self._policy.timeout

    def first(self) -> float:
        """
        When to look first, in seconds by the server's clock. A responder that has a deadline of its own has short
        conversations: then it is early enough for their end, too, and most of them have one timer that is never moved.
        """
        if self._first:
            return min(self.soon(self._beganAt), self._beganAt + self._first)
        return self._beganAt + (self._policy.idleTimeout or math.inf)

    def soon(self, now: float) -> float:
        """
        When to look whether the peer takes the last words, in seconds by the server's clock.
        """
        return now + min(TICK, glance(self._policy.closeGrace))

    def close(self) -> None:
        """
        The conversation is ending: from now on the close grace is all there is.
        """
        self._closing = True
        self.watched = False

    def owe(self, now: float, taken: int) -> float:
        """
        The peer is owed something: watch that it takes it.

        @param taken: how many bytes the peer's kernel has taken so far.
        @return: when to look, in seconds by the server's clock.
        """
        if not self.watched:
            self.watched, self._taken, self._takenAt = True, taken, now
        # Without patience too: whether the peer is idle, or may be drained, is seen only once it has taken all.
        return now + min(TICK, glance(self._patience))

    @property
    def _patience(self) -> float:
        return self._policy.closeGrace if self._closing else self._policy.stallTimeout

    def look(self, now: float, heardAt: float, heard: bool, taken: int, owed: bool) -> Outcome | float:
        """
        What is over now, or else when to look again.

        Stalled is a peer whose kernel took nothing for so long, however slow it was before. Idle is one that sent
        nothing and is owed nothing.

        @param heardAt: when the peer was last heard, in seconds by the server's clock.
        @param heard: whether a first message has come.
        @param taken: how many bytes the peer's kernel has taken so far.
        @param owed: whether it has still to take some. While the conversation is ending, its end is owed.
        """
        policy = self._policy
        again = math.inf
        owed = owed or self._closing
        if not owed or taken != self._taken:
            self.watched = False
        if owed:
            again = self.owe(now, taken)
            if self._patience and now >= self._takenAt + self._patience:
                return Outcome.GRACE if self._closing else Outcome.STALLED
        if self._closing:
            return again
        if self._first and not heard:
            at, outcome = self._beganAt + self._first, Outcome.TIMED_OUT
        elif policy.idleTimeout and not owed:
            at, outcome = heardAt + policy.idleTimeout, Outcome.IDLE
        else:
            at, outcome = math.inf, Outcome.IDLE
        if self.draining and not owed and heardAt + QUIET < at:
            at, outcome = heardAt + QUIET, Outcome.DRAINED
        return outcome if now >= at else min(at, again)
