"""
Drives a coroutine through a stream. Bytes, end and time go in; what the coroutine sends goes to a port at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from sockservices.conversation.context import Conversation
from sockservices.conversation.outcome import Outcome
from sockservices.conversation.phase import OPEN, Phase
from sockservices.conversation.policy import Policy
from sockservices.conversation.responder_types import ResponderTypeError
from sockservices.conversation.stream_exchange import StreamExchange
from sockservices.scripting.connected_peer import ConnectedPeer
from sockservices.scripting.coroutine_run import CoroutineRun
from sockservices.scripting.coroutine_service import CoroutineService
from sockservices.scripting.port import Port
from sockservices.scripting.remote_peer import ReceiveTimeout
from sockservices.transports.stream_reader import IncompleteRead, StreamReader

__all__ = ["TURN", "CoroutineExchange"]

#: Bytes that a coroutine sends before the reactor gets a turn, however fast the peer reads.
BYTES_PER_TURN = 65536

#: Seconds for which a coroutine waits that has sent so many. Not 0, because a L{Clock<twisted.internet.task.Clock>}
#: calls what is due at once in the same turn.
TURN = 1e-5


class CoroutineExchange(StreamExchange):
    """
    One conversation of a coroutine over a connection.

    @ivar reader: the bytes that have come and wait to be received.
    @ivar finished: whether the coroutine has ended its side.
    """

    _make: Any
    _run: CoroutineRun | None = None
    _peer: ConnectedPeer | None = None

    def __init__(self, service: CoroutineService, policy: Policy, now: float, port: Port, clock: IReactorTime) -> None:
        """
        @param now: seconds by the server's clock.
        """
        super().__init__(service, policy, now)  # type: ignore[arg-type]
        self._port = port
        self.clock = clock
        self.reader = StreamReader(port.pauseReading, port.resumeReading)
        self.finished = False
        self._senders: list[Deferred[None]] = []
        self._sentThisTurn = self._sentBeforeReceive = 0

    # Called by the protocol.

    def open(self, conversation: Conversation) -> None:
        """
        Start the coroutine.
        """
        self._checkBy(self._timeouts.start(self.idleSince, getattr(self._make, "deadline", None)))
        self._peer = peer = ConnectedPeer(self, conversation)
        self._run = run = CoroutineRun(self._make(peer), self.clock)
        run.start(self._returned, self._raised)

    def receive(self, message: bytes, now: float = 0.0) -> None:
        """
        A segment has come.
        """
        if self.phase is OPEN:
            self.idleSince = now
            self.received += len(message)
            self.reader.received(message)
        else:
            super().receive(message, now)

    def end(self) -> bytes | None:
        """
        The peer's FIN: the coroutine receives the end, and may go on.
        """
        if self.phase is not OPEN:
            return super().end()
        self.ended, self._whenFinished = True, Outcome.DONE
        self.reader.end()
        return None

    def resumeSending(self) -> None:
        """
        The peer has taken what waited.
        """
        senders, self._senders = self._senders, []
        for sender in senders:
            sender.callback(None)

    def lost(self, clean: bool, unsent: Callable[[], int]) -> Outcome:
        """
        The connection is gone. A coroutine that waits to receive gets the end, if that was clean.
        """
        if clean and self.phase is OPEN and not self.ended:
            self.end()
        self._endRun()
        return super().lost(clean, unsent)

    def check(self, now: float, unacked: int, paused: bool) -> None:
        """
        End what has timed out. A coroutine that waits for something else than the peer is not idle.
        """
        if self.phase is OPEN and not (self.reader.receiving or unacked):
            self._checkScheduled = False
            self.nextCheck = math.inf
            self._timeouts.tracking = False
        else:
            super().check(now, unacked, paused)

    def _stop(self, phase: Phase, outcome: Outcome) -> None:
        super()._stop(phase, outcome)
        self._endRun()

    def _endRun(self) -> None:
        if self._peer is not None and self._run is not None:
            self._peer.isOver = True
            self.reader.discard()
            self._run.cancel()

    def _scheduleCheck(self) -> None:
        self._checkScheduled = True
        self._checkBy(self._timeouts.replyCheck(self.clock.seconds()))

    # Called by the coroutine's peer.

    def send(self, data: bytes) -> Deferred[None]:
        """
        Send bytes.

        @return: fires when the coroutine may send more.
        """
        self.sent += len(data)
        self._sentThisTurn += len(data)
        if data:
            self._port.write(data)
        if not self._checkScheduled:
            self._scheduleCheck()
        if self.changed:
            self._port.follow()
        if self._port.writingPaused:
            self._sentThisTurn = 0
            sender: Deferred[None] = Deferred(self._senders.remove)
            self._senders.append(sender)
            return sender
        if self._sentThisTurn < BYTES_PER_TURN:
            return succeed(None)
        self._sentThisTurn = 0
        return deferLater(self.clock, TURN)

    def waitsForPeer(self) -> None:
        """
        The coroutine begins to receive. From now on, the peer may be idle.
        """
        if not self.reader.receiving:
            return
        self._sentThisTurn = 0
        if self.nextCheck == math.inf or self.sent != self._sentBeforeReceive:
            self._sentBeforeReceive = self.sent
            self.idleSince = now = self.clock.seconds()
            if self.nextCheck == math.inf or self._timeouts.draining:
                self._checkBy(now)
                self._port.follow()

    def finish(self) -> None:
        """
        Send a FIN, and go on receiving.
        """
        if not self.finished:
            self.finished = True
            self._port.halfClose()
            self.resumeSending()

    def abortByCoroutine(self) -> None:
        """
        Reset the connection.
        """
        self.abort(Outcome.FINISHED)
        self._port.follow()

    # The end of the coroutine.

    @property
    def _isOver(self) -> bool:
        return self._peer is not None and self._peer.isOver

    def _returned(self, result: object) -> None:
        if self.phase is not OPEN or self._isOver:
            return
        if result is None:
            self.close(self._whenFinished)
        else:
            self.fail(ResponderTypeError(f"{self.service}() returned {type(result).__name__}, expected None"))
        self._port.follow()

    def _raised(self, failure: Failure) -> None:
        exception: Any = failure.value
        if self.phase is not OPEN or self._isOver:
            if not isinstance(exception, (CancelledError, IncompleteRead)):
                self._port.logException(exception)
            return
        if isinstance(exception, IncompleteRead):
            self.close(self._whenFinished)
        elif isinstance(exception, ReceiveTimeout):
            self.close(Outcome.TIMED_OUT)
        elif isinstance(exception, AssertionError):
            self.exception = exception
            self.abort(Outcome.MISMATCH)
        else:
            self.fail(exception)
        self._port.follow()
