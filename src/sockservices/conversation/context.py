"""
What a responder may use: the data about its conversation, and the time, random numbers and machine.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from sockservices.conversation.utmp import activeUsers

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress

__all__ = ["Conversation", "Environment", "World"]


@dataclass(frozen=True)
class Environment:
    """
    The time, random numbers and machine that responders use.

    @ivar server: the name of this server, by default the host's name.
    @ivar now: the time in seconds since 1970-01-01 00:00 UTC, by the wall clock.
    @ivar random: the source of random numbers.
    @ivar users: the names of the active users, one for each of their sessions.
    """

    server: str = field(default_factory=socket.gethostname)
    now: Callable[[], float] = time.time
    random: Random = field(default_factory=Random)
    users: Callable[[], list[str]] = activeUsers


#: The name of L{Environment} in the first version.
World = Environment


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
