"""
Tests for L{segmentations}.
"""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sockservices.testing import segmentations


class SegmentationsTests(SynchronousTestCase):
    """
    Tests for segmentations of a message.
    """

    def test_shortMessage(self) -> None:
        """
        A message of up to 10 bytes has all segmentations, each once, first the whole message. An empty one has none.
        """
        self.assertEqual(list(segmentations(b"")), [[]])
        self.assertEqual(list(segmentations(b"abc")), [[b"abc"], [b"a", b"bc"], [b"ab", b"c"], [b"a", b"b", b"c"]])
        for length in range(1, 11):
            ways = {tuple(segments) for segments in segmentations(bytes(range(length)))}
            self.assertEqual(len(ways), 2 ** (length - 1))

    def test_longMessage(self) -> None:
        """
        A long message has typical segmentations, first the whole message, and random ones.
        """
        message = Random(1).randbytes(5000)
        ways = list(segmentations(message, ways=7))
        self.assertEqual((len(ways), ways[0]), (12, [message]))
        for typical in (
            [message[:1448], message[1448:2896], message[2896:4344], message[4344:]],
            [bytes([byte]) for byte in message],
            [message[:1], message[1:]],
            [message[:-1], message[-1:]],
        ):
            self.assertIn(typical, ways)

    def test_reproducible(self) -> None:
        """
        The random segmentations depend on C{random} only, which has a fixed seed by default.
        """
        for first, second, equal in ((None, None, True), (5, 5, True), (5, 6, False)):
            one, other = (
                list(segmentations(bytes(500), None if seed is None else Random(seed))) for seed in (first, second)
            )
            self.assertEqual(one == other, equal)

    @settings(deadline=None, max_examples=50)
    @given(message=st.one_of(st.binary(max_size=12), st.binary(max_size=4000)), seed=st.integers())
    def test_segmentsJoinToMessage(self, message: bytes, seed: int) -> None:
        """
        The segments of each segmentation join to the message. No segment is empty, and no segmentation comes twice.
        """
        ways = list(segmentations(message, Random(seed)))
        self.assertEqual({b"".join(segments) for segments in ways}, {message})
        self.assertTrue(all(all(segments) for segments in ways))
        self.assertEqual(len({tuple(segments) for segments in ways}), len(ways))
