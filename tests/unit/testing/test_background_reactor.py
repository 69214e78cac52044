"""
Tests for L{sockservices.testing.background_reactor}.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import deferLater
from twisted.python import threadable
from twisted.trial.unittest import SynchronousTestCase

from sockservices.testing.background_reactor import REACTORS, BackgroundReactor
from tests.support.interpreter import runFresh
from tests.support.loop import descriptors

#: Prints whether a global reactor exists, whether signal handlers are unchanged, and the signal wakeup descriptor.
GLOBAL_STATE = """
import signal, sys
def handlers(): return [signal.getsignal(number) for number in signal.valid_signals()]
before = handlers()
from sockservices.testing.background_reactor import BackgroundReactor
with BackgroundReactor() as background: background.call(int)
print('twisted.internet.reactor' in sys.modules, handlers() == before, signal.set_wakeup_fd(-1))
"""


class BarrierReactors:
    """
    The kinds of reactors. A thread that iterates them waits 0.2 s for a second thread that does the same.

    @ivar iterations: the number of iterations.
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


class CallTests(SynchronousTestCase):
    """
    Tests for calls in the reactor's thread.
    """

    def setUp(self) -> None:
        """
        Make a reactor, and stop it after the test.
        """
        self.background = BackgroundReactor()
        self.addCleanup(self.background.stop)

    def test_callRunsInReactorThread(self) -> None:
        """
        All calls run in one other thread, which is not Twisted's I/O thread.
        """
        call = self.background.call
        self.assertNotEqual(call(threading.get_ident), threading.get_ident())
        self.assertEqual(call(threading.get_ident), call(threading.get_ident))
        self.assertTrue(call(self.background.inReactorThread))
        self.assertFalse(self.background.inReactorThread())
        self.assertNotEqual(call(threadable.getThreadID), threadable.ioThread)

    def test_startedOnce(self) -> None:
        """
        While a thread starts the reactor, others wait. Threads whose first calls are concurrent use one reactor.
        """
        threads = set(threading.enumerate())
        kinds: Any = BarrierReactors(REACTORS)
        self.background = BackgroundReactor(kinds)
        self.addCleanup(self.background.stop)
        barrier = threading.Barrier(8)

        def firstCall(_: int) -> Any:
            barrier.wait()
            return self.background.call(threading.get_ident)

        with ThreadPoolExecutor(8) as pool:
            self.assertEqual(len(set(pool.map(firstCall, range(8)))), 1)
        self.assertEqual(kinds.iterations, 1)
        (started,) = set(threading.enumerate()) - threads
        self.assertEqual(started.name, "sockservices")

    def test_callReturnsResult(self) -> None:
        """
        C{call} returns the function's result, or that of its Deferred or coroutine.
        """

        async def later() -> str:
            return await deferLater(self.background.reactor, 0.01, str, "later")

        call = self.background.call
        self.assertEqual((call(divmod, 7, 2), call(succeed, 8), call(later)), ((3, 1), 8, "later"))

    def test_callRaisesException(self) -> None:
        """
        C{call} raises the exception of the function, or of its Deferred, also where that is a TimeoutError. A call in
        the reactor's own thread raises RuntimeError, because it would never return.
        """
        with self.assertRaisesRegex(RuntimeError, "cannot wait for itself"):
            self.background.call(self.background.call, int)
        with self.assertRaisesRegex(ZeroDivisionError, "^division by zero$"):
            self.background.call(lambda: 1 / 0)
        for error in (LookupError("any"), TimeoutError("its own")):
            with self.assertRaises(type(error)) as raised:
                self.background.call(lambda error=error: fail(error))
            self.assertIs(raised.exception, error)

    def test_callTimesOut(self) -> None:
        """
        After the timeout C{call} raises TimeoutError and cancels the Deferred. The next call succeeds.
        """
        errors: list[Any] = []
        pending: Deferred[None] = Deferred()
        pending.addErrback(lambda failure: errors.append(failure.value))
        with self.assertRaisesRegex(TimeoutError, r"^the reactor's thread had no result in 0\.01 s$"):
            self.background.call(lambda: pending, timeout=0.01)
        self.assertEqual(self.background.call(int), 0)
        self.assertEqual(list(map(type, errors)), [CancelledError])

    def test_stopTimesOut(self) -> None:
        """
        C{stop} raises TimeoutError while a function blocks the thread, and succeeds after that.
        """
        release = threading.Event()
        with self.assertRaises(TimeoutError):
            self.background.call(release.wait, timeout=0.01)
        with self.assertRaisesRegex(TimeoutError, r"is busy, and has not stopped in 0\.01 s$"):
            self.background.stop(0.01)
        release.set()
        self.background.stop()
        self.assertIsNone(self.background.reactor)


class LifecycleTests(SynchronousTestCase):
    """
    Tests for starting and stopping. After each test there are as many threads and descriptors as before.
    """

    def setUp(self) -> None:
        """
        Count threads and descriptors.
        """
        self.before = self.resources()

    def tearDown(self) -> None:
        """
        Count them again.
        """
        self.assertEqual(self.resources(), self.before)

    def resources(self) -> tuple[int, int]:
        """
        The numbers of threads and of descriptors.
        """
        return threading.active_count(), descriptors()

    def test_startsOnDemand(self) -> None:
        """
        There is no thread, descriptor or reactor before the start. A second start does nothing. A call after C{stop}
        starts a new reactor.
        """
        background = BackgroundReactor()
        self.assertEqual((background.reactor, self.resources()), (None, self.before))
        with background:
            first = background.reactor
            background.start()
            self.assertIs(background.reactor, first)
            self.assertEqual(threading.active_count(), self.before[0] + 1)
        self.assertEqual(background.call(int), 0)
        self.assertIsNot(background.reactor, first)
        background.stop()

    def test_stopClosesEverything(self) -> None:
        """
        C{stop} closes open ports and ends the reactor's thread pool. A second stop does nothing.
        """
        with BackgroundReactor() as background:

            def open() -> None:
                background.reactor.callLater(1000, int)
                background.reactor.callInThread(int)
                background.reactor.listenUDP(0, DatagramProtocol(), interface="127.0.0.1")

            background.call(open)
            reactor = background.reactor
            self.assertGreater(descriptors(), self.before[1])
        background.stop()
        self.assertFalse(reactor.running)

    def test_stopAfterStart(self) -> None:
        """
        C{stop} works directly after C{start}, and after the reactor was stopped by other code.
        """
        for _ in range(20):
            BackgroundReactor().__enter__().stop()
        with BackgroundReactor() as background:
            background.reactor.callFromThread(background.reactor.stop)

    def test_everyReactor(self) -> None:
        """
        The first reactor that the system supports is used.
        """
        missing = ("no_such_reactor", "Reactor")
        for index, (_, name) in enumerate(REACTORS):
            with BackgroundReactor((missing, *REACTORS[index:])) as background:
                self.assertEqual((type(background.reactor).__name__, background.call(int)), (name, 0))
        with self.assertRaisesRegex(RuntimeError, "no reactor"):
            BackgroundReactor((missing,)).start()

    def test_globalStateIsUnchanged(self) -> None:
        """
        The reactor is not installed as the global one, and installs no signal handlers.
        """
        self.assertEqual(runFresh(GLOBAL_STATE), "False True -1\n")
