"""
Excerpts of received data.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sockservices.conformance.excerpt import excerpt, excerptsOfDifference


class ExcerptTests(SynchronousTestCase):
    """
    Tests for L{excerpt} and L{excerptsOfDifference}.
    """

    def test_excerpt(self) -> None:
        """
        Short data is shown in full, in printable characters. Long data is cut, and its length is shown.
        """
        self.assertEqual(excerpt(b"a\r\n\xff"), "b'a\\r\\n\\xff'")
        self.assertEqual(excerpt(b""), "no data")
        for data in b"a" * 1000, bytes(1000), b"\\" * 61, b"'\"" * 40:
            text = excerpt(data)
            self.assertLess(len(text), 80)
            self.assertTrue(text.endswith(f"... of {len(data)}"), text)

    def test_difference(self) -> None:
        """
        Long data is shown from the first difference on; if one is the beginning of the other, by its length.
        """
        long = b"a" * 100
        for seen, expected, texts in (
            (b"a", b"b", ("b'a'", "b'b'")),
            (long, long[:-1] + b"b", ("b'a' at byte 99 of 100", "b'b' at byte 99 of 100")),
            (long, long * 2, ("100 bytes", "200 bytes")),
            (b"", long * 2, ("no bytes", "200 bytes")),
        ):
            self.assertEqual(excerptsOfDifference(seen, expected), texts)
