"""
The reactor of a command.
"""

from __future__ import annotations

from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from sockservices.cli.reactor import runInReactor


class RunInReactorTests(SynchronousTestCase):
    """
    Tests for L{runInReactor}.
    """

    def test_ownTimeout(self) -> None:
        """
        A function that reports its own timeout has time to do so.
        """
        self.assertEqual(runInReactor(lambda reactor: deferLater(reactor, 0.1, lambda: "result"), 0.01), "result")
