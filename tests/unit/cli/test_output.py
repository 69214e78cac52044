"""
The output of peers' data.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout

from twisted.trial.unittest import SynchronousTestCase

from sockservices.cli.output import Output, escapeControls
from sockservices.testing import segmentations


class Terminal(io.StringIO):
    """
    A terminal in memory.
    """

    def isatty(self) -> bool:
        """
        Be a terminal.
        """
        return True


class OutputTests(SynchronousTestCase):
    """
    Tests for L{Output} and L{escapeControls}.
    """

    def test_escapeControls(self) -> None:
        """
        Printable characters, tabs and newlines stay; all others are escaped.
        """
        self.assertEqual(escapeControls("a\tß\n→\n"), "a\tß\n→\n")
        self.assertEqual(escapeControls("\r\0\x7f\x85\x1b[31m\u202e"), r"\r\x00\x7f\x85\x1b[31m\u202e")

    def test_segmentation(self) -> None:
        """
        However the network divides the data, the text on a terminal is the same: a character of several bytes, and a CR
        LF, stay whole; bytes that are not UTF-8 are escaped; the last line is ended once.
        """
        data = "café →\r\n".encode() + b"\xff\r.\xc3"
        for segments in segmentations(data):
            with redirect_stdout(Terminal()) as terminal:
                output = Output()
                for segment in segments:
                    output.writeData(segment)
                output.endLine()
                output.endLine()
            self.assertEqual(terminal.getvalue(), "café →\n\\xff\\r.\\xc3\n", segments)
