"""
The methods with which a coroutine says what its peer must send.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sockservices.scripting.mismatch import Mismatch
from sockservices.scripting.partial_match import firstImpossible
from sockservices.text.difference import firstDifference
from sockservices.transports.receiving import Receiving
from sockservices.transports.stream_reader import MAX_BUFFER, IncompleteRead, TooLong, anyBytes

__all__ = ["Expectations"]


class Expectations(Receiving):
    """
    A mixin of L{RemotePeer<sockservices.scripting.RemotePeer>}. Other bytes than expected raise L{Mismatch
    <sockservices.scripting.Mismatch>}, as soon as the first one has come. So does a timeout, in seconds. If the
    coroutine does not catch it, the connection is reset, and the outcome is C{mismatch}.
    """

    async def expect(self, expected: bytes, timeout: float | None = None) -> None:
        """
        Receive exactly these bytes. Bytes that come after them can be received next.

        @param timeout: for each segment, not for all bytes of a long message.
        @raise Mismatch: if others come, or too few.
        """
        if not isinstance(expected, bytes):
            raise TypeError(f"expect() got {type(expected).__name__}, expected bytes")
        offset = 0

        def matching(buffer: bytearray) -> int | None:
            rest = expected[offset : offset + len(buffer)]
            if not buffer.startswith(rest):
                received = expected[:offset] + buffer
                raise Mismatch(expected, received, firstDifference(expected, received))
            return len(rest) or None

        while offset < len(expected):
            try:
                offset += len(await self._receive(matching, timeout, ""))
            except IncompleteRead:
                raise Mismatch(expected, expected[:offset], offset, "the peer ended") from None
            except TimeoutError:
                reason = f"nothing more came within {timeout:g} s"
                raise Mismatch(expected, expected[:offset], offset, reason) from None

    async def expectMatch(self, pattern: bytes | re.Pattern[bytes], timeout: float | None = None) -> re.Match[bytes]:
        r"""
        Receive bytes that match a regular expression, from the first byte on. As soon as they match, the match is
        complete: the expression must name what ends the message, such as C{\r\n}.

        @return: the match. Bytes that come after it can be received next.
        @raise Mismatch: if no match can begin with what came, or 64 KiB came without a match.
        """
        return await self.expectAny([pattern], timeout)

    async def expectAny(
        self, patterns: Sequence[bytes | re.Pattern[bytes]], timeout: float | None = None
    ) -> re.Match[bytes]:
        """
        Receive bytes that match one of several regular expressions, as L{expectMatch} does. The first one counts that
        matches what has come.

        @return: the match; its C{re} is the compiled expression.
        """
        compiled = [re.compile(pattern) for pattern in patterns]
        for each in compiled:
            if not isinstance(each.pattern, bytes):
                raise TypeError(f"expectMatch() got {type(each.pattern).__name__}, expected a pattern of bytes")
        expected = b"|".join(each.pattern for each in compiled)
        found: list[re.Match[bytes]] = []

        def mismatch(offset: int, reason: str = "") -> Mismatch:
            return Mismatch(expected, self._reader.waiting, offset, reason, pattern=True)

        def matching(buffer: bytearray) -> int | None:
            data = bytes(buffer)
            impossible = []
            for each in compiled:
                match = each.match(data)
                if match is not None:
                    found.append(match)
                    return match.end()
                impossible.append(firstImpossible(each, data))
            offsets = [offset for offset in impossible if offset is not None]
            if len(offsets) == len(compiled):
                raise mismatch(max(offsets, default=0))
            return None

        try:
            await self._receive(matching, timeout, "")
        except IncompleteRead as error:
            received = error.received
            raise Mismatch(expected, received, len(received), "the peer ended", pattern=True) from None
        except TooLong:
            reason = f"{MAX_BUFFER} bytes are the most that is kept"
            raise mismatch(len(self._reader.waiting), reason) from None
        except TimeoutError:
            raise mismatch(len(self._reader.waiting), f"nothing more came within {timeout:g} s") from None
        return found[0]

    async def expectEnd(self, timeout: float | None = None) -> None:
        """
        Wait for the peer's end.

        @raise Mismatch: if bytes come before it, or it does not come in time.
        """
        try:
            received = await self._receive(anyBytes, timeout, "")
        except TimeoutError:
            raise Mismatch(None, b"", 0, f"no end came within {timeout:g} s") from None
        if received:
            raise Mismatch(None, received, 0)
