"""
What a coroutine expects of its peer.
"""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Outcome, RemotePeer
from sockservices.scripting import Mismatch
from sockservices.scripting.partial_match import firstImpossible
from sockservices.testing import converse, segmentations
from sockservices.text.difference import firstDifference

#: Patterns, data with which no match begins, and the first byte that no match can have.
IMPOSSIBLE = [
    (rb"HELO (\S+)\r\n", b"EHLO me\r\n", 0),
    (rb"HELO (\S+)\r\n", b"HELO m e\r\n", 6),
    (rb"(?i)helo|quit", b"HEx", 2),
    (rb"[^\n]{1,3}\n", b"abcd", 3),
    (rb"(a|b)+c", b"ababd", 4),
    (rb"(a*)*c", b"aaad", 3),
    (rb"\d{3}-\w+;", b"12x", 2),
    (rb".\n", b"\n", 0),
    (rb"(?s).[^ab]c", b"\na", 1),
    (rb"a+?b$", b"aac", 2),
]

#: Patterns of which every beginning of a match may become one.
PATTERNS = [
    rb"HELO (\S+)\r\n",
    rb"(?i)(GET|set) [a-z]+(;[0-9]{1,3})*\n",
    rb"(?s)DATA\r\n.*\r\n\.\r\n",
    rb"(ab|a)(bc|c)?d{2,}",
    rb"[^\W\d_]+\s\D?x*?y",
    rb"(?:a|b){0,4}(?P<q>['\"]).(?P=q)",
    rb"\x00[\x80-\xff]{2}",
]


async def helo(peer: RemotePeer) -> None:
    """
    Expect one line, and reply.
    """
    await peer.expect(b"HELO me\r\n")
    await peer.send(b"250\r\n")
    await peer.expectEnd()


class ExpectationCase(SynchronousTestCase):
    """
    A test of mismatches.
    """

    def mismatch(self, service: Any, *segments: bytes, end: bool = False, wait: float = 0) -> Mismatch:
        """
        Send segments, and return the mismatch.
        """
        peer = converse(service)
        peer.say(*segments)
        if end:
            peer.end()
        peer.wait(wait)
        self.assertIs(peer.outcome, Outcome.MISMATCH)
        mismatch = peer.visits[0].mismatch
        assert isinstance(mismatch, Mismatch)
        self.assertEqual(peer.clock.getDelayedCalls(), [])
        return mismatch


