"""
The response of a service, and assertions about it.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from sockservices.conformance.excerpt import excerpt, excerptsOfDifference

__all__ = ["Deviation", "End", "ReplyWithheld", "Response"]

EMPTY_DATAGRAM = "an empty datagram"


class Deviation(Exception):  # noqa: N818 (the service is wrong, not this program)
    """
    The service deviates from its specification.

    @ivar seen: the observed behaviour.
    @ivar expected: the behaviour that its specification requires.
    """

    def __init__(self, seen: str, expected: str) -> None:
        super().__init__(f"{seen}; expected: {expected}")
        self.seen = seen
        self.expected = expected


class ReplyWithheld(Deviation):
    """
    The service sends no reply where the reply would be longer than a size rule allows.
    """


class End(Enum):
    """
    What followed the data of a stream.
    """

    EOF = "eof"  #: the service closed the connection (FIN)
    RESET = "reset"  #: the service, or a host on the way, reset the connection (RST)
    TIMEOUT = "timeout"  #: nothing, within the timeout; the connection is open
    MORE = "more data"  #: unknown: the case has received as much as it needs


class Response(NamedTuple):
    """
    All data received in one session, or one datagram.

    @ivar end: the event after the data; L{None} for a datagram.
    @ivar localAddress: the address of this end of the connection, as text.
    @ivar time: when the last data was received, in seconds since 1970-01-01 00:00 UTC.
    """

    data: bytes
    end: End | None = None
    localAddress: str = ""
    time: float = 0.0

    def __str__(self) -> str:
        return self._withEnd(excerpt(self.data))

    def _withEnd(self, text: str) -> str:
        """
        Append the event after the data to a description of the data.
        """
        if self.end is None:
            return text if self.data else EMPTY_DATAGRAM
        if self.end is End.TIMEOUT:
            return f"{text}, then nothing (incomplete)" if self.data else "nothing (no-answer)"
        return f"{text}, then {self.end.value}"

    def expect(self, condition: object, expected: str) -> None:
        """
        @param expected: what the condition requires.
        @raise Deviation: if the condition is false.
        """
        if not condition:
            raise Deviation(str(self), expected)

    def expectOnly(self, expected: bytes) -> None:
        """
        Expect these bytes, then eof.

        @raise Deviation: if the response differs.
        """
        self.expectData(expected)
        self.expectEof()

    def expectData(self, expected: bytes) -> None:
        """
        Expect exactly these bytes, however the stream ends.

        @raise Deviation: if the response differs.
        """
        if self.data == expected:
            return
        seen, should = excerptsOfDifference(self.data, expected)
        if self.end is None and not expected:
            should = EMPTY_DATAGRAM
        truncated = self.end is End.EOF and expected.startswith(self.data)
        if truncated or self.end in (None, End.RESET, End.TIMEOUT):
            seen = self._withEnd(seen)
        raise Deviation(seen, should)

    def expectEof(self) -> None:
        """
        Expect eof after any data.

        @raise Deviation: if the stream ends otherwise.
        """
        self.expect(self.end in (End.EOF, None), "a response, then eof")

    def expectPrintable(self) -> None:
        """
        Expect printable ASCII (0x20 to 0x7e), CR and LF only.

        @raise Deviation: if there is any other byte.
        """
        other = re.search(rb"[^\r\n\x20-\x7e]", self.data)
        if other:
            raise Deviation(f"{other[0]!r} in {excerpt(self.data)}", "printable ASCII and line ends")

    def expectSilence(self) -> None:
        """
        Expect no data, and an open connection.

        @raise Deviation: if there is data, eof or a reset.
        """
        if self.data or self.end is not End.TIMEOUT:
            raise Deviation(excerpt(self.data) if self.data else str(self), "no data, and an open connection")
