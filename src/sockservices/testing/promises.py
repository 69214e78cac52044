"""
What every responder promises, as assertions for any input.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, ClassVar, NoReturn

from sockservices.conversation.context import Conversation
from sockservices.conversation.responder import Responder
from sockservices.testing.memory_exchange import MemoryExchange, conversation, datagramReply, streamReplies
from sockservices.text.exceptions import exceptionText

__all__ = ["Promises", "brief"]

#: The most characters of a quoted value.
MAX_CHARACTERS = 100


def brief(value: object) -> str:
    """
    A value in few characters.
    """
    text = repr(value)
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}..."


class Promises:
    """
    Those that hold whatever the peer says. Each is checked for one input.

    @cvar responder: the class that made them.
    """

    responder: ClassVar[type[Responder]]

    def broken(self, promise: str) -> NoReturn:
        """
        Fail, for a promise that was not kept.
        """
        # Trial has an exception of its own for that.
        failure: type[Exception] = getattr(self, "failureException", AssertionError)
        raise failure(f"{self.responder.__name__}: {promise}")

    def settle(self) -> None:
        """
        Let the time pass in which a reply comes. Override it for a responder that replies later.
        """

    @property
    def _how(self) -> dict[str, Any]:
        return {"settle": self.settle, "failed": self._failed}

    def _failed(self, exception: BaseException, when: str) -> NoReturn:
        self.broken(f"it returns bytes or None, and raises nothing; but {when}: {exceptionText(exception)}")

    def exchange(self, conversation: Conversation) -> MemoryExchange:
        """
        A conversation with the responder, which fails the test when that raises, or returns anything but bytes or None.
        """
        return MemoryExchange(self._make, conversation, **self._how)

    def _make(self, conversation: Conversation) -> Responder:
        made = self.responder(conversation)
        finished: object = made.finished
        if finished is not False:
            self.broken(f"finished is True or False, and False at first, but it is {finished!r}")
        return made

    def said(self, segments: Sequence[bytes]) -> bytes:
        """
        All replies on a stream to a peer that sends these segments and ends.
        """
        return b"".join(self._replies(segments))

    def _replies(self, segments: Sequence[bytes]) -> Iterator[bytes]:
        return streamReplies(self.responder, segments, **self._how)

    def _reply(self, message: bytes, limit: int | None = None) -> bytes:
        return datagramReply(self.responder, message, limit, **self._how) or b""

    def assertSameHoweverCut(self, segments: Sequence[bytes]) -> None:
        """
        However a message is cut, the same is said in all, if the message is declared to be bytes.
        """
        if self.responder.message == "segment" or not segments:
            return
        said, whole = self.said(segments), self.said([b"".join(segments)])
        if said != whole:
            self.broken(
                'message = "bytes": what it says does not depend on how its input is cut (else declare "segment"), '
                f"but to {brief(segments)} it said {_unlike(said, whole)}"
            )

    def assertSameOnDatagrams(self, message: bytes) -> None:
        """
        A datagram is answered in the words that a stream would say to it, but for the transport's name. Who talks
        without end has to be brief.
        """
        said = self._reply(message).replace(b"udp", b"tcp")
        words = self.said([message]).replace(b"udp", b"tcp")
        exchange = self.exchange(conversation())
        exchange.greet()
        if exchange.generator is not None:
            words = words[: len(said)]
        if said != words:
            self.broken(
                "it says on datagrams what it says on streams, or the beginning of its talk, "
                f"but to the datagram {brief(message)} it said {_unlike(said, words)}"
            )

    def assertWithinLimit(self, message: bytes) -> None:
        """
        A reply fits the limit, or is as long as without one, so that it is withheld rather than sent in part.
        """
        limit = max(len(message), 40)
        said, whole = self._reply(message, limit), self._reply(message)
        if len(said) > limit and said != whole:
            self.broken(
                "its reply fits conversation.limit, or is left whole, and so withheld; "
                f"but to {brief(message)}, with a limit of {limit}, it said {len(said)} bytes of {len(whole)}"
            )

    def assertNothingShared(self, ours: Sequence[bytes], theirs: Sequence[bytes]) -> None:
        """
        Of two conversations that go on at the same time, each goes as it would alone.
        """
        alone = list(self._replies(ours)), list(self._replies(theirs))
        turns = zip_longest(self._replies(ours), self._replies(theirs))
        together = tuple([word for word in words if word is not None] for words in zip(*turns, strict=True))
        for segments, said, wanted in zip((ours, theirs), together, alone, strict=True):
            if said != wanted:
                self.broken(
                    "conversations share nothing (nor do time and chance come from elsewhere); "
                    f"but beside another one {brief(segments)} was told {brief(said)} instead of {brief(wanted)}"
                )


def _unlike(said: bytes, wanted: bytes) -> str:
    """
    Where the words begin to differ, and how.
    """
    pairs = enumerate(zip(said, wanted, strict=False))
    start = next((offset for offset, (one, other) in pairs if one != other), min(len(said), len(wanted)))
    return f"{brief(said[start:])} from byte {start} on instead of {brief(wanted[start:])}"
