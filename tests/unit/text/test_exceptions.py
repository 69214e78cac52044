"""
An exception as one line of text.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from sockservices.text.exceptions import exceptionText


class ExceptionTextTests(SynchronousTestCase):
    """
    Tests for L{exceptionText}.
    """

    def raised(self, exception: Exception) -> str:
        """
        Raise an exception in this file, and format it.
        """
        try:
            raise exception
        except Exception as caught:
            return exceptionText(caught)

    def test_fileAndLine(self) -> None:
        """
        The text ends with the file and line of the innermost frame; an exception that was not raised has none.
        """
        text, _, line = self.raised(ValueError("no such name")).rpartition(":")
        self.assertEqual(text, f"ValueError('no such name') at {__file__}")
        self.assertEqual(int(line), self.raised.__func__.__code__.co_firstlineno + 5)  # type: ignore[attr-defined]
        self.assertIn("decoder.py:", exceptionText(self.assertRaises(ValueError, json.loads, "{")))
        self.assertEqual(exceptionText(ValueError("no such name")), "ValueError('no such name')")

    def test_printable(self) -> None:
        """
        The text is one line of printable ASCII, and its repr is cut to 200 characters.
        """

        class HostileError(Exception):
            def __repr__(self) -> str:
                return "line\r\nline\x1b[31m\0\u2028\udc80\xe9\U0001f600"

        hostile = (HostileError(), ValueError(b"\x1b\r\n"), OSError(2, "no\nsuch", "file\udcff"), UnicodeError("\x07"))
        for exception in hostile:
            text = self.raised(exception)
            self.assertTrue(text.isprintable() and text.isascii(), text)
        self.assertEqual(len(exceptionText(ValueError("x" * 10_000))), 200)
