"""
Drives a responder for one datagram, without I/O.
"""

from __future__ import annotations

from typing import Any

from sockservices.conversation.context import Conversation
from sockservices.conversation.exchange import Exchange
from sockservices.conversation.responder import MakeResponder
from sockservices.conversation.responder_types import responderError

__all__ = ["DatagramExchange"]


class DatagramExchange(Exchange):
    """
    The conversations of datagrams, one after the other. When a reply is awaited, or after an exception, C{changed} is
    set, and another exchange serves the next datagram.

    @ivar conversation: describes the current datagram. The caller updates it.
    """

    __slots__ = ("conversation",)

    def __init__(self, make: MakeResponder, conversation: Conversation) -> None:
        super().__init__(make)
        self.conversation: Any = conversation

    def respond(self, datagram: bytes) -> bytes | None:
        """
        Make the responder, and reply to a datagram. The conversation ends with the reply, whether or not the responder
        has finished.

        @return: the greeting and the answer; L{None} if there is neither.
        """
        try:
            self.responder = None
            self.responder = responder = self._make(self.conversation)
            greeting = responder.greeting()
            if greeting is not None and not isinstance(greeting, bytes):
                self._await(greeting, "greeting")
                self.receive(datagram)
                return None
            reply = None if responder.finished else responder.answer(datagram)
            if reply is None:
                return greeting
            if isinstance(reply, bytes):
                return reply if greeting is None else greeting + reply
            self.received = len(datagram)
            self._await(reply, "answer")
            return greeting
        except BaseException as exception:
            self.fail(responderError(self._make, self.responder, exception))
            return None
