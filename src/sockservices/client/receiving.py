"""
The methods with which a client receives.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from sockservices.client.request_failed import RequestFailed, Verdict
from sockservices.client.timeout import withTimeout
from sockservices.transports.stream_reader import (
    IncompleteRead,
    Rule,
    StreamReader,
    exactly,
    untilDelimiter,
    withoutLineEnd,
)

__all__ = ["Receiving"]


class Receiving:
    """
    A mixin of L{ClientProtocol<sockservices.client.protocol.ClientProtocol>}: awaitable receives with timeouts.
    """

    _reader: StreamReader
    _clock: IReactorTime

    def receive(self, timeout: float | None = None) -> Deferred[bytes]:
        """
        Receive the buffered data, or else the next segment: at least one byte. Only one call may wait at a time.

        @param timeout: seconds to wait; L{None} for no timeout. The connection stays open after a timeout.
        @return: fires with bytes, or with C{b""} after the peer's FIN; fails with L{RequestFailed} after a timeout or a
            lost connection.
        """
        assert not self._reader.receiving, "another receive() is waiting"
        return withTimeout(self._reader.receive(), timeout, self._clock, "no data")

    def receiveExactly(self, length: int, timeout: float | None = None) -> Deferred[bytes]:
        """
        Receive so many bytes, 0 to 65536.

        @param timeout: seconds to wait; L{None} for no timeout. What has come until then can still be received.
        @return: fires with bytes; fails as L{receiveUntil} does.
        """
        return self._receiveBy(exactly(length), timeout, f"{length} bytes")

    def receiveUntil(self, delimiter: bytes, timeout: float | None = None) -> Deferred[bytes]:
        """
        Receive up to a delimiter.

        @param timeout: seconds to wait; L{None} for no timeout. What has come until then can still be received.
        @return: fires with bytes that end with the delimiter; fails with L{RequestFailed} after a timeout, a lost
            connection, or a FIN before it, and with L{TooLong<sockservices.transports.stream_reader.TooLong>} if 64 KiB
            come without it.
        """
        return self._receiveBy(untilDelimiter(delimiter), timeout, f"{delimiter!r}")

    def receiveLine(self, timeout: float | None = None) -> Deferred[bytes]:
        """
        Receive a line that ends with LF or CR LF.

        @return: fires with the line without its end; fails as L{receiveUntil} does.
        """
        return self.receiveUntil(b"\n", timeout).addCallback(withoutLineEnd)

    def _receiveBy(self, rule: Rule, timeout: float | None, expected: str) -> Deferred[bytes]:
        def incomplete(failure: Failure) -> Failure:
            error = failure.value
            if not isinstance(error, IncompleteRead):
                return failure
            return Failure(
                RequestFailed(
                    Verdict.SHORT if error.received else Verdict.EOF,
                    f"the peer ended before {expected} came",
                    error.received,
                )
            )

        assert not self._reader.receiving, "another receive() is waiting"
        received = self._reader.receive(rule).addErrback(incomplete)
        return withTimeout(received, timeout, self._clock, f"no {expected}")

    def __aiter__(self) -> AsyncIterator[bytes]:
        """
        Iterate over the received data until the peer's FIN.
        """
        return self

    async def __anext__(self) -> bytes:
        """
        Receive the next data.
        """
        data = await self.receive()
        if not data:
            raise StopAsyncIteration
        return data
