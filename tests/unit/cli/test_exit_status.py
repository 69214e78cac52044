"""
The exit statuses of the commands.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sockservices.cli.exit_status import INTERRUPTED, OUTPUT_CLOSED, OUTPUT_FAILED, exitStatus
from sockservices.client import Verdict


class ExitStatusTests(SynchronousTestCase):
    """
    Tests for L{exitStatus}.
    """

    def test_documented(self) -> None:
        """
        Every verdict has the exit status that docs/client.md documents.
        """
        self.assertEqual(
            {verdict.value: exitStatus(verdict) for verdict in Verdict},
            {
                "ok": 0,
                "check failed": 2,
                "refused": 10,
                "reset": 11,
                "timeout": 12,
                "eof": 13,
                "short": 14,
                "corrupt": 15,
                "wrong-source": 16,
                "unreachable": 17,
                "dns": 18,
                "no-connection": 19,
                "no-answer": 20,
                "incomplete": 21,
                "usage": 64,
            },
        )
        self.assertEqual((OUTPUT_FAILED, INTERRUPTED, OUTPUT_CLOSED), (74, 130, 141))
