"""
Conversations over streams, as many as the policy allows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IReactorTime

from sockservices.admission.census import Census
from sockservices.conversation.framed_stream import framedMaker
from sockservices.conversation.policy import Policy
from sockservices.conversation.responder_types import checkMaker
from sockservices.monitoring.exception_log import ignoreException
from sockservices.monitoring.recorders import Record, logVisit
from sockservices.protocols.coroutine_protocol import CoroutineProtocol
from sockservices.protocols.limited_factory import LimitedFactory, Refusal
from sockservices.protocols.responder_end import overridesEnded
from sockservices.protocols.stream import StreamProtocol
from sockservices.protocols.timer import UnstartedTimers
from sockservices.scripting.coroutine_service import Service, isCoroutineService

__all__ = ["Refusal", "StreamFactory"]


class StreamFactory(LimitedFactory):
    """
    Serves one responder over TCP or Unix-stream connections, on any stream transport.

    @ivar unstartedTimers: the timers of new conversations.
    @ivar callsEnded: whether the responders may have an C{ended} of their own.
    @ivar onException: called with each exception that resets a conversation, after it is logged.
    """

    responder: Service

    def __init__(
        self,
        responder: Service,
        policy: Policy = Policy(),  # noqa: B008 (it is frozen)
        record: Record = logVisit,
        clock: IReactorTime | None = None,
        census: Census | None = None,
    ) -> None:
        """
        @param responder: a L{Responder} class, another callable that makes a responder, or a coroutine function.
        @param policy: the limits.
        @param record: called with the L{Visit} of each conversation that has ended, and of each refused connection.
        @param clock: the reactor, or a L{twisted.internet.task.Clock}; by default the global reactor, once needed.
        @param census: counts the connections; listeners with the same census share limits.
        @raise TypeError: for an object that cannot make a responder.
        """
        checkMaker(responder)
        super().__init__(policy, record, clock, census)
        self.unstartedTimers = UnstartedTimers()
        self.responder = make = responder
        scripted = isCoroutineService(make)
        self.makeResponder: Any = make if scripted else framedMaker(make)  # type: ignore[arg-type]
        self.callsEnded = not scripted and overridesEnded(make)  # type: ignore[arg-type]
        self.onException: Callable[[BaseException], object] = ignoreException
        # Not a method: that would be one more call for each connection.
        self._makeProtocol = partial(CoroutineProtocol if scripted else StreamProtocol, self)
