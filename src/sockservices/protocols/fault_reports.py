"""
What a datagram protocol records of the datagrams that faults have changed.
"""

from __future__ import annotations

from typing import Any

from sockservices.admission.census import Census
from sockservices.conversation.outcome import Outcome
from sockservices.protocols.datagram_conversation import Request

__all__ = ["FaultReports"]


class FaultReports:
    """
    A mixin of L{DatagramResponder<sockservices.protocols.datagram.DatagramResponder>} for the reports of faults.
    """

    census: Census
    _count: Any
    _drop: Any

    def requestLost(self, size: int, route: Any) -> None:
        """
        Count a datagram that a fault has dropped.
        """
        self._drop(Outcome.LOST, Request(self.census.nextSerial(), route, size, 0))

    def changedReplySent(self, token: Any, size: int) -> None:
        """
        Count a reply with the bytes that were sent.
        """
        self._count(Outcome.DONE, Request(*token)._replace(sent=size))
