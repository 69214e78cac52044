"""
A fault as one line of text.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from sockservices.text.exceptions import exceptionText


class ExceptionTextTests(SynchronousTestCase):
    """
    Tests for L{exceptionText}.
    """

    def raised(self, fault: Exception) -> str:
        """
        The text of an exception that was raised here.
        """
        try:
            raise fault
        except Exception as caught:
            return exceptionText(caught)

    def test_whatAndWhere(self) -> None:
        """
        It says what was raised, and the line of code that did.
        """
        text, _, line = self.raised(ValueError("no such word")).rpartition(":")
        self.assertEqual(text, f"ValueError('no such word') at {__file__}")
        self.assertEqual(int(line), self.raised.__func__.__code__.co_firstlineno + 5)  # type: ignore[attr-defined]

    def test_innermost(self) -> None:
        """
        The line is the innermost.
        """
        try:
            json.loads("{")
        except ValueError as fault:
            self.assertIn("decoder.py:", exceptionText(fault))

    def test_notRaised(self) -> None:
        """
        An exception that nobody raised came from nowhere.
        """
        self.assertEqual(exceptionText(ValueError("no such word")), "ValueError('no such word')")

    def test_onePrintableLine(self) -> None:
        """
        Whatever it says of itself, it is one printable line.
        """

        class RudeError(Exception):
            def __repr__(self) -> str:
                return "line\r\nline\x1b[31m\0\u2028\udc80\xe9\U0001f600"

        for fault in (RudeError(), ValueError(b"\x1b\r\n"), OSError(2, "no\nsuch", "file\udcff"), UnicodeError("\x07")):
            text = self.raised(fault)
            self.assertTrue(text.isprintable() and text.isascii(), text)

    def test_short(self) -> None:
        """
        What it says of itself is cut.
        """
        self.assertEqual(len(exceptionText(ValueError("x" * 10_000))), 200)
