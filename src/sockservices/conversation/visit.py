"""
The record of a finished conversation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sockservices.conversation.outcome import Outcome

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress

__all__ = ["Visit"]


class Visit(NamedTuple):
    """
    One finished conversation.

    @ivar service: the responder's name.
    @ivar transport: C{"tcp"}, C{"udp"}, C{"unix"} or C{"unixgram"}.
    @ivar peer: the remote address, or L{None} where it has none.
    @ivar serial: the conversation's number, unique within the server's L{Census<sockservices.admission.census.Census>}.
    @ivar seconds: how long it lasted, in seconds.
    @ivar received: the number of bytes that came from the peer.
    @ivar sent: the number of bytes that were written to the transport.
    @ivar outcome: how it ended.
    @ivar faults: the faults that were applied to it on purpose: the word of each, and how often. C{dict(visit.faults)}
        gives them by word.
    @ivar mismatch: the failed expectation or assertion of a coroutine, if that ended it.
    """

    service: str
    transport: str
    peer: IAddress | None
    serial: int
    seconds: float
    received: int
    sent: int
    outcome: Outcome
    faults: tuple[tuple[str, int], ...] = ()
    mismatch: AssertionError | None = None
