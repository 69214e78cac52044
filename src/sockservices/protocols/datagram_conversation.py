"""
The conversation of a datagram and its reply, as its responder gets it, and its record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.task import deferLater

from sockservices.conversation.context import Conversation
from sockservices.conversation.outcome import Outcome
from sockservices.conversation.transport import Transport
from sockservices.conversation.visit import Visit
from sockservices.transports.reply_route import peerAddress

if TYPE_CHECKING:
    from sockservices.protocols.datagram import DatagramResponder

__all__ = ["DatagramConversation", "Request", "transportOf"]


class Request(NamedTuple):
    """
    What is recorded of a datagram.
    """

    serial: int
    route: Any
    received: int
    sent: int

    @property
    def peer(self) -> Any:
        """
        Its source, as the route names it.
        """
        return self.route.peer

    def visit(self, service: str, outcome: Outcome, mismatch: AssertionError | None) -> Visit:
        """
        Make the record of the conversation.
        """
        transport, peer = transportOf(self.peer), peerAddress(self.peer)
        faults = getattr(self.route, "faults", ())
        return Visit(service, transport, peer, self.serial, 0.0, self.received, self.sent, outcome, faults, mismatch)


def transportOf(peer: Any) -> Transport:
    """
    The transport of a datagram.

    @param peer: its source, as an L{IReplyRoute<sockservices.transports.interfaces.IReplyRoute>} names it.
    """
    return Transport.UDP if isinstance(peer, tuple) else Transport.UNIXGRAM


class DatagramConversation(Conversation):
    """
    One that is used for every datagram in turn. What few responders ask for is worked out on demand.

    @ivar source: the peer, as an L{IReplyRoute<sockservices.transports.interfaces.IReplyRoute>} names it.
    """

    __slots__ = ("_protocol", "source")

    source: Any

    def __init__(self, protocol: DatagramResponder, host: IAddress | None) -> None:
        self._protocol = protocol
        self._environment = protocol.census.environment
        self.host = host

    def sleep(self, seconds: float) -> Deferred[None]:
        """
        Wait, by the clock of the protocol.
        """
        return deferLater(self._protocol.clock, seconds)

    @property
    def transport(self) -> str:  # type: ignore[override]
        """
        C{"udp"} or C{"unixgram"}.
        """
        return transportOf(self.source)

    @property
    def peer(self) -> IAddress | None:  # type: ignore[override]
        """
        The remote address.
        """
        return peerAddress(self.source)
