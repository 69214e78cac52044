"""
Puts the framing of a L{MessageResponder<sockservices.conversation.message_responder.MessageResponder>} between a stream
and the responder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from sockservices.conversation.context import Conversation
from sockservices.conversation.framing import Framing, FramingError
from sockservices.conversation.responder import MakeResponder, serviceName
from sockservices.conversation.responder_types import replyError

__all__ = ["framedMaker"]


def framedMaker(make: MakeResponder) -> Any:
    """
    Return a callable that makes responders for streams: C{make} itself, if it is a class without framing.
    """
    if isinstance(make, type) and getattr(make, "framing", None) is None:
        return make

    def makeFramed(conversation: Conversation) -> Any:
        responder: Any = make(conversation)
        framing = getattr(responder, "framing", None)
        return responder if framing is None else _FramedResponder(responder, framing(responder.MAX_LENGTH))

    makeFramed.__name__ = serviceName(make)
    return makeFramed


class _FramedResponder:
    """
    A responder of segments around a responder of messages. It has the other members of the latter.

    @ivar unframed: the responder of messages. Errors name its class.
    """

    def __init__(self, responder: Any, framing: Framing) -> None:
        self.unframed = responder
        self._framing = framing
        self.name = serviceName(responder)

    def __getattr__(self, name: str) -> Any:
        # The deadline, finished, generate() (endless output has no frames) and ended().
        return getattr(self.unframed, name)

    def greeting(self) -> Any:
        greeting = self.unframed.greeting()
        if hasattr(greeting, "__await__"):
            return self._joinLater([(greeting, "greeting")], [])
        return self._framed(greeting, "greeting")

    def answer(self, segment: bytes) -> Any:
        """
        Answer the messages that are complete with this segment.

        @return: the replies in their frames; or an awaitable of them, if one of them is awaited.
        """
        replies = self._replies(segment)
        framed: list[bytes] = []
        for reply, method in replies:
            if hasattr(reply, "__await__"):
                return self._joinLater(chain([(reply, method)], replies), framed)
            framed.append(self._framed(reply, method))
        return b"".join(framed)

    async def _joinLater(self, replies: Iterable[tuple[Any, str]], framed: list[bytes]) -> bytes:
        for reply, method in replies:
            result = await reply if hasattr(reply, "__await__") else reply
            framed.append(self._framed(result, method))
        return b"".join(framed)

    def _replies(self, segment: bytes) -> Iterator[tuple[Any, str]]:
        """
        Answer each message that is complete.

        @return: the replies as the responder returned them, each with the name of the method.
        """
        responder = self.unframed
        if not segment:
            # The peer has ended without a byte, and the responder has a deadline.
            yield responder.answer(b""), "answer"
            return
        self._framing.feed(segment)
        while not responder.finished:
            try:
                message = self._framing.next()
            except FramingError as error:
                reply = responder.malformed(str(error))
                responder.finished = True
                yield reply, "malformed"
                return
            if message is None:
                return
            yield responder.answer(message), "answer"

    def _framed(self, reply: Any, method: str) -> bytes:
        if reply is None:
            return b""
        if not isinstance(reply, bytes):
            raise replyError(self.unframed, method, reply)
        return self._framing.encode(reply)
