"""
One request and its answer, over a stream or as datagrams.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, closing

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.python.failure import Failure

from sockservices.client.connect import connect
from sockservices.client.datagram import DatagramClient
from sockservices.client.request_failed import RequestFailed, Verdict
from sockservices.client.timeout import failAfter, withTimeout
from sockservices.text.difference import firstDifference

__all__ = ["ask", "askDatagram", "exchange"]

#: The default maximum length of an answer, in bytes. C{chargen}, for one, never ends its answer.
MAX_ANSWER = 2**24


def ask(
    endpoint: IStreamClientEndpoint,
    message: bytes = b"",
    *,
    reactor: IReactorTime,
    timeout: float | None = 10.0,
    expect: bytes | None = None,
    most: int = MAX_ANSWER,
) -> Deferred[bytes]:
    """
    Connect, send a message, send a FIN, and read the answer until the peer's FIN.

    @param endpoint: any stream client endpoint, such as C{clientFromString(reactor, "tcp:127.0.0.1:8007")}.
    @param reactor: the clock of the timeout.
    @param timeout: seconds for the whole request; L{None} for no timeout. The verdict gives the phase that it ended:
        L{Verdict.NO_CONNECTION}, L{Verdict.NO_ANSWER} or L{Verdict.INCOMPLETE}.
    @param expect: the expected answer; by default, any answer of at least one byte is good.
    @param most: the maximum length of the answer in bytes.
    @return: fires with the answer; fails with L{RequestFailed}.
    """
    answer = bytearray()

    async def collect() -> bytes:
        exchanged = exchange(endpoint, message, reactor=reactor, expect=expect, timeout=timeout)
        async with aclosing(exchanged) as segments:
            async for segment in segments:
                answer.extend(segment)
                if len(answer) > most:
                    raise RequestFailed(Verdict.CORRUPT, f"the answer is longer than {most} bytes")
        return bytes(answer)

    def addAnswer(failure: Failure) -> Failure:
        if isinstance(failure.value, RequestFailed):
            failure.value.answer = bytes(answer)
        return failure

    return Deferred.fromCoroutine(collect()).addErrback(addAnswer)


async def exchange(
    endpoint: IStreamClientEndpoint,
    message: bytes = b"",
    *,
    reactor: IReactorTime,
    expect: bytes | None = None,
    timeout: float | None = None,
) -> AsyncGenerator[bytes, None]:
    """
    Send a request, and yield the segments of its answer as they arrive. C{aclose()} aborts the connection.

    The parameters are those of L{ask}; by default there is no timeout.

    @raise RequestFailed: at the end of the answer, unless the answer is good.
    """
    deadline = None if timeout is None else reactor.seconds() + timeout
    received = 0

    def silenceFailure() -> RequestFailed:
        return _silenceFailure(received, expect, f"within {timeout:g} s")

    connection = await connect(endpoint, reactor=reactor, timeout=timeout)
    try:
        # receive() reports the same failure.
        connection.send(message).addErrback(lambda _: None)
        connection.finish()
        while True:
            remaining = None if deadline is None else deadline - reactor.seconds()
            if remaining is not None and remaining <= 0:
                # Buffered data would keep the timeout of receive() from passing.
                raise silenceFailure()
            segment = await failAfter(connection.receive(), remaining, reactor, silenceFailure)
            if not segment:
                break
            yield segment
            if expect is not None:
                _compare(segment, expect[received : received + len(segment)], received)
            received += len(segment)
        if received < (1 if expect is None else len(expect)):
            raise _incompleteAnswer(received, expect)
        if connection.finished:
            await connection.end()
    finally:
        await connection.abort()


def askDatagram(
    address: tuple[str, int] | str,
    message: bytes = b"",
    *,
    reactor: IReactorTime,
    timeout: float | None = 5.0,
    expect: bytes | None = None,
) -> Deferred[bytes]:
    """
    Send one datagram, and wait for one reply from the address that it was sent to.

    Networks lose datagrams, so one timeout does not prove that the service is down.

    @param address: host and port, or the path of a Unix socket (C{@name} in the abstract namespace).
    @param reactor: reads from the socket, and is the clock of the timeout.
    @param timeout: seconds to wait for the reply; L{None} for no timeout.
    @param expect: the expected reply; by default, any reply is good, an empty one included.
    @return: fires with the reply; fails with L{RequestFailed}.
    """
    client = DatagramClient(address, reactor=reactor)

    async def collect() -> bytes:
        with closing(client):
            await client.open()
            client.send(message)
            reply = await client.receive()
        if expect is not None:
            _compare(reply, expect[: len(reply)], 0, reply)
            if len(reply) < len(expect):
                raise _incompleteAnswer(len(reply), expect, reply)
        return reply

    def blameWrongSource(failure: Failure) -> Failure:
        timedOut = isinstance(failure.value, RequestFailed) and failure.value.verdict is Verdict.TIMEOUT
        if timedOut and client.wrongSourceCount:
            return Failure(RequestFailed(Verdict.WRONG_SOURCE, f"a reply came from {client.lastWrongSource}"))
        return failure

    request = Deferred.fromCoroutine(collect())
    return withTimeout(request, timeout, reactor, "no reply").addErrback(blameWrongSource)


def _compare(received: bytes, expected: bytes, offset: int, answer: bytes = b"") -> None:
    """
    @param offset: the position of the received bytes in the whole answer.
    @raise RequestFailed: if the bytes differ.
    """
    if received != expected:
        difference = offset + firstDifference(received, expected)
        description = f"the answer differs from the expected one at byte {difference}"
        raise RequestFailed(Verdict.CORRUPT, description, answer)


def _silenceFailure(received: int, expect: bytes | None, within: str) -> RequestFailed:
    """
    Make the failure of a connection that is open and silent.
    """
    if not received:
        return RequestFailed(Verdict.NO_ANSWER, f"connected, but no byte of the answer {within}")
    if expect is None:
        return RequestFailed(Verdict.INCOMPLETE, f"received {received} bytes, but no end of the answer {within}")
    end = "" if received < len(expect) else ", but no end"
    return RequestFailed(Verdict.INCOMPLETE, f"received {received} of {len(expect)} bytes{end} {within}")


def _incompleteAnswer(received: int, expect: bytes | None, answer: bytes = b"") -> RequestFailed:
    if not received:
        return RequestFailed(Verdict.EOF, "the peer closed without an answer")
    return RequestFailed(Verdict.SHORT, f"received {received} of {len(expect or b'')} bytes", answer)
