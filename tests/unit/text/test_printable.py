"""
Text that a user gave, as one printable line.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sockservices.text.printable import printable


class PrintableTests(SynchronousTestCase):
    """
    L{printable}.
    """

    def test_escapes(self) -> None:
        """
        Control characters, ends of lines and bytes that are no text are escaped. Letters of all languages are not.
        """
        for text, expected in [
            ("tcp:8007 caf\u00e9 \u4f60", "tcp:8007 caf\u00e9 \u4f60"),
            ("\x1b[31m\x7f\x9b", "\\x1b[31m\\x7f\\x9b"),
            ("a\r\nb\u2028", "a\\r\\nb\\u2028"),
            ("\udcff", "\\udcff"),
        ]:
            with self.subTest(text=text):
                self.assertEqual(expected, printable(text))
