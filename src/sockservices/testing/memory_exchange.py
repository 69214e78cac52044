"""
Conversations by an exchange alone, without any protocol, in an environment where nothing is left to chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from random import Random
from typing import Any, NoReturn

from twisted.internet.address import IPv4Address
from twisted.python.failure import Failure

from sockservices.conversation.context import Conversation
from sockservices.conversation.environment import Environment
from sockservices.conversation.exchange import Exchange
from sockservices.conversation.phase import Phase
from sockservices.conversation.policy import Policy
from sockservices.conversation.responder import MakeResponder
from sockservices.conversation.stream_exchange import StreamExchange
from sockservices.conversation.timeouts import Timeouts
from sockservices.conversation.transport import Transport
from sockservices.protocols.awaitable import deferredOf

__all__ = ["NOW", "MemoryExchange", "conversation", "datagramReply", "fixedEnvironment", "streamReplies"]

#: 2026-11-21 00:26:40 UTC.
NOW = 1795220800.0

#: How many pieces are taken of output that has no end.
PIECES = 3


def fixedEnvironment(**values: Any) -> Environment:
    """
    An environment where no time passes, and random numbers are always the same.

    @param values: what of L{Environment} differs.
    """
    fixed = {"server": "here", "now": lambda: NOW, "random": Random(7), "users": lambda: ["ada", "grace"]}
    return Environment(**{**fixed, **values})


def conversation(transport: str = "tcp", limit: int | None = None, **values: Any) -> Conversation:
    """
    A conversation in a fixed environment.

    @param values: what of L{Environment} differs.
    """
    peer, host = IPv4Address("TCP", "192.0.2.7", 40000), IPv4Address("TCP", "192.0.2.1", 8007)
    return Conversation(Transport(transport), peer, host, 7, limit, fixedEnvironment(**values))


def _raise(exception: BaseException, when: str) -> NoReturn:
    raise exception


class MemoryExchange:
    """
    One conversation with a responder. Replies that come later are waited for.
    """

    def __init__(
        self,
        make: MakeResponder,
        conversation: Conversation,
        settle: Callable[[], object] = int,
        failed: Callable[[BaseException, str], NoReturn] = _raise,
    ) -> None:
        """
        @param settle: lets the time pass in which a reply comes.
        @param failed: called with what the responder raises, and with when it does.
        """
        stream = Transport(conversation.transport).isStream
        self._exchange: Any = StreamExchange(make, Timeouts(Policy(), 0.0), 0.0) if stream else Exchange(make)
        self._conversation = conversation
        self._settle = settle
        self._failed = failed

    @property
    def open(self) -> bool:
        """
        Whether messages are answered.
        """
        return self._exchange.phase is Phase.OPEN

    @property
    def generator(self) -> Iterator[bytes] | None:
        """
        The responder's endless output.
        """
        generator: Iterator[bytes] | None = self._exchange.generator
        return generator

    def greet(self) -> bytes | None:
        """
        The greeting.
        """
        return self._settled(self._exchange.open(self._conversation), "in its greeting")

    def receive(self, message: bytes) -> bytes | None:
        """
        The reply to a message.
        """
        return self._settled(self._exchange.receive(message), f"on {message[:80]!r}")

    def end(self) -> bytes | None:
        """
        The reply to the end of a stream.
        """
        return self._settled(self._exchange.end(), "at the end of the stream")

    def _settled(self, reply: bytes | None, when: str) -> bytes | None:
        exchange = self._exchange
        while exchange.awaiting is not None:
            results: list[Any] = []
            deferredOf(exchange.awaiting).addBoth(results.append)
            self._settle()
            if not results:
                exchange.fail(TimeoutError("the reply did not come"))
            elif isinstance(results[0], Failure):
                exchange.fail(results[0].value)
            else:
                later = exchange.resume(results[0])
                reply = later if reply is None else reply + (later or b"")
        if exchange.exception is not None:
            self._failed(exchange.exception, when)
        return reply


def streamReplies(make: MakeResponder, segments: Iterable[bytes], **how: Any) -> Iterator[bytes]:
    """
    The replies on a stream, one by one, to a peer that sends these segments and ends. Of endless output some pieces.

    @param how: the further arguments of L{MemoryExchange}.
    """
    exchange = MemoryExchange(make, conversation(), **how)
    yield exchange.greet() or b""
    if exchange.generator is not None:
        yield from islice(exchange.generator, PIECES)
        return
    sent = False
    for segment in segments:
        if not exchange.open:
            return
        sent = True
        yield exchange.receive(segment) or b""
    reply = exchange.end() if exchange.open else None
    if not sent and reply is not None:
        yield reply


def datagramReply(make: MakeResponder, datagram: bytes, limit: int | None = None, **how: Any) -> bytes | None:
    """
    The reply to a datagram; L{None} is none.

    @param how: the further arguments of L{MemoryExchange}.
    """
    exchange = MemoryExchange(make, conversation("udp", limit), **how)
    replies = [exchange.greet(), exchange.receive(datagram)]
    given = [reply for reply in replies if reply is not None]
    return b"".join(given) if given else None
