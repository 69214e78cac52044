"""
The reactor of a command.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from sockservices.cli.reactor import CLOSE_TIMEOUT, backgroundReactor, runInReactor
from sockservices.testing.background_reactor import BackgroundReactor


class RunInReactorTests(SynchronousTestCase):
    """
    Tests for L{runInReactor}.
    """

    def test_ownTimeout(self) -> None:
        """
        A function that reports its own timeout has time to do so.
        """
        self.assertEqual(runInReactor(lambda reactor: deferLater(reactor, 0.1, lambda: "result"), 0.01), "result")


class _RecordingReactor(BackgroundReactor):
    """
    Records how long it is waited for.
    """

    def __init__(self) -> None:
        super().__init__()
        self.timeouts: list[float] = []

    def stop(self, timeout: float = 10.0) -> None:
        """
        Record the timeout, and stop.
        """
        self.timeouts.append(timeout)
        super().stop()


class BackgroundReactorTests(SynchronousTestCase):
    """
    Tests for L{backgroundReactor}.
    """

    def test_waitsOnce(self) -> None:
        """
        The end of a command waits for the thread, except after a call that the thread has not finished in time.
        """
        background = _RecordingReactor()
        with backgroundReactor(background):
            pass
        with self.assertRaises(TimeoutError), backgroundReactor(background):
            background.call(Deferred, timeout=0)
        self.assertEqual(background.timeouts, [CLOSE_TIMEOUT, 0.0])
