"""
Drives a responder, without I/O: messages go in, replies come out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from sockservices.conversation.context import Conversation
from sockservices.conversation.outcome import Outcome
from sockservices.conversation.phase import ABORTED, CLOSING, OPEN, Phase
from sockservices.conversation.responder import MakeResponder, Responder, serviceName
from sockservices.conversation.responder_types import ResponderTypeError, replyError, responderError

__all__ = ["Exchange"]

#: In CPython 3.11, C{Outcome.FINISHED} is a function call.
FINISHED = Outcome.FINISHED


class Exchange:
    """
    One conversation with one responder. Times are in seconds by the server's clock.

    A responder may return an awaitable in place of a reply: then the exchange awaits it, queues the messages that
    arrive, and continues when L{resume} gets the result or L{fail} the exception.

    @ivar phase: the phase of the conversation.
    @ivar outcome: the outcome of the conversation, or L{None} while it is open.
    @ivar exception: the exception that the responder raised, or L{None}. It aborts the conversation.
    @ivar awaiting: the awaitable that the responder returned in place of a reply, or L{None}.
    @ivar generator: the responder's endless output on a stream, or L{None}.
    @ivar changed: set when the phase, C{awaiting} or the time of the next check changes; the caller clears it.
    @ivar idleSince: when the peer last sent data, took all pending data, or got an awaited reply.
    @ivar received: how many bytes came from the peer.
    @ivar responder: the responder; L{None} before L{open}, and where none was made.
    @ivar sent: how many bytes were returned as replies.
    """

    __slots__ = (
        *("_answer", "_awaitedMethod", "_checkScheduled", "_make", "_queue", "_rejectLateData", "_whenFinished"),
        *("awaiting", "changed", "exception", "generator", "idleSince", "outcome", "phase", "received", "responder"),
        "sent",
    )

    def __init__(self, make: MakeResponder) -> None:
        self._make = make
        self.responder: Responder | None = None
        self._answer: Callable[[bytes], Any] | None = None  # None: messages are dropped, or queued
        self._queue: deque[bytes] | None = None  # messages that came while a reply is awaited
        self._whenFinished = FINISHED  # the outcome when the responder has finished
        self._rejectLateData = False  # a clean close would look to the peer like an answer to its late data
        self._checkScheduled = True  # a check of whether the peer acknowledges a reply is due, or not needed
        self.idleSince = 0.0
        self.awaiting: Any = None
        self.generator: Iterator[bytes] | None = None
        self.exception: BaseException | None = None
        self.outcome: Outcome | None = None
        self.phase = OPEN
        self.changed = False
        self.received = self.sent = 0

    @property
    def service(self) -> str:
        """
        The name of the service.
        """
        return serviceName(self._make if self.responder is None else self.responder)

    def open(self, conversation: Conversation) -> bytes | None:
        """
        Make the responder.

        @return: its greeting.
        """
        responder = None
        try:
            self.responder = responder = self._make(conversation)
            greeting = responder.greeting()
            if greeting is not None and not isinstance(greeting, bytes):
                self._await(greeting, "greeting")
                return None
            self._replied(greeting)
        except BaseException as exception:
            error = responderError(self._make, responder, exception)
            # An exchange of datagrams may have the responder of the previous one.
            self.responder = responder if error is exception else None
            self.fail(error)
            return None
        return greeting

    def receive(self, message: bytes, now: float = 0.0) -> bytes | None:
        """
        Answer a message: a segment of a stream, or a whole datagram. It is dropped while the responder generates
        output, and when the conversation is ending.

        @return: the reply: L{None} is none, C{b""} an empty datagram.
        """
        self.idleSince = now
        self.received += len(message)
        answer = self._answer
        if answer is None:
            if self._queue is not None:
                self._queue.append(message)
            elif self._rejectLateData:
                self.abort(self.outcome or Outcome.DRAINED)
            return None
        try:
            reply = answer(message)
            if isinstance(reply, bytes):
                self.sent += len(reply)
            elif reply is not None:
                self._await(reply, "answer")
                return None
            if self.responder.finished:  # type: ignore[union-attr]
                self.close(self._whenFinished)
            elif reply and not self._checkScheduled:
                self._scheduleCheck()
        except BaseException as exception:
            self.fail(exception)
            return None
        return reply  # type: ignore[no-any-return]

    def _replied(self, reply: bytes | None) -> None:
        """
        The greeting or an awaited reply is known: answer messages from now on, unless the responder has finished.
        """
        responder = self.responder
        assert responder is not None
        self.sent += len(reply or b"")
        if responder.finished:
            self.close(self._whenFinished)
        else:
            self._answer = responder.answer
            if reply and not self._checkScheduled:
                self._scheduleCheck()

    def _scheduleCheck(self) -> None:
        raise NotImplementedError

    # Replies that come later.

    def _await(self, reply: Any, method: str) -> None:
        if not hasattr(reply, "__await__"):
            self.fail(replyError(self.responder, method, reply))
            return
        self._awaitedMethod = method
        self.awaiting, self._answer = reply, None
        if self._queue is None:
            self._queue = deque()
        self.changed = True

    def resume(self, reply: Any, now: float = 0.0) -> bytes | None:
        """
        Continue with the awaited reply, and answer the messages that arrived while it was awaited.

        @param reply: bytes or L{None}.
        @return: this reply and those that follow, up to the next that is awaited.
        """
        if self.awaiting is None:
            return None
        self.awaiting = None
        if reply is not None and not isinstance(reply, bytes):
            self.fail(replyError(self.responder, self._awaitedMethod, reply))
            return None
        try:
            self._replied(reply)
        except BaseException as exception:
            self.fail(exception)
            return None
        while self._queue and self._answer is not None:
            message = self._queue.popleft()
            self.received -= len(message)  # It was counted when it came.
            following = self.receive(message, now)
            if following is not None:
                reply = (reply or b"") + following
        if self.awaiting is None:
            self._queue = None
        return reply  # type: ignore[no-any-return]

    def fail(self, exception: BaseException) -> None:
        """
        Abort because the responder raised. Even SystemExit ends only the conversation that raised it.
        """
        if isinstance(exception, ResponderTypeError):
            # Its text names the responder's method. The traceback would end in the code that calls the method.
            exception = exception.with_traceback(None)
        self.exception = exception
        self.abort(Outcome.ERROR)

    # The ways out.

    def close(self, outcome: Outcome) -> None:
        """
        End the conversation in good order. Nothing more is answered.
        """
        if self.phase is OPEN:
            self._stop(CLOSING, outcome)

    def abort(self, outcome: Outcome) -> None:
        """
        Reset the connection, so that the peer detects missing data.
        """
        if self.phase is not ABORTED:
            self._stop(ABORTED, outcome)

    def _stop(self, phase: Phase, outcome: Outcome) -> None:
        self.phase, self.outcome, self.changed = phase, outcome, True
        self._answer = self._queue = self.awaiting = self.generator = None
