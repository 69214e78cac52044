"""
The conversation of a connection, as its responder gets it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.task import deferLater

from sockservices.conversation.context import Conversation

if TYPE_CHECKING:
    from sockservices.protocols.stream import StreamProtocol

__all__ = ["StreamConversation"]


class StreamConversation(Conversation):
    """
    The local address is looked up on demand: it costs a system call.
    """

    __slots__ = ("_protocol",)

    def __init__(self, protocol: StreamProtocol) -> None:
        self._protocol = protocol
        self._environment = protocol.factory.census.environment
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
