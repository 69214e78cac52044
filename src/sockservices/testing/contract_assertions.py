"""
The contract of responders, as assertions for any input.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, ClassVar, NoReturn

from sockservices.conversation.context import Conversation
from sockservices.conversation.responder import Responder
from sockservices.scripting.coroutine_service import isCoroutineService
from sockservices.testing.memory_exchange import MemoryExchange, conversation
from sockservices.text.difference import firstDifference
from sockservices.text.exceptions import exceptionText

__all__ = ["ContractAssertions", "abbreviated"]

#: The maximum number of characters of a quoted value.
MAX_QUOTED = 100


def abbreviated(value: object) -> str:
    """
    The repr of a value, cut after 100 characters.
    """
    text = repr(value)
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."


class ContractAssertions:
    """
    Assertions about the responder's replies to one input, one for each rule of the contract.

    @cvar responder: the class under test; or C{staticmethod(function)} for a coroutine function.
    """

    responder: ClassVar[Any]

    def failRule(self, rule: str) -> NoReturn:
        """
        Fail the test, because the responder breaks a rule.

        @param rule: the rule, and the input or value that breaks it.
        """
        # Trial's test cases have their own exception for failures.
        failure: type[Exception] = getattr(self, "failureException", AssertionError)
        raise failure(f"{self.responder.__name__}: {rule}")

    def settle(self) -> None:
        """
        Make the Deferred of a reply fire. Override it for a responder that replies later, for instance to advance a
        clock.
        """

    def _failOnException(self, exception: BaseException, step: str) -> NoReturn:
        self.failRule(f"it returns bytes or None and raises no exception, but {step}: {exceptionText(exception)}")

    def exchange(self, conversation: Conversation) -> MemoryExchange:
        """
        Make a conversation with the responder. It fails the test if the responder raises an exception, or returns a
        value that is neither bytes nor None.
        """
        make = self.responder if isCoroutineService(self.responder) else self._makeResponder
        return self._exchange(make, conversation)

    def _exchange(self, make: Any, conversation: Conversation) -> MemoryExchange:
        return MemoryExchange(make, conversation, self.settle, self._failOnException)

    def _makeResponder(self, conversation: Conversation) -> Responder:
        responder: Responder = self.responder(conversation)
        finished: object = responder.finished
        if finished is not False:
            self.failRule(f"finished is False when a conversation starts, not {finished!r}")
        return responder

    def streamOutput(self, segments: Sequence[bytes]) -> bytes:
        """
        Return the whole output on a stream to a peer that sends these segments and a FIN.
        """
        return b"".join(self._streamReplies(segments))

    def _streamReplies(self, segments: Sequence[bytes]) -> Iterator[bytes]:
        return self._exchange(self.responder, conversation()).streamReplies(segments)

    def _datagramReply(self, message: bytes, limit: int | None = None) -> bytes:
        return self._exchange(self.responder, conversation("udp", limit)).datagramReply(message)

    def assertSameHoweverCut(self, segments: Sequence[bytes]) -> None:
        """
        The output does not depend on the segmentation of the input, unless the responder declares
        C{message = "segment"}.
        """
        if getattr(self.responder, "message", "bytes") == "segment" or not segments:
            return
        output, expected = self.streamOutput(segments), self.streamOutput([b"".join(segments)])
        if output != expected:
            self.failRule(
                'with message = "bytes" the output does not depend on the segmentation of the input (else declare '
                f'"segment"), but for {abbreviated(segments)} it has {_difference(output, expected)}'
            )

    def assertSameOnDatagrams(self, message: bytes) -> None:
        """
        The reply to a datagram is the reply to the same bytes on a stream, except for the transport's name. It may be
        the beginning of endless output. A responder with a framing gets the message in its frame on the stream.
        """
        if getattr(self.responder, "framing", None) is not None:
            self._assertSameInFrames(message)
            return
        reply = self._datagramReply(message).replace(b"udp", b"tcp")
        output = self.streamOutput([message]).replace(b"udp", b"tcp")
        exchange = self.exchange(conversation())
        exchange.greet()
        if exchange.generator is not None:
            output = output[: len(reply)]
        if reply != output:
            self.failRule(
                "the reply to a datagram is the output on a stream, or the beginning of endless output, "
                f"but the reply to {abbreviated(message)} has {_difference(reply, output)}"
            )

    def _assertSameInFrames(self, message: bytes) -> None:
        responder: Any = self.responder
        if len(message) > responder.MAX_LENGTH or _messages(responder, _frame(responder, message)) != [message]:
            # No frame can hold this message.
            return
        reply = self._datagramReply(message)
        output = b"".join(_messages(responder, self.streamOutput([_frame(responder, message)])))
        if reply != output:
            self.failRule(
                "the reply to a datagram is the reply to the same message on a stream, without its frame, "
                f"but the reply to {abbreviated(message)} has {_difference(reply, output)}"
            )

    def assertWithinLimit(self, message: bytes) -> None:
        """
        A reply is not longer than C{conversation.limit}, or is the whole reply, which the server then withholds.
        """
        limit = max(len(message), 40)
        reply, whole = self._datagramReply(message, limit), self._datagramReply(message)
        if len(reply) > limit and reply != whole:
            self.failRule(
                "a reply longer than conversation.limit is the whole reply, which the server withholds, but with a "
                f"limit of {limit} the reply to {abbreviated(message)} has {len(reply)} of {len(whole)} bytes"
            )

    def assertNothingShared(self, ours: Sequence[bytes], theirs: Sequence[bytes]) -> None:
        """
        Two concurrent conversations have the same replies as each one alone.
        """
        separate = list(self._streamReplies(ours)), list(self._streamReplies(theirs))
        rounds = zip_longest(self._streamReplies(ours), self._streamReplies(theirs))
        concurrent = tuple([reply for reply in replies if reply is not None] for replies in zip(*rounds, strict=True))
        for segments, replies, expected in zip((ours, theirs), concurrent, separate, strict=True):
            if replies != expected:
                self.failRule(
                    "conversations share no state, and take time and random numbers from the conversation only; but "
                    f"beside another conversation the replies to {abbreviated(segments)} are {abbreviated(replies)}, "
                    f"expected {abbreviated(expected)}"
                )


def _frame(responder: Any, message: bytes) -> bytes:
    framed: bytes = responder.framing(responder.MAX_LENGTH).encode(message)
    return framed


def _messages(responder: Any, stream: bytes) -> list[bytes]:
    """
    The messages of a whole stream.
    """
    framing = responder.framing(max(responder.MAX_LENGTH, len(stream)))
    framing.feed(stream)
    return list(iter(framing.next, None))


def _difference(output: bytes, expected: bytes) -> str:
    """
    The bytes from the first difference on, and those expected there.
    """
    start = firstDifference(output, expected)
    return f"{abbreviated(output[start:])} from byte {start} on, expected {abbreviated(expected[start:])}"
