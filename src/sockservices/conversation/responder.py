"""
The base class of services.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar, TypeAlias

from sockservices.conversation.context import Conversation
from sockservices.conversation.outcome import Outcome

__all__ = ["MakeResponder", "Responder", "serviceName"]


class Responder:
    """
    One service: computes replies from messages, without I/O and without a clock of its own.

    Every conversation has a new instance, so attributes of C{self} belong to one conversation.

    @cvar name: the name of the service on the command line.
    @cvar port: its default port.
    @cvar message: the unit of input on a stream. C{"bytes"}: the replies do not depend on the segmentation.
        C{"segment"}: the result of each read is one message, as in the simplest tutorials.
    @cvar deadline: seconds until the first message must have arrived; L{None} is no limit.
    @ivar finished: set it to L{True} to end the conversation after the current reply.
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
        Return the data to send before the peer has sent a byte. On datagrams it is the beginning of the reply.

        @return: bytes; L{None} sends nothing.
        """
        return None

    def answer(self, message: bytes) -> bytes | None:
        """
        Return the reply to a message.

        @param message: a segment of a stream, or a whole datagram. On a stream, a responder with a L{deadline} gets
            C{b""} when the peer ends its side without having sent a byte.
        @return: bytes. L{None} sends nothing; C{b""} sends an empty datagram, and nothing on a stream.
        """
        return None

    def generate(self) -> Iterator[bytes] | None:
        """
        Return endless output for a stream. It is sent as fast as the peer reads; input is read and dropped.

        @return: an iterator of bytes; L{None} if the service answers messages.
        """
        return None

    def ended(self, outcome: Outcome) -> None:
        """
        Release the resources of the responder. Called once, when the conversation is over; on datagrams, after the
        reply or the decision to send none.

        @param outcome: as in the log.
        """


#: A L{Responder} class, or another callable that takes a L{Conversation} and returns a responder.
MakeResponder: TypeAlias = Callable[[Conversation], Responder]


def serviceName(responder: object) -> str:
    """
    The name of a service. Without a C{name}, it is that of the responder's class, or of the callable that makes it.
    """
    name: str | None = getattr(responder, "name", None)
    if name is None:
        made = getattr(responder, "func", responder)  # functools.partial has the name of its function.
        name = getattr(made, "__name__", None) or type(made).__name__
    return name
