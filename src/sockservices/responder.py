"""
The rule of one service, and the conversation it is asked in. No I/O, no clock of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from sockservices.world import World

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress

__all__ = ["Conversation", "MakeResponder", "Responder", "serviceName"]


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

    __slots__ = ("_world", "host", "limit", "peer", "serial", "transport")

    def __init__(
        self,
        transport: str = "tcp",
        peer: IAddress | None = None,
        host: IAddress | None = None,
        serial: int = 0,
        limit: int | None = None,
        world: World | None = None,
    ) -> None:
        self.transport = transport
        self.peer = peer
        self.host = host
        self.serial = serial
        self.limit = limit
        self._world = World() if world is None else world

    @property
    def server(self) -> str:
        """
        The name of this server.
        """
        return self._world.server

    @property
    def random(self) -> Random:
        """
        The source of chance, shared by all conversations.
        """
        return self._world.random

    def now(self) -> float:
        """
        The time in seconds since 1970-01-01 00:00 UTC.
        """
        return self._world.now()

    def users(self) -> list[str]:
        """
        The names of the active users, one for each of their sessions.
        """
        return self._world.users()


class Responder:
    """
    The rule of one service. Made anew for every conversation, so what it keeps on C{self} is its own.

    @cvar name: the word for the service on the command line.
    @cvar port: its default port.
    @cvar message: what one message is on a stream. C{"bytes"}: the answer does not depend on how the input is cut.
        C{"segment"}: every read is one message, as in the simplest tutorials.
    @cvar deadline: the seconds in which the first message must arrive, or L{None} for no such limit.
    @ivar finished: set it, and the conversation ends after the words just said.
    """

    name: ClassVar[str]
    port: ClassVar[int]
    message: ClassVar[str] = "bytes"
    deadline: ClassVar[float | None] = None
    finished: bool = False

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation

    def opening(self) -> bytes | None:
        """
        What is said first, before the peer has sent a byte. On datagrams it opens the reply.
        """
        return None

    def answer(self, message: bytes) -> bytes | None:
        """
        What is said to a message: a segment of a stream, or a whole datagram.

        A responder with a L{deadline} whose peer ends without having sent a byte is asked for its answer to C{b""}.

        @return: the answer; L{None} says nothing, C{b""} is an empty datagram (on a stream it says nothing as well).
        """
        return None

    def talk(self) -> Iterator[bytes] | None:
        """
        Endless talk on a stream, paced by the peer's reading. What the peer sends meanwhile is read and dropped.
        """
        return None


#: A L{Responder} class, or anything else that makes one.
MakeResponder: TypeAlias = Callable[[Conversation], Responder]


def serviceName(responder: Responder | MakeResponder) -> str:
    """
    The name of the service that a responder is of, or that responders are made for; C{-} where only they would know.
    """
    name: str = getattr(responder, "name", "-")
    return name
