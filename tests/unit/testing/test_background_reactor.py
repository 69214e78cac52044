"""
Tests for L{sockservices.testing.background_reactor}.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import deferLater
from twisted.python import threadable
from twisted.trial.unittest import SynchronousTestCase

from sockservices.testing.background_reactor import KINDS, BackgroundReactor
from tests.support.interpreter import runFresh
from tests.support.loop import descriptors


class Meeting:
    """
    The kinds of reactors. Each thread that asks for them waits a moment for a second one that does.

    @ivar iterations: how many threads have asked.
    """

    def __init__(self, kinds: Iterable[tuple[str, str]]) -> None:
        self._kinds = kinds
        self._both = threading.Barrier(2)
        self.iterations = 0

    def __iter__(self) -> Iterator[tuple[str, str]]:
        self.iterations += 1
        with contextlib.suppress(threading.BrokenBarrierError):
            self._both.wait(0.2)
        return iter(self._kinds)


class BackgroundReactorTests(SynchronousTestCase):
    """
    Tests for a reactor in a thread.
    """

    def setUp(self) -> None:
        """
        One that is stopped when the test is over.
        """
        self.background = BackgroundReactor()
        self.addCleanup(self.background.stop)

    def test_runsInAThreadOfItsOwn(self) -> None:
        """
        A function runs in another thread, always the same one, and its result comes back.
        """
        call = self.background.call
        self.assertEqual(call(divmod, 7, 2), (3, 1))
        self.assertNotEqual(call(threading.get_ident), threading.get_ident())
        self.assertEqual(call(threading.get_ident), call(threading.get_ident))
        self.assertTrue(call(self.background.here))
        self.assertFalse(self.background.here())

    def test_startedByMany(self) -> None:
        """
        Threads that need it at the same time have one reactor between them.
        """
        together = threading.Barrier(8)
        seen = set()

        def ask() -> None:
            together.wait()
            seen.add(self.background.call(threading.get_ident))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(seen), 1)
        self.assertEqual([thread.name for thread in threading.enumerate()].count("sockservices"), 1)

    def test_startedOnce(self) -> None:
        """
        While a thread starts the reactor, others wait.
        """
        kinds = Meeting(KINDS)
        self.background = BackgroundReactor(kinds)
        self.addCleanup(self.background.stop)
        threads = [threading.Thread(target=self.background.start) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(kinds.iterations, 1)

    def test_waitsForDeferreds(self) -> None:
        """
        What becomes of a Deferred, or of a coroutine, is what comes back, however late.
        """

        async def later() -> str:
            return await deferLater(self.background.reactor, 0.01, str, "later")

        call = self.background.call
        self.assertEqual(call(succeed, "at once"), "at once")
        self.assertEqual(call(later), "later")

    def test_raises(self) -> None:
        """
        What is raised there is raised here, as it is, be it by way of a Deferred.
        """
        with self.assertRaisesRegex(ZeroDivisionError, "^division by zero$"):
            self.background.call(lambda: 1 / 0)
        fault = LookupError("of any kind")
        with self.assertRaises(LookupError) as raised:
            self.background.call(lambda: fail(fault))
        self.assertIs(raised.exception, fault)

    def test_limit(self) -> None:
        """
        What takes too long is given up, in one line, and is cancelled; the next call has its result.
        """
        faults: list[Any] = []
        forever: Deferred[None] = Deferred()
        forever.addErrback(lambda failure: faults.append(failure.value))
        with self.assertRaisesRegex(TimeoutError, r"^the reactor's thread had no result in 0\.01 s$"):
            self.background.call(lambda: forever, limit=0.01)
        self.assertEqual(self.background.call(int), 0)
        self.assertEqual(list(map(type, faults)), [CancelledError])

    def test_ownTimeoutIsNotTheLimit(self) -> None:
        """
        A C{TimeoutError} of the function is told from the limit.
        """
        with self.assertRaisesRegex(TimeoutError, "^its own$"):
            self.background.call(lambda: fail(TimeoutError("its own")))

    def test_busy(self) -> None:
        """
        A thread that does not come back is given up, by a call and by the stop; once it has, it can be stopped.
        """
        release = threading.Event()
        with self.assertRaises(TimeoutError):
            self.background.call(release.wait, limit=0.01)
        with self.assertRaisesRegex(TimeoutError, r"is busy, and has not stopped in 0\.01 s$"):
            self.background.stop(0.01)
        release.set()
        self.background.stop()
        self.assertIsNone(self.background.reactor)

    def test_doesNotWaitForItself(self) -> None:
        """
        A call from the reactor's own thread would never return: it raises.
        """
        with self.assertRaisesRegex(RuntimeError, "cannot wait for itself"):
            self.background.call(self.background.call, int)

    def test_startsWhenNeeded(self) -> None:
        """
        There is no thread, descriptor or reactor until there is something to do; to start twice is to start once.
        """
        threads, before = threading.active_count(), descriptors()
        self.assertIsNone(BackgroundReactor().reactor)
        self.assertEqual((threading.active_count(), descriptors()), (threads, before))
        self.background.start()
        reactor = self.background.reactor
        self.background.start()
        self.assertIs(self.background.reactor, reactor)
        self.assertEqual(threading.active_count(), threads + 1)

    def test_leavesNothing(self) -> None:
        """
        Stopped, it leaves no thread and no descriptor, whatever was still open or is still to come; to stop twice is to
        stop once.
        """
        threads, before = threading.active_count(), descriptors()
        with BackgroundReactor() as background:

            def leave() -> None:
                background.reactor.callLater(1000, int)
                background.reactor.callInThread(int)
                background.reactor.listenUDP(0, DatagramProtocol(), interface="127.0.0.1")

            background.call(leave)
            kept = background.reactor
            self.assertGreater(descriptors(), before)
        background.stop()
        self.assertEqual((threading.active_count(), descriptors()), (threads, before))
        self.assertFalse(kept.running)

    def test_stopsAtOnce(self) -> None:
        """
        It may be stopped as soon as it was started, and when its reactor has been stopped already.
        """
        before = descriptors()
        for _ in range(20):
            BackgroundReactor().__enter__().stop()
        self.background.start()
        self.background.reactor.callFromThread(self.background.reactor.stop)
        self.background.stop()
        self.assertEqual(descriptors(), before)

    def test_startsAgain(self) -> None:
        """
        Stopped, it may be started again, with another reactor.
        """
        self.background.start()
        first = self.background.reactor
        self.background.stop()
        self.assertEqual(self.background.call(int), 0)
        self.assertIsNot(self.background.reactor, first)

    def test_isNotTheReactorOfTheProcess(self) -> None:
        """
        Twisted's own note of which thread is the reactor's is not of this one.
        """
        self.assertNotEqual(self.background.call(threadable.getThreadID), threadable.ioThread)

    def test_installsNothing(self) -> None:
        """
        There is no global reactor after its use, and signals have the dispositions that they had.
        """
        code = (
            "import signal, sys\n"
            "def dispositions(): return [signal.getsignal(number) for number in signal.valid_signals()]\n"
            "before = dispositions()\n"
            "from sockservices.testing.background_reactor import BackgroundReactor\n"
            "with BackgroundReactor() as background: background.call(int)\n"
            "print('twisted.internet.reactor' in sys.modules, dispositions() == before, signal.set_wakeup_fd(-1))"
        )
        self.assertEqual(runFresh(code), "False True -1\n")

    def test_everyKind(self) -> None:
        """
        Where there is no epoll there is another reactor, which leaves nothing either.
        """
        before = descriptors()
        for kinds in (KINDS, KINDS[1:], KINDS[2:]):
            with BackgroundReactor(kinds) as background:
                self.assertEqual(type(background.reactor).__name__, kinds[0][1])
                self.assertEqual(background.call(int), 0)
            self.assertEqual(descriptors(), before)
        with self.assertRaisesRegex(RuntimeError, "no reactor"):
            BackgroundReactor((("no_such_reactor", "Reactor"),)).start()
