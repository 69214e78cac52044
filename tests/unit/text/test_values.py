"""
Text that a user gave, as one printable line.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sockservices.text.values import printable, quoted


class QuotedTests(SynchronousTestCase):
    """
    Tests for L{quoted}.
    """

    def test_quoted(self) -> None:
        """
        Quotes appear only around values that are empty, have blanks, or are not printable ASCII.
        """
        for value, text in (
            ("99999", "99999"),
            ("tcp://[::1]:0", "tcp://[::1]:0"),
            ("", "''"),
            ("3 1", "'3 1'"),
            ("é", r"'\xe9'"),
            ("1\x1b[31m\n", r"'1\x1b[31m\n'"),
            ("\udce9", r"'\udce9'"),
        ):
            self.assertEqual(quoted(value), text)


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
