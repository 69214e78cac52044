"""
Users' values in error messages.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sockservices.text.values import quoted


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
