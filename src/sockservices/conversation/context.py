"""
What a responder may know of the conversation it is part of. No I/O, no clock of its own.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from sockservices.conversation.environment import Environment

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress

__all__ = ["Conversation"]


class Conversation:
    """
    What a responder may know of the conversation it is part of: one connection, or one datagram and its reply.

    To be read only, and only until the answer is given: on datagrams one object may serve many.

    @ivar transport: C{"tcp"}, C{"udp"}, C{"unix"} or C{"unixgram"}.
    @ivar peer: the remote address, or L{None} where it has none.
    @ivar host: the local address.
    @ivar serial: the conversation's number in this server.
    @ivar limit: how many bytes an answer may have, or L{None} where any number will do.
    """

    __slots__ = ("_environment", "host", "limit", "peer", "serial", "transport")

    def __init__(
        self,
        transport: str = "tcp",
        peer: IAddress | None = None,
        host: IAddress | None = None,
        serial: int = 0,
        limit: int | None = None,
        environment: Environment | None = None,
    ) -> None:
        self.transport = transport
        self.peer = peer
        self.host = host
        self.serial = serial
        self.limit = limit
        self._environment = Environment() if environment is None else environment

    @property
    def server(self) -> str:
        """
        The name of this server.
        """
        return self._environment.server

    @property
    def random(self) -> Random:
        """
        The source of chance, shared by all conversations.
        """
        return self._environment.random

    def now(self) -> float:
        """
        The time in seconds since 1970-01-01 00:00 UTC.
        """
        return self._environment.now()

    def users(self) -> list[str]:
        """
        The names of the active users, one for each of their sessions.
        """
        return self._environment.users()
