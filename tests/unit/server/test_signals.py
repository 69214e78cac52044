"""
The command's actions on signals.
"""

from __future__ import annotations

import signal
import threading

from sockservices.server.signals import Signals, blockedSignals
from tests.support.loop import LoopCase
from tests.support.peer import LogCase

NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


class SignalsTests(LogCase, LoopCase):
    """
    L{Signals}, over actions of Twisted that record their signals.
    """

    def setUp(self) -> None:
        """
        Restore actions and alarm after the test.
        """
        LoopCase.setUp(self)
        LogCase.setUp(self)
        for number in NUMBERS:
            self.addCleanup(signal.signal, number, signal.getsignal(number))
            signal.signal(number, signal.SIG_DFL)
        self.addCleanup(signal.alarm, 0)
        self.stops: list[int] = []
        self.aborts: list[None] = []
        for number in NUMBERS[:2]:
            signal.signal(number, self.stop)
        self.reactor.sigTerm = self.reactor.sigInt = self.stop
        self.signals = Signals(self.reactor, lambda: self.aborts.append(None), 10.5)

    def stop(self, number: int, frame: object) -> None:
        """
        Record the signal.
        """
        self.stops.append(number)

    def test_stop(self) -> None:
        """
        The first signal calls Twisted's action, and sets an alarm 5 s after the drain. Later ones abort, each in the
        reactor's thread.
        """
        self.signals.install()
        signal.raise_signal(signal.SIGTERM)
        self.turn()
        self.assertEqual((self.stops, self.aborts, signal.alarm(0)), ([signal.SIGTERM], [], 15))
        signal.raise_signal(signal.SIGINT)
        self.assertEqual(self.aborts, [])
        self.turn()
        self.assertEqual((self.stops, self.aborts, signal.alarm(0)), ([signal.SIGTERM], [None], 0))
        self.assertEqual(self.lines(), ["second signal to stop: aborting all conversations"])

    def test_ignored(self) -> None:
        """
        A signal that is ignored at the start stays ignored, also before the reactor runs.
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for prepare in (self.signals.hold, self.signals.install):
            prepare()
            signal.raise_signal(signal.SIGINT)
            self.turn()
            self.assertEqual((self.stops, self.aborts, signal.alarm(0)), ([], [], 0))

    def test_held(self) -> None:
        """
        The first signal to stop that arrives before the reactor runs is held until then, with an alarm in case the
        start hangs.
        """
        self.signals.hold()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(number)
        self.assertEqual((self.stops, signal.alarm(0)), ([], 15))
        self.signals.install()
        self.turn()
        self.assertEqual((self.stops, signal.alarm(0)), ([signal.SIGINT], 15))

    def test_blocked(self) -> None:
        """
        Signals that are blocked take effect afterwards.
        """
        with blockedSignals():
            # To this thread: the kernel could give a signal for the process to a thread of another test.
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
            self.assertEqual(self.stops, [])
        self.assertEqual(self.stops, [signal.SIGTERM])

    def test_logged(self) -> None:
        """
        SIGHUP and SIGUSR1 log a line, except that SIGUSR1 calls the action that reopens a log file.
        """
        lines = ["SIGHUP: nothing to reload", "SIGUSR1: no log file to reopen"]
        for action, logged, called in ((signal.SIG_DFL, lines, []), (self.stop, lines[:1], [signal.SIGUSR1])):
            signal.signal(signal.SIGUSR1, action)
            self.signals.install()
            for number in (signal.SIGHUP, signal.SIGUSR1):
                signal.raise_signal(number)
            self.turn()
            self.assertEqual((self.lines(), self.stops), (logged, called))
