"""
The conversations as their responders get them. What few responders ask for is worked out on demand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.task import deferLater

from sockservices.conversation.context import Conversation
from sockservices.transports.reply_route import peerAddress, transportOf

if TYPE_CHECKING:
    from sockservices.protocols.datagram import DatagramResponder
    from sockservices.protocols.stream import StreamProtocol

__all__ = ["DatagramConversation", "Request", "StreamConversation"]

#: What is recorded of a datagram: its serial number, its route, and its length in bytes.
Request: TypeAlias = tuple[int, Any, int]


class StreamConversation(Conversation):
    """
    A connection. The local address costs a system call.
    """

    __slots__ = ("_protocol",)

    def __init__(self, protocol: StreamProtocol) -> None:
        self._protocol = protocol
        self.environment = protocol.factory.census.environment
        self.transport = protocol.transportName
        self.peer = protocol.peer
        self.serial = protocol.serial
        self.limit = None

    def sleep(self, seconds: float) -> Deferred[None]:
        """
        Wait, by the clock of the factory.
        """
        return deferLater(self._protocol.factory.clock, seconds)

    @property
    def host(self) -> IAddress:  # type: ignore[override]
        """
        The local address.
        """
        transport: Any = self._protocol.transport
        host: IAddress = transport.getHost()
        return host


class DatagramConversation(Conversation):
    """
    One datagram and its reply. One object is used for every datagram in turn.

    @ivar source: the peer, as an L{IReplyRoute<sockservices.transports.interfaces.IReplyRoute>} names it.
    """

    __slots__ = ("_protocol", "source")

    source: Any

    def __init__(self, protocol: DatagramResponder, host: IAddress | None) -> None:
        self._protocol = protocol
        self.environment = protocol.census.environment
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
