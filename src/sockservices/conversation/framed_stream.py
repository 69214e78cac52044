"""
Puts the framing of a L{MessageResponder<sockservices.conversation.message_responder.MessageResponder>} between a stream
and the responder.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sockservices.conversation.context import Conversation
from sockservices.conversation.framing import Framing, FramingError
from sockservices.conversation.outcome import Outcome
from sockservices.conversation.responder import MakeResponder, serviceName
from sockservices.conversation.responder_types import replyError

__all__ = ["framedMaker"]


def framedMaker(make: MakeResponder) -> Any:
    """
    What makes responders for streams: C{make} itself, if it is a class without framing.
    """
    return make if isinstance(make, type) and getattr(make, "framing", None) is None else _FramedMaker(make)


class _FramedMaker:
    """
    Makes responders, in a L{_FramedResponder} if they have a framing.
    """

    def __init__(self, make: MakeResponder) -> None:
        self._make = make
        self.name = serviceName(make)

    def __call__(self, conversation: Conversation) -> Any:
        responder: Any = self._make(conversation)
        framing = getattr(responder, "framing", None)
        return responder if framing is None else _FramedResponder(responder, framing(responder.MAX_LENGTH))


class _FramedResponder:
    """
    A responder of segments around a responder of messages.

    @ivar unframed: the responder of messages. Errors name its class.
    """

    def __init__(self, responder: Any, framing: Framing) -> None:
        self.unframed = responder
        self._framing = framing
        self.name = serviceName(responder)
        self.deadline = responder.deadline

    @property
    def finished(self) -> bool:
        """
        Whether the conversation ends after the current replies.
        """
        finished: bool = self.unframed.finished
        return finished

    def greeting(self) -> Any:
        """
        The greeting in its frame.
        """
        greeting = self.unframed.greeting()
        if hasattr(greeting, "__await__"):
            return self._awaited(greeting, "greeting")
        return self._encoded(greeting, "greeting")

    def answer(self, segment: bytes) -> Any:
        """
        Answer the messages that are complete with this segment.

        @return: the replies in their frames; or an awaitable of them, if one of them is awaited.
        """
        replies: list[bytes | None] = []
        if segment:
            self._framing.feed(segment)
            awaitable = self._answerMessages(replies)
        else:
            # The peer has ended without a byte, and the responder has a deadline.
            awaitable = self._answerMessage(b"", replies)
        return _joined(replies) if awaitable is None else self._answerLater(awaitable, replies)

    async def _answerLater(self, awaitable: Any, replies: list[bytes | None]) -> bytes | None:
        while awaitable is not None:
            replies.append(await self._awaited(awaitable, "answer"))
            awaitable = self._answerMessages(replies)
        return _joined(replies)

    def _answerMessages(self, replies: list[bytes | None]) -> Any:
        """
        Answer the complete messages, up to the first one whose reply is awaited.

        @return: the awaitable of that reply, or L{None}.
        """
        awaitable = None
        while awaitable is None and not self.unframed.finished:
            try:
                message = self._framing.next()
            except FramingError as error:
                replies.append(self._encoded(self.unframed.malformed(str(error)), "malformed"))
                self.unframed.finished = True
                break
            if message is None:
                break
            awaitable = self._answerMessage(message, replies)
        return awaitable

    def _answerMessage(self, message: bytes, replies: list[bytes | None]) -> Any:
        reply = self.unframed.answer(message)
        if hasattr(reply, "__await__"):
            return reply
        replies.append(self._encoded(reply, "answer"))
        return None

    async def _awaited(self, reply: Any, method: str) -> bytes | None:
        return self._encoded(await reply, method)

    def _encoded(self, reply: Any, method: str) -> bytes | None:
        if reply is None:
            return None
        if not isinstance(reply, bytes):
            raise replyError(self.unframed, method, reply)
        return self._framing.encode(reply)

    def generate(self) -> Iterator[bytes] | None:
        """
        Endless output has no frames.
        """
        output: Iterator[bytes] | None = self.unframed.generate()
        return output

    def ended(self, outcome: Outcome) -> None:
        """
        The conversation is over.
        """
        self.unframed.ended(outcome)


def _joined(replies: list[bytes | None]) -> bytes | None:
    given = [reply for reply in replies if reply is not None]
    return b"".join(given) if given else None
