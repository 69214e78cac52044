"""
The methods with which either end of a connection receives.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from sockservices.transports.stream_reader import Rule, StreamReader, anyBytes, exactly, untilDelimiter, withoutLineEnd

__all__ = ["Receiving"]


class Receiving:
    """
    A mixin of both ends of a connection. Only one call may wait at a time.

    Timeouts are in seconds; L{None} is no timeout. What has come until a timeout can still be received. Each end has
    its own exceptions for a timeout, for a lost connection, and for a FIN that comes too early.
    """

    _reader: StreamReader

    def receive(self, timeout: float | None = None) -> Deferred[bytes]:
        """
        Receive the bytes that wait, or else the next segment; or a whole datagram.

        @return: fires with bytes, or with C{b""} after the peer's FIN.
        """
        return self._receive(anyBytes, timeout, "data")

    def receiveExactly(self, length: int, timeout: float | None = None) -> Deferred[bytes]:
        """
        Receive so many bytes, 0 to 65536.

        @return: fires with bytes; fails if the peer ends before.
        """
        return self._receive(exactly(length), timeout, f"{length} bytes")

    def receiveUntil(self, delimiter: bytes, timeout: float | None = None) -> Deferred[bytes]:
        """
        Receive up to a delimiter.

        @return: fires with bytes that end with the delimiter; fails as L{receiveExactly} does, and with L{TooLong
            <sockservices.scripting.TooLong>} if 64 KiB come without it.
        """
        return self._receive(untilDelimiter(delimiter), timeout, f"{delimiter!r}")

    def receiveLine(self, timeout: float | None = None) -> Deferred[bytes]:
        """
        Receive a line that ends with LF or CR LF.

        @return: fires with the line without its end; fails as L{receiveUntil} does.
        """
        return self.receiveUntil(b"\n", timeout).addCallback(withoutLineEnd)

    def _receive(self, rule: Rule, timeout: float | None, expected: str) -> Deferred[bytes]:
        """
        Receive what a rule asks for.

        @param expected: what the rule asks for, for the message of a failure.
        """
        raise NotImplementedError
