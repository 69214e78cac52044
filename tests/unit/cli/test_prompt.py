"""
The prompt of C{sockservices chat}, with pipes.
"""

from __future__ import annotations

import io
import signal
import sys

from twisted.trial.unittest import SynchronousTestCase

from sockservices.cli.prompt import WAKE_SIGNAL, Prompt


class PromptTests(SynchronousTestCase):
    """
    Tests for L{Prompt}.
    """

    def setUp(self) -> None:
        """
        Replace standard input and output.
        """
        self.addCleanup(signal.signal, WAKE_SIGNAL, signal.getsignal(WAKE_SIGNAL))
        self.patch(sys, "stdin", io.TextIOWrapper(io.BytesIO(b" one \r\n\ntwo")))
        self.patch(sys, "stdout", io.TextIOWrapper(io.BytesIO()))
        self.stderr = io.StringIO()
        self.patch(sys, "stderr", self.stderr)
        self.prompt = Prompt()

    def test_lines(self) -> None:
        """
        Lines are read without surrounding white space, to the end of the input.
        """
        self.assertEqual([self.prompt.readLine() for _ in range(4)], [b"one", b"", b"two", None])

    def test_closed(self) -> None:
        """
        A closed prompt reads no line, although there is one. The message goes to standard error.
        """
        self.prompt.close("the peer closed the connection")
        self.assertIsNone(self.prompt.readLine())
        self.assertEqual(self.stderr.getvalue(), "sockservices chat: the peer closed the connection\n")
