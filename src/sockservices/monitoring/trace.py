"""
Shows what peers say: a responder around a responder, so that not showing costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from twisted.logger import Logger

from sockservices.conversation.context import Conversation
from sockservices.conversation.responder import MakeResponder, Responder, serviceName
from sockservices.text.addresses import addressText

__all__ = ["Show", "Shown", "quoted"]

log = Logger("sockservices")

#: The most characters of a message in the log.
MOST = 80


def quoted(message: bytes) -> str:
    """
    A message as one printable line of at most 80 characters, whatever is in it.
    """
    text = repr(message[:MOST])
    return text if len(message) <= MOST >= len(text) else text[: MOST - 3] + "..."


class Shown(Responder):
    """
    Does as another responder does, and logs who connects and each message: peer, and bytes.
    """

    def __init__(self, conversation: Conversation, responder: Responder) -> None:
        super().__init__(conversation)
        self._responder = responder
        self.name = responder.name  # type: ignore[misc]
        self.deadline = responder.deadline  # type: ignore[misc]
        self._stream = conversation.transport in ("tcp", "unix")
        self._peer = addressText(conversation.peer) or "-"

    def greeting(self) -> bytes | None:
        """
        The responder's own opening.
        """
        if self._stream:
            log.info("{service}: connected: {peer}", service=self.name, peer=self._peer)
        words = self._responder.greeting()
        # A datagram has come already: it is shown even if the opening is all that it gets.
        self.finished = self._responder.finished and self._stream
        return words

    def answer(self, message: bytes) -> bytes | None:
        """
        The responder's own answer.
        """
        if message or not self._stream:
            # Not {message}: that is a key of Twisted's older log, whose observers would empty it.
            log.info("{service}: {peer}: {words}", service=self.name, peer=self._peer, words=quoted(message))
        words = None if self._responder.finished else self._responder.answer(message)
        self.finished = self._responder.finished
        return words

    def generate(self) -> Iterator[bytes] | None:
        """
        The responder's own talk.
        """
        return self._responder.generate()


class Show:
    """
    Makes responders as another maker does, each with its messages in the log.
    """

    def __init__(self, responder: MakeResponder) -> None:
        self._responder = responder
        self.name = serviceName(responder)

    def __call__(self, conversation: Conversation) -> Shown:
        """
        Make one.
        """
        return Shown(conversation, self._responder(conversation))
