"""
The rule of one service. No I/O, no clock of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar, TypeAlias

from sockservices.conversation.context import Conversation

__all__ = ["MakeResponder", "Responder", "serviceName"]


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

    def greeting(self) -> bytes | None:
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

    def generate(self) -> Iterator[bytes] | None:
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
