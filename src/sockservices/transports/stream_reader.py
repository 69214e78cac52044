"""
Received data that waits until it is asked for: the same code at both ends of a connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from twisted.internet.defer import Deferred

__all__ = [
    "MAX_BUFFER",
    "IncompleteRead",
    "Rule",
    "StreamReader",
    "TooLong",
    "anyBytes",
    "exactly",
    "untilDelimiter",
    "withoutLineEnd",
]

#: The most bytes that wait to be received. With so many, the reader pauses the transport. The read that fills the
#: buffer may bring more.
MAX_BUFFER = 65536

#: How many of the bytes that wait are to be received: L{None} while they are too few.
Rule: TypeAlias = Callable[[bytearray], int | None]


class IncompleteRead(EOFError):  # noqa: N818 (as asyncio's IncompleteReadError, without the suffix)
    """
    The peer has ended its side before all bytes came.

    @ivar received: the bytes that came.
    """

    def __init__(self, received: bytes) -> None:
        super().__init__(f"the peer has ended after {len(received)} bytes of it")
        self.received = received


class TooLong(ValueError):  # noqa: N818 (the name says what is wrong)
    """
    64 KiB have come, and are not all that was asked for.
    """


def exactly(length: int) -> Rule:
    """
    The rule of a fixed number of bytes.

    @raise ValueError: for more bytes than may wait.
    """
    if not 0 <= length <= MAX_BUFFER:
        raise ValueError(f"receiveExactly({length}): expected 0 to {MAX_BUFFER} bytes")
    return lambda buffer: length if len(buffer) >= length else None


def untilDelimiter(delimiter: bytes) -> Rule:
    """
    The rule of the bytes up to a delimiter, and the delimiter.

    @raise ValueError: for an empty delimiter.
    """
    if not delimiter:
        raise ValueError("receiveUntil(b''): expected at least one byte")
    searched = 0  # No delimiter begins before this offset.

    def length(buffer: bytearray) -> int | None:
        nonlocal searched
        start = buffer.find(delimiter, searched)
        searched = max(0, len(buffer) - len(delimiter) + 1)
        return None if start < 0 else start + len(delimiter)

    return length


def withoutLineEnd(line: bytes) -> bytes:
    """
    Remove LF or CR LF from the end of a line.
    """
    return line.removesuffix(b"\n").removesuffix(b"\r")


def anyBytes(buffer: bytearray) -> int | None:
    """
    The rule of all bytes that wait, at least one.
    """
    return len(buffer) or None


class StreamReader:
    """
    The received data of one connection. It pauses the transport while 64 KiB wait.

    @ivar ended: whether no more data comes.
    @ivar paused: whether the transport is paused.
    """

    def __init__(self, pause: Callable[[], object], resume: Callable[[], object]) -> None:
        """
        @param pause: called to stop the transport from reading.
        @param resume: called to let it read on.
        """
        self._pause = pause
        self._resume = resume
        self._buffer = bytearray()
        self._rule: Rule = anyBytes
        self._receiver: Deferred[bytes] | None = None
        self._error: BaseException | None = None
        self.ended = self.paused = self._discards = False

    @property
    def receiving(self) -> bool:
        """
        Whether a receive waits.
        """
        return self._receiver is not None

    @property
    def waiting(self) -> bytes:
        """
        The bytes that have come and were not received.
        """
        return bytes(self._buffer)

    def receive(self, rule: Rule = anyBytes) -> Deferred[bytes]:
        """
        Receive what the rule asks for: by default all data that waits, or else the next segment. Only one receive may
        wait at a time.

        @return: fires with bytes, or with C{b""} at the end if there is no rule; fails with L{IncompleteRead}, with
            L{TooLong}, with what the rule raises, or with the exception that ended the connection.
        """
        if self._receiver is not None:
            raise RuntimeError("another receive waits")
        receiver: Deferred[bytes] = Deferred(self._cancel)
        self._rule, self._receiver = rule, receiver
        self._serve()
        return receiver

    def _cancel(self, _: Deferred[bytes]) -> None:
        self._receiver = None

    def received(self, data: bytes) -> None:
        """
        Data has come.
        """
        if self._rule is anyBytes and self._receiver is not None and not self._buffer:
            receiver, self._receiver = self._receiver, None
            receiver.callback(data)
        else:
            self._buffer += b"" if self._discards else data
            self._serve()
        if len(self._buffer) >= MAX_BUFFER and not (self.paused or self.ended or self._discards):
            self.paused = True
            self._pause()

    def end(self, error: BaseException | None = None) -> None:
        """
        No more data comes.

        @param error: why, if not by the peer's FIN.
        """
        self.ended, self._error = True, error
        self._serve()

    def discard(self) -> None:
        """
        Nothing is received any more: drop the bytes that wait, and never pause the transport again.
        """
        self._discards = True
        self._buffer.clear()

    def resume(self) -> None:
        """
        Let the transport read on, if it is paused.
        """
        if self.paused:
            self.paused = False
            if not self.ended:
                self._resume()

    def _serve(self) -> None:
        """
        Fire the receive that waits, if the data for it has come or can no longer come.
        """
        receiver, buffer = self._receiver, self._buffer
        if receiver is None:
            return
        try:
            length = self._rule(buffer)
        except Exception as error:
            self._receiver = None
            receiver.errback(error)
            return
        if length is not None:
            data = bytes(buffer[:length])
            del buffer[:length]
            if len(buffer) < MAX_BUFFER:
                self.resume()
            self._receiver = None
            receiver.callback(data)
        elif self.ended:
            self._receiver = None
            if self._error is not None:
                receiver.errback(self._error)
            elif self._rule is anyBytes:
                receiver.callback(b"")
            else:
                received = bytes(buffer)
                buffer.clear()
                receiver.errback(IncompleteRead(received))
        elif len(buffer) >= MAX_BUFFER:
            self._receiver = None
            receiver.errback(TooLong(f"{len(buffer)} bytes have come, and they are not all"))
