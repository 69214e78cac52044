"""
What a server has done so far, by service.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from sockservices.conversation.outcome import Outcome

__all__ = ["ServiceTotals", "Totals"]


@dataclass(slots=True)
class ServiceTotals:
    """
    What one service has done, over all connections or over all datagrams.

    @ivar outcomes: the number of conversations that ended under each outcome.
    @ivar received: bytes that came from peers.
    @ivar sent: bytes that were written to transports.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    received: int = 0
    sent: int = 0


class Totals:
    """
    What all services of a server have done.

    @ivar conversations: for each service with a conversation over a stream, its totals.
    @ivar datagrams: for each service that listens for datagrams, its totals.
    """

    def __init__(self) -> None:
        self.conversations: defaultdict[str, ServiceTotals] = defaultdict(ServiceTotals)
        self.datagrams: defaultdict[str, ServiceTotals] = defaultdict(ServiceTotals)
