"""
Conversations through an exchange alone, without a protocol, in a deterministic environment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from random import Random
from typing import Any, NoReturn

from twisted.internet.address import IPv4Address
from twisted.python.failure import Failure

from sockservices.conversation.context import Conversation, Environment
from sockservices.conversation.exchange import Exchange
from sockservices.conversation.framed_stream import framedMaker
from sockservices.conversation.phase import Phase
from sockservices.conversation.policy import Policy
from sockservices.conversation.stream_exchange import StreamExchange
from sockservices.conversation.transport import Transport
from sockservices.protocols.awaitable import deferredOf
from sockservices.scripting.coroutine_service import Service, isCoroutineService
from sockservices.scripting.datagram_coroutine import datagramMaker
from sockservices.testing.memory_coroutine import MemoryCoroutine

__all__ = ["NOW", "MemoryExchange", "conversation", "fixedEnvironment"]

#: 2026-11-21 00:26:40 UTC.
NOW = 1795220800.0

#: The number of pieces that are read of endless output.
GENERATED_PIECES = 3


def fixedEnvironment(**values: Any) -> Environment:
    """
    Make an environment with a constant time, seeded random numbers and fixed users.

    @param values: fields of L{Environment} with other values.
    """
    fixed = {"server": "here", "now": lambda: NOW, "random": Random(7), "users": lambda: ["ada", "grace"]}
    return Environment(**{**fixed, **values})


def conversation(transport: str = "tcp", limit: int | None = None, **values: Any) -> Conversation:
    """
    Make a conversation in a fixed environment.

    @param limit: the maximum length of a reply in bytes, for datagrams.
    @param values: fields of L{Environment} with other values.
    """
    peer, host = IPv4Address("TCP", "192.0.2.7", 40000), IPv4Address("TCP", "192.0.2.1", 8007)
    return Conversation(Transport(transport), peer, host, 7, limit, fixedEnvironment(**values))


class MemoryExchange:
    """
    One conversation with a responder or a coroutine. Each method returns the reply, also where the responder returns a
    Deferred.
    """

    def __init__(
        self,
        make: Service,
        conversation: Conversation,
        settle: Callable[[], object],
        onException: Callable[[BaseException, str], NoReturn],
    ) -> None:
        """
        @param settle: called while the responder's Deferred has no result. It makes the Deferred fire, for instance by
            advancing a clock.
        @param onException: called with an exception that the responder raises, and with the step that raises it.
        """
        stream = Transport(conversation.transport).isStream
        self._exchange: Any
        if not stream:
            self._exchange = Exchange(datagramMaker(make))
        elif isCoroutineService(make):
            self._exchange = MemoryCoroutine(make, settle)
        else:
            makeResponder: Any = make
            self._exchange = StreamExchange(framedMaker(makeResponder), Policy(), 0.0)
        self._conversation = conversation
        self._settle = settle
        self._onException = onException

    @property
    def generator(self) -> Iterator[bytes] | None:
        """
        The responder's endless output, if it has any.
        """
        generator: Iterator[bytes] | None = self._exchange.generator
        return generator

    def greet(self) -> bytes | None:
        """
        Open the conversation, and return the greeting.
        """
        return self._awaitReply(self._exchange.open(self._conversation), "in its greeting")

    def receive(self, message: bytes) -> bytes | None:
        """
        Return the reply to a message.
        """
        return self._awaitReply(self._exchange.receive(message), f"in its reply to {message[:80]!r}")

    def end(self) -> bytes | None:
        """
        Return the reply to the end of a stream.
        """
        return self._awaitReply(self._exchange.end(), "at the end of the stream")

    def streamReplies(self, segments: Iterable[bytes]) -> Iterator[bytes]:
        """
        Yield the greeting and the reply to each segment, on a stream that the peer then ends. Of endless output, yield
        the first pieces.
        """
        yield self.greet() or b""
        if self.generator is not None:
            yield from islice(self.generator, GENERATED_PIECES)
            return
        sent = False
        for segment in segments:
            if self._exchange.phase is not Phase.OPEN:
                return
            sent = True
            yield self.receive(segment) or b""
        reply = self.end() if self._exchange.phase is Phase.OPEN else None
        if not sent and reply is not None:
            yield reply

    def datagramReply(self, datagram: bytes) -> bytes:
        """
        Return the greeting and the reply to a datagram; C{b""} for no reply.
        """
        return (self.greet() or b"") + (self.receive(datagram) or b"")

    def _awaitReply(self, reply: bytes | None, step: str) -> bytes | None:
        exchange = self._exchange
        while exchange.awaiting is not None:
            results: list[Any] = []
            deferredOf(exchange.awaiting).addBoth(results.append)
            self._settle()
            if not results:
                exchange.fail(TimeoutError("the Deferred did not fire"))
            elif isinstance(results[0], Failure):
                exchange.fail(results[0].value)
            else:
                later = exchange.resume(results[0])
                reply = later if reply is None else reply + (later or b"")
        if exchange.exception is not None:
            self._onException(exchange.exception, step)
        return reply
