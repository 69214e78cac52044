"""
A responder that is watched for what it says, and for what it raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from sockservices.conversation.context import Conversation
from sockservices.conversation.responder import MakeResponder, Responder
from sockservices.text.exceptions import exceptionText

__all__ = ["Watched", "brief"]

#: The most characters of what is quoted.
MOST = 100

#: Stands for the end of a talk.
END = object()


def brief(value: object) -> str:
    """
    A value in few characters.
    """
    text = repr(value)
    return text if len(text) <= MOST else f"{text[:MOST]}..."


class Watched(Responder):
    """
    Does as another responder does, as long as that raises nothing, and says bytes or nothing.
    """

    def __init__(self, make: MakeResponder, broken: Callable[[str], NoReturn], conversation: Conversation) -> None:
        """
        @param broken: raises, with a promise that is broken.
        """
        super().__init__(conversation)
        self._broken = broken
        self._responder: Responder = self._ask("when it is made", make, conversation)
        self.deadline = self._responder.deadline  # type: ignore[misc]

    def _ask(self, when: str, call: Callable[..., Any], *arguments: object) -> Any:
        try:
            return call(*arguments)
        except Exception as fault:
            self._broken(f"it never raises, but did {when}: {exceptionText(fault)}")

    def _words(self, when: str, call: Callable[..., Any], *arguments: object) -> bytes | None:
        words = self._ask(when, call, *arguments)
        if words is not None and type(words) is not bytes:
            self._broken(f"it says bytes, or None, but {when} said {brief(words)}")
        finished: object = self._responder.finished
        if finished is not True and finished is not False:
            self._broken(f"finished is True or False, but {when} became {brief(finished)}")
        self.finished = self._responder.finished
        return words

    def greeting(self) -> bytes | None:
        """
        The responder's own opening.
        """
        return self._words("when it opened", self._responder.greeting)

    def answer(self, message: bytes) -> bytes | None:
        """
        The responder's own answer.
        """
        return self._words(f"to {brief(message)}", self._responder.answer, message)

    def generate(self) -> Iterator[bytes] | None:
        """
        The responder's own talk.
        """
        talk = self._ask("when asked to talk", self._responder.generate)
        return None if talk is None else self._talking(talk)

    def _talking(self, talk: Iterator[bytes]) -> Iterator[bytes]:
        while (words := self._ask("while it talked", next, talk, END)) is not END:
            if type(words) is not bytes or not words:
                self._broken(f"its talk is of some bytes each, but it said {brief(words)}")
            yield words
