"""
Tells a responder that its conversation is over.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress

from sockservices.conversation.outcome import Outcome
from sockservices.conversation.responder import MakeResponder, Responder, serviceName
from sockservices.monitoring.exception_log import logException

__all__ = ["callEnded", "overridesEnded"]


def overridesEnded(make: MakeResponder) -> bool:
    """
    Whether the responders may have an C{ended} of their own: most have none, and then no call is made.
    """
    return not isinstance(make, type) or getattr(make, "ended", Responder.ended) is not Responder.ended


def callEnded(responder: Any, outcome: Outcome, serial: int, peer: IAddress | None) -> None:
    """
    Call C{ended}. What it raises is logged, and goes no further.

    @param responder: L{None} where none was made.
    """
    ended = getattr(responder, "ended", None)
    if ended is not None:
        try:
            ended(outcome)
        except BaseException as exception:
            logException(serviceName(responder), exception, serial, peer, ended=True)
