"""
Drives a responder through a stream, without I/O. Bytes, end and time go in; replies and the next check come out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import islice
from typing import Any

from sockservices.conversation.exchange import Exchange
from sockservices.conversation.outcome import Outcome
from sockservices.conversation.phase import ABORTED, CLOSED, CLOSING, LINGERING, OPEN
from sockservices.conversation.policy import Policy
from sockservices.conversation.responder import MakeResponder
from sockservices.conversation.responder_types import outputError
from sockservices.conversation.timeouts import Timeouts

__all__ = ["StreamExchange"]

#: Seconds for which a connection is read after our FIN. A close with unread input sends a reset, and the reset discards
#: the data that the peer has not read yet (RFC 1122 4.2.2.13).
LINGER = 1.0

#: Bytes of generated output that are joined at a time.
GENERATED_BYTES = 65536

#: The maximum number of pieces that are joined at a time: it bounds a turn with a generator of empty pieces.
MAX_PIECES = 1024

#: Timeouts that end a conversation in good order, because no data is pending; every other one resets.
CLEAN = frozenset({Outcome.TIMED_OUT, Outcome.IDLE, Outcome.DRAINED})


class StreamExchange(Exchange):
    """
    One conversation over a connection.

    @ivar ended: whether the peer's FIN has come. It may wait behind an awaited reply.
    @ivar nextCheck: the time at which L{check} must be called.
    """

    __slots__ = ("_endAnswered", "_greeted", "_lingerUntil", "_timeouts", "ended", "nextCheck")

    def __init__(self, make: MakeResponder, policy: Policy, now: float) -> None:
        super().__init__(make)
        self._timeouts = Timeouts(policy)
        self._greeted = False  # the greeting has been returned
        self._endAnswered = False  # the responder has replied to a FIN without a first message
        self.idleSince = now
        self._lingerUntil = self.nextCheck = math.inf
        self._checkScheduled = self.ended = False

    def _replied(self, reply: bytes | None) -> None:
        super()._replied(reply)
        if self._greeted or self.phase is not OPEN:
            return
        self._greeted, responder = True, self.responder
        assert responder is not None
        try:
            self.generator = responder.generate()
        except BaseException as exception:
            self.fail(exception)
        if self.generator is not None:
            self._answer = None
        self.nextCheck = min(self.nextCheck, self._timeouts.start(self.idleSince, responder.deadline))
        self.changed = True

    def end(self) -> bytes | None:
        """
        The peer's FIN: end after the pending data is sent.

        @return: the reply to C{b""}, if the responder expected a first message and none came.
        """
        if self.phase in (CLOSING, LINGERING):
            self.phase, self.changed = CLOSED, True
        if self.phase is not OPEN:
            return None
        self.ended, self._whenFinished = True, Outcome.DONE
        if self.awaiting is not None:
            return None
        reply = None
        silent = not (self.received or self._endAnswered)
        if silent and self._answer is not None and self.responder.deadline is not None:  # type: ignore[union-attr]
            self._endAnswered = True  # The reply may be awaited; then this method is called again.
            reply = self.receive(b"", self.idleSince)
        if self.awaiting is None:
            self.close(Outcome.DONE)
        return reply

    def generate(self, now: float) -> bytes:
        """
        Take the next part of the endless output: some 64 KiB. The conversation ends where it ends.
        """
        self.idleSince = now
        pieces: list[bytes] = []
        length = 0
        try:
            for piece in islice(self.generator or (), MAX_PIECES):
                pieces.append(piece)
                length += len(piece)
                if length >= GENERATED_BYTES:
                    break
            output = b"".join(pieces)
        except BaseException as exception:
            self.fail(outputError(self.responder, self.generator, pieces, exception))
            return b""
        self.sent += length
        if not self._checkScheduled:
            self._scheduleCheck()
        if length < GENERATED_BYTES and len(pieces) < MAX_PIECES:
            self.close(self._whenFinished)
        return output

    def resume(self, reply: Any, now: float = 0.0) -> bytes | None:
        """
        Continue with the awaited reply, then the messages that arrived while it was awaited, then the peer's FIN.
        """
        self.idleSince = now  # While the reply was awaited no timeout was counted.
        given = super().resume(reply, now)
        if self.phase is OPEN and self.awaiting is None:
            if self.ended:
                return (given or b"") + (self.end() or b"")
            self._checkBy(now)
        return given

    def finSent(self, now: float) -> None:
        """
        Our FIN is out. Input is still read for a moment.
        """
        if self.phase is CLOSING:
            self.phase, self.changed = LINGERING, True
            self._lingerUntil = now + LINGER
            self.nextCheck = min(self.nextCheck, self._lingerUntil)

    def lost(self, clean: bool, unsent: Callable[[], int]) -> Outcome:
        """
        The connection is gone.

        @param clean: whether it was closed, and not reset.
        @param unsent: returns how many bytes were written that can no longer be sent.
        """
        if self.outcome is None:
            self.outcome = Outcome.DONE if clean else Outcome.RESET
        elif not clean and self.phase is not ABORTED and unsent():
            # It was ending in good order, but not all was sent. A Unix peer that closes early gives no other sign.
            self.outcome = Outcome.RESET
        if self.phase is OPEN:
            self._stop(CLOSED, self.outcome)
        self.phase = CLOSED
        self.responder = self.exception = None  # Break the cycles of these and the protocol.
        return self.outcome

    def _checkBy(self, at: float) -> None:
        if at < self.nextCheck:
            self.nextCheck, self.changed = at, True

    def _scheduleCheck(self) -> None:
        # Scheduled once, and not for every reply: until that check it is early enough for those that follow.
        self._checkScheduled = True
        self._checkBy(self._timeouts.replyCheck(self.idleSince))

    def trackProgress(self, now: float, unacked: Callable[[], int]) -> None:
        """
        Data is pending for the peer: track how much of it the peer takes.

        @param unacked: returns how many bytes are not acknowledged, by a system call.
        """
        if not self._timeouts.tracking:
            self._checkBy(self._timeouts.trackProgress(now, self.sent - unacked()))

    def closes(self, now: float) -> None:
        """
        The conversation is ending: count the close grace.
        """
        self.nextCheck = min(self.nextCheck, self._timeouts.close(now))

    def drain(self) -> None:
        """
        The server stops: end when no data is pending and the peer is silent. Call L{check} next.
        """
        self._timeouts.draining = True
        if self.generator is not None:
            self.close(Outcome.DRAINED)

    def check(self, now: float, unacked: int, paused: bool) -> None:
        """
        End a conversation that has timed out, or set the time of the next check.

        @param unacked: how many bytes the peer's kernel has not acknowledged.
        @param paused: whether the transport's buffer is full.
        """
        self._checkScheduled = False
        self.nextCheck = math.inf
        if self.phase is ABORTED:
            return
        if now >= self._lingerUntil:
            self.phase, self.changed = CLOSED, True
        elif self.phase is LINGERING and not unacked:
            # The peer has all data. Its FIN may arrive until the end of the linger, even with a shorter close grace.
            self._checkBy(self._lingerUntil)
        elif self.awaiting is None or unacked:
            acked, pending = self.sent - unacked, paused or unacked > 0
            self._timedOut(self._timeouts.check(now, self.idleSince, self.received > 0, acked, pending))
        else:
            self._timeouts.tracking = False  # The time until the reply comes is no gap of the peer's.

    def _timedOut(self, passed: Outcome | float) -> None:
        if not isinstance(passed, Outcome):
            self._checkBy(min(passed, self._lingerUntil))
        elif passed not in CLEAN:
            self.abort(passed)
        elif self.phase is OPEN:
            self.close(passed)
            self._rejectLateData = passed is not Outcome.TIMED_OUT
