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
    L{Signals}, over actions of Twisted that note their signals.
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
        self.reopens: list[int] = []
        self.aborts = 0
        for number in NUMBERS[:2]:
            signal.signal(number, lambda number, frame: self.stops.append(number))
        self.reactor.sigTerm = self.reactor.sigInt = lambda number, frame: self.stops.append(number)
        self.signals = Signals(self.reactor, self.abortAll, 10.5)

    def abortAll(self) -> None:
        """
        Count the calls.
        """
        self.aborts += 1

    def reopen(self, number: int, frame: object) -> None:
        """
        Note the signal.
        """
        self.reopens.append(number)

    def test_stop(self) -> None:
        """
        The first signal calls Twisted's action, and sets an alarm 5 s after the drain. Later ones abort, each in the
        reactor's thread.
        """
        self.signals.install()
        signal.raise_signal(signal.SIGTERM)
        self.turn()
        self.assertEqual((self.stops, self.aborts, signal.alarm(0)), ([signal.SIGTERM], 0, 15))
        signal.raise_signal(signal.SIGINT)
        self.assertEqual(self.aborts, 0)
        self.turn()
        self.assertEqual((self.stops, self.aborts, signal.alarm(0)), ([signal.SIGTERM], 1, 0))
        self.assertEqual(self.lines(), ["second signal to stop: aborting all conversations"])

    def test_ignored(self) -> None:
        """
        A signal that was ignored at the start stays ignored.
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.signals.install()
        signal.raise_signal(signal.SIGINT)
        self.turn()
        self.assertEqual((self.stops, self.aborts, signal.alarm(0)), ([], 0, 0))

    def test_held(self) -> None:
        """
        The first signal to stop that arrives before the reactor runs is held until then, with an alarm in case the
        start hangs.
        """
        self.signals.hold()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(number)
        self.assertEqual(([], 15), (self.stops, signal.alarm(0)))
        self.signals.install()
        self.turn()
        self.assertEqual(([signal.SIGINT], 15), (self.stops, signal.alarm(0)))

    def test_ignoredFromTheStart(self) -> None:
        """
        A signal that is ignored at the start is not held.
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.signals.hold()
        signal.raise_signal(signal.SIGINT)
        self.signals.install()
        self.assertEqual(([], 0), (self.stops, signal.alarm(0)))

    def test_blocked(self) -> None:
        """
        Signals that are blocked take effect afterwards.
        """
        with blockedSignals():
            # To this thread: the kernel could give a signal for the process to a thread of another test.
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
            self.assertEqual([], self.stops)
        self.assertEqual([signal.SIGTERM], self.stops)

    def test_logged(self) -> None:
        """
        SIGHUP and SIGUSR1 log a line, but SIGUSR1 keeps the action that reopens a log file.
        """
        for opened in (False, True):
            signal.signal(signal.SIGUSR1, self.reopen if opened else signal.SIG_DFL)
            self.signals.install()
            for number in (signal.SIGHUP, signal.SIGUSR1):
                signal.raise_signal(number)
            self.turn()
            expected = ["SIGHUP: nothing to reload", "SIGUSR1: no log file to reopen"]
            self.assertEqual(self.lines(), expected[: 1 if opened else 2])
            self.assertEqual(self.reopens, [signal.SIGUSR1] * opened)