class ExpectTests(ExpectationCase):
    """
    C{expect} and C{expectEnd}.
    """

    def test_expected(self) -> None:
        """
        Expected bytes may come in any segments.
        """
        for segments in segmentations(b"HELO me\r\n"):
            peer = converse(helo)
            self.assertEqual((peer.say(*segments), peer.end(), peer.outcome), (b"250\r\n", b"", Outcome.DONE))

    def test_firstDifference(self) -> None:
        """
        The first byte that differs raises the mismatch at once, in whatever segments it comes.
        """
        for received, offset in ((b"EHLO me\r\n", 0), (b"HELP", 3), (b"HELO me\n", 7)):
            for segments in segmentations(received):
                mismatch = self.mismatch(helo, *segments)
                self.assertEqual((mismatch.expected, mismatch.offset), (b"HELO me\r\n", offset))
                self.assertTrue(received.startswith(mismatch.received))
                self.assertGreater(len(mismatch.received), offset)

    def test_end(self) -> None:
        """
        A FIN before all expected bytes is a mismatch, and so are bytes before an expected end.
        """
        mismatch = self.mismatch(helo, b"HEL", end=True)
        self.assertEqual((mismatch.received, mismatch.offset), (b"HEL", 3))
        self.assertEqual(
            mismatch.line,
            r"expected b'HELO me\r\n', received b'HEL': different from byte 3 on; the peer ended",
        )
        mismatch = self.mismatch(helo, b"HELO me\r\nmore")
        self.assertEqual((mismatch.expected, mismatch.received, mismatch.offset), (None, b"more", 0))
        self.assertIn("expected the end of the stream, received b'more'", mismatch.line)

    def test_timeouts(self) -> None:
        """
        An expectation that is not met in time is a mismatch.
        """

        async def bytesInTime(peer: RemotePeer) -> None:
            await peer.expect(b"HELO", timeout=2)

        async def matchInTime(peer: RemotePeer) -> None:
            await peer.expectMatch(rb"HELO \S+\n", timeout=2)

        async def endInTime(peer: RemotePeer) -> None:
            await peer.expect(b"H")
            await peer.expectEnd(timeout=2)

        for service, received, reason in (
            (bytesInTime, b"H", "nothing more came within 2 s"),
            (matchInTime, b"H", "nothing more came within 2 s"),
            (endInTime, b"", "no end came within 2 s"),
        ):
            mismatch = self.mismatch(service, b"H", wait=2)
            self.assertEqual((mismatch.received, mismatch.offset), (received, len(received)))
            self.assertTrue(mismatch.line.endswith(reason), mismatch.line)

    def test_longData(self) -> None:
        """
        More bytes may be expected than are kept. The message shows the place where they differ.
        """
        long = bytes(range(256)) * 2000

        async def expectsLong(peer: RemotePeer) -> None:
            await peer.expect(long)

        segments = [long[start : start + 50_000] for start in range(0, len(long), 50_000)]
        peer = converse(expectsLong)
        peer.say(*segments)
        self.assertIs(peer.outcome, Outcome.FINISHED)
        segments[-1] = segments[-1][:-1] + b"!"
        mismatch = self.mismatch(expectsLong, *segments)
        self.assertEqual(mismatch.offset, len(long) - 1)
        first, expected, received = str(mismatch).splitlines()
        self.assertEqual(first, "different from byte 511999 on")
        self.assertLess(len(expected), 200)
        self.assertTrue(expected.endswith(r"\xfe\xff'") and received.endswith(r"\xfe!'"), (expected, received))

    def test_caught(self) -> None:
        """
        A coroutine may catch the mismatch, and go on.
        """

        async def either(peer: RemotePeer) -> None:
            try:
                await peer.expect(b"HELO\r\n")
            except Mismatch:
                await peer.expect(b"EHLO\r\n")
            await peer.send(b"250\r\n")

        for request in (b"HELO\r\n", b"EHLO\r\n"):
            self.assertEqual(converse(either).say(request), b"250\r\n")

    def test_wrongTypes(self) -> None:
        """
        Expectations of text are errors.
        """

        async def text(peer: RemotePeer) -> None:
            await peer.expect("text")  # type: ignore[arg-type]

        async def pattern(peer: RemotePeer) -> None:
            await peer.expectMatch("text")  # type: ignore[arg-type]

        for service, message in (
            (text, "expect() got str, expected bytes"),
            (pattern, "expectMatch() got str, expected a pattern of bytes"),
        ):
            peer = converse(service)
            self.assertEqual((peer.outcome, str(peer.exception)), (Outcome.ERROR, message))

    @given(st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=20))
    def test_firstDifferenceOfRandomData(self, ours: bytes, theirs: bytes, common: bytes) -> None:
        """
        The difference is found as by a comparison of byte after byte.
        """
        ours, theirs = common + ours, common + theirs
        pairs = enumerate(zip(ours, theirs, strict=False))
        first = next((offset for offset, (one, other) in pairs if one != other), min(len(ours), len(theirs)))
        self.assertEqual(firstDifference(ours, theirs), first)


class ExpectMatchTests(ExpectationCase):
    """
    C{expectMatch}.
    """

    def test_match(self) -> None:
        """
        A match may come in any segments. It is returned, and what follows it is received next.
        """
        results: list[Any] = []

        async def script(peer: RemotePeer) -> None:
            match = await peer.expectMatch(rb"HELO (\S+)\r\n")
            results.append(match[1])
            results.append(await peer.receiveExactly(1))

        for segments in segmentations(b"HELO me\r\n!"):
            results.clear()
            converse(script).say(*segments)
            self.assertEqual(results, [b"me", b"!"])

    def test_impossible(self) -> None:
        """
        A mismatch is raised as soon as no match can begin with what came, with the first byte that no match can have.
        """
        for pattern, data, offset in IMPOSSIBLE:
            with self.subTest(pattern=pattern, data=data):

                async def script(peer: RemotePeer, pattern: bytes = pattern) -> None:
                    await peer.expectMatch(pattern)

                mismatch = self.mismatch(script, data)
                self.assertEqual((mismatch.expected, mismatch.received, mismatch.offset), (pattern, data, offset))
                self.assertIn(f"expected a match of {pattern!r}, received {data!r}", mismatch.line)

    def test_limit(self) -> None:
        """
        64 KiB without a match are a mismatch, and so is a FIN.
        """

        async def script(peer: RemotePeer) -> None:
            await peer.expectMatch(rb"(?s).*;")

        self.assertIn("65536 bytes are the most that is kept", self.mismatch(script, bytes(65536)).line)
        self.assertIn("the peer ended", self.mismatch(script, b"abc", end=True).line)

    @settings(deadline=None)
    @given(st.data())
    def test_noMatchIsRejected(self, data: st.DataObject) -> None:
        """
        Every beginning of a match may become one.
        """
        pattern = re.compile(data.draw(st.sampled_from(PATTERNS)))
        matching = data.draw(st.from_regex(pattern, fullmatch=True))
        for length in range(len(matching)):
            self.assertIsNone(firstImpossible(pattern, matching[:length]))
