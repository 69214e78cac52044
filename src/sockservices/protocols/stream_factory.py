"""
Conversations over streams, as many as the policy allows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.internet.interfaces import IReactorTime

from sockservices.admission.census import Census
from sockservices.conversation.framed_stream import framedMaker
from sockservices.conversation.policy import Policy
from sockservices.conversation.responder import MakeResponder
from sockservices.conversation.responder_types import checkMaker
from sockservices.monitoring.exception_log import ignoreException
from sockservices.monitoring.recorders import Record, logVisit
from sockservices.protocols.limited_factory import LimitedFactory, Refusal
from sockservices.protocols.responder_end import overridesEnded
from sockservices.protocols.stream import StreamProtocol
from sockservices.protocols.timer import UnstartedTimers

__all__ = ["Refusal", "StreamFactory"]


class StreamFactory(LimitedFactory):
    """
    Serves one responder over TCP or Unix-stream connections, on any stream transport.

    @ivar unstartedTimers: the timers of new conversations.
    @ivar makeResponder: makes the responder of a stream.
    @ivar callsEnded: whether the responders may have an C{ended} of their own.
    @ivar onException: called with each exception that resets a conversation, after it is logged.
    """

    responder: MakeResponder

    def __init__(
        self,
        responder: MakeResponder,
        policy: Policy = Policy(),  # noqa: B008 (it is frozen)
        record: Record = logVisit,
        clock: IReactorTime | None = None,
        census: Census | None = None,
    ) -> None:
        """
        @param responder: a L{Responder} class, or another callable that makes a responder.
        @param policy: the limits.
        @param record: called with the L{Visit} of each conversation that has ended, and of each refused connection.
        @param clock: the reactor, or a L{twisted.internet.task.Clock}; by default the global reactor, once needed.
        @param census: counts the connections; listeners with the same census share limits.
        @raise TypeError: for an object that cannot make a responder.
        """
        checkMaker(responder)
        super().__init__(policy, record, clock, census)
        self.unstartedTimers = UnstartedTimers()
        self.responder = responder
        self.makeResponder = framedMaker(responder)
        self.callsEnded = overridesEnded(responder)
        self.onException: Callable[[BaseException], object] = ignoreException
        # Not a method: that would be one more call for each connection.
        self._makeProtocol = partial(StreamProtocol, self)
