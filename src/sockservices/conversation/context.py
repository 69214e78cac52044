"""
The data about a conversation that its responder gets.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from sockservices.conversation.environment import Environment

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress

__all__ = ["Conversation"]


@dataclass(slots=True, eq=False, repr=False)
class Conversation:
    """
    One connection, or one datagram and its reply.

    Read its attributes only until the reply is returned: on datagrams one object serves many conversations.

    @ivar transport: C{"tcp"}, C{"udp"}, C{"unix"} or C{"unixgram"}.
    @ivar peer: the remote address, or L{None} where it has none.
    @ivar host: the local address.
    @ivar serial: the conversation's number in this server.
    @ivar limit: the maximum length of the reply in bytes; L{None} for no limit.
    @ivar environment: the time, random numbers and machine that the following methods use.
    """

    transport: str = "tcp"
    peer: IAddress | None = None
    host: IAddress | None = None
    serial: int = 0
    limit: int | None = None
    environment: Environment = field(default_factory=Environment)

    @property
    def server(self) -> str:
        """
        The name of this server.
        """
        return self.environment.server

    @property
    def random(self) -> Random:
        """
        The source of random numbers, shared by all conversations.
        """
        return self.environment.random

    def now(self) -> float:
        """
        The time in seconds since 1970-01-01 00:00 UTC.
        """
        return self.environment.now()

    def sleep(self, seconds: float) -> Awaitable[None]:
        """
        Wait: C{await self.conversation.sleep(0.2)}. The server's clock measures the time. In a conversation without a
        server, no time passes.
        """
        return _returnAtOnce()

    def users(self) -> list[str]:
        """
        The names of the active users, one for each of their sessions.
        """
        return self.environment.users()


async def _returnAtOnce() -> None:
    pass
