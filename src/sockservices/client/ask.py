"""
One question and its answer, on a stream or by datagrams.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.failure import Failure

from sockservices.client.datagram import DatagramClient
from sockservices.client.factory import connect
from sockservices.client.verdict import Unanswered, Verdict
from sockservices.client.within import within

__all__ = ["ask", "askDatagram", "exchange"]

#: The most bytes of an answer that are kept, unless told otherwise: some services talk without end.
MOST = 2**24


def ask(
    endpoint: IStreamClientEndpoint,
    message: bytes = b"",
    *,
    reactor: Any,
    timeout: float | None = 10.0,
    expect: bytes | None = None,
    most: int = MOST,
) -> Deferred[bytes]:
    """
    Connect, send a message, end our side, and read to the end of the other.

    @param endpoint: any stream client endpoint, such as C{clientFromString(reactor, "tcp:127.0.0.1:8007")}.
    @param reactor: the clock.
    @param timeout: the seconds in which all of this must be over; L{None} is no limit.
    @param expect: the answer that is expected; by default any of at least one byte.
    @param most: the bytes that an answer may have.
    @return: the answer; fails with L{Unanswered}.
    """
    answer = bytearray()

    async def gather() -> bytes:
        async with aclosing(exchange(endpoint, message, reactor=reactor, expect=expect)) as segments:
            async for segment in segments:
                answer.extend(segment)
                if len(answer) > most:
                    raise Unanswered(Verdict.CORRUPT, f"the answer is longer than {most} bytes")
        return bytes(answer)

    def remember(failure: Failure) -> Failure:
        if isinstance(failure.value, Unanswered):
            failure.value.answer = bytes(answer)
        return failure

    asked = Deferred.fromCoroutine(gather())
    return within(asked, timeout, reactor, "no end of an answer").addErrback(remember)


async def exchange(
    endpoint: IStreamClientEndpoint, message: bytes = b"", *, reactor: Any, expect: bytes | None = None
) -> AsyncGenerator[bytes, None]:
    """
    Ask, and have the answer as it comes, however long it is. When no more is wanted, C{aclose()} cuts it off.

    @return: the segments of the answer.
    @raise Unanswered: in place of the end of a good answer.
    @see: L{ask} for the parameters.
    """
    conversation = await connect(endpoint, reactor=reactor)
    try:
        # A fault will be heard.
        conversation.send(message).addErrback(lambda _: None)
        conversation.finish()
        heard = 0
        async for segment in conversation:
            yield segment
            if expect is not None:
                _compare(segment, expect[heard : heard + len(segment)], heard)
            heard += len(segment)
        if heard < len(expect if expect is not None else b"?"):
            raise _ended(heard, expect)
        if conversation.finished:
            await conversation.end()
    finally:
        await conversation.abort()


def askDatagram(
    address: tuple[str, int] | str,
    message: bytes = b"",
    *,
    reactor: Any,
    timeout: float | None = 5.0,
    expect: bytes | None = None,
) -> Deferred[bytes]:
    """
    Send one datagram, and wait for one reply from where it was sent to.

    @param address: host and port, or the path of a Unix socket (C{@name} in the abstract namespace).
    @param reactor: reads, and is the clock.
    @param timeout: the seconds to wait; L{None} is no limit.
    @param expect: the reply that is expected; by default any, an empty one too.
    @return: the reply; fails with L{Unanswered}. A datagram may be lost, so a timeout may be chance.
    """
    client = DatagramClient(address, reactor=reactor)

    async def gather() -> bytes:
        await client.open()
        client.send(message)
        reply = await client.receive()
        if expect is not None:
            _compare(reply, expect[: len(reply)], 0, reply)
            if len(reply) < len(expect):
                raise _ended(len(reply), expect, reply)
        return reply

    def close(result: Any) -> Any:
        client.close()
        late = isinstance(result, Failure) and isinstance(result.value, Unanswered) and result.value
        if late and late.verdict is Verdict.TIMEOUT and client.strays:
            return Failure(Unanswered(Verdict.WRONG_SOURCE, f"a reply came from {client.stray}"))
        return result

    asked = Deferred.fromCoroutine(gather())
    return within(asked, timeout, reactor, "no reply").addBoth(close)


def _compare(said: bytes, expected: bytes, heard: int, answer: bytes = b"") -> None:
    if said != expected:
        same = next((i for i, (ours, theirs) in enumerate(zip(said, expected, strict=False)) if ours != theirs), None)
        at = heard + (len(expected) if same is None else same)
        raise Unanswered(Verdict.CORRUPT, f"not the answer expected, from byte {at} on", answer)


def _ended(heard: int, expect: bytes | None, answer: bytes = b"") -> Unanswered:
    if not heard:
        return Unanswered(Verdict.EOF, "the peer ended without an answer")
    return Unanswered(Verdict.SHORT, f"{heard} bytes of {len(expect or b'')} came", answer)
