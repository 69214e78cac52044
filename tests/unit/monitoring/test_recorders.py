"""
Recorders of visits.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock

from sockservices import Outcome, Visit
from sockservices.monitoring.recorders import VisitLog, logVisit, recordVisit
from tests.support.peer import PEER, LogCase

#: The line of L{visit} without arguments.
LINE = "echo tcp 192.0.2.7:40000 done: 1.250 s, 3 bytes received, 4 sent"


def visit(outcome: Outcome = Outcome.DONE, peer: IAddress | None = PEER, transport: str = "tcp") -> Visit:
    """
    A visit with an outcome.
    """
    return Visit("echo", transport, peer, 7, 1.25, 3, 4, outcome)


def summary(count: int, outcomes: str) -> str:
    """
    The line that summarizes visits.
    """
    return f"{count} more conversation{'s' if count > 1 else ''} not logged individually: {outcomes}"


class LineTests(LogCase):
    """
    The line of one visit.
    """

    def test_line(self) -> None:
        """
        The line gives service, transport, peer, outcome, duration, and the bytes received and sent. The default
        recorder logs it.
        """
        for record in (VisitLog(), logVisit):
            record(visit())
            self.assertIn(LINE, self.lines())
        VisitLog()(visit(Outcome.TIMED_OUT))
        self.assertEqual(self.lines(), [LINE.replace("done", "time out")])

    def test_peers(self) -> None:
        """
        Every peer is printable text, or a dash.
        """
        log = VisitLog()
        forged: Any = UNIXAddress("/tmp/\r\n2026-11-21 forged\x1b[31m")
        for peer, text in (
            (IPv6Address("TCP", "::1", 1), "[::1]:1"),
            (UNIXAddress(None), "-"),
            (forged, "/tmp/\\r\\n2026-11-21\\x20forged\\x1b[31m"),
            (UNIXAddress(b"\0name"), "@name"),
            (None, "-"),
        ):
            log(visit(peer=peer, transport="unix"))
            (line,) = self.lines()
            self.assertTrue(line.startswith(f"echo unix {text} done: "), line)


class SummaryTests(LogCase):
    """
    Summaries of visits without a line of their own.
    """

    def setUp(self) -> None:
        """
        Make a log with a clock, which can set timers, and a log without one.
        """
        super().setUp()
        self.clock = Clock()
        self.clock.advance(1000)
        self.timed = VisitLog(self.clock, self.clock.seconds)
        self.untimed = VisitLog(seconds=self.clock.seconds)

    def tearDown(self) -> None:
        """
        Check that no timer is left.
        """
        self.timed.flush()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        super().tearDown()

    def record(self, log: VisitLog, **outcomes: int) -> None:
        """
        Record so many visits with each outcome.
        """
        for name, count in outcomes.items():
            for _ in range(count):
                log(visit(Outcome[name]))

    def test_linesPerSecond(self) -> None:
        """
        A hundred lines are logged in each second, besides any number of refused connections.
        """
        for log in (self.timed, self.untimed):
            for _ in range(3):
                self.record(log, REFUSED=500, DONE=150)
                self.assertEqual(self.lines().count(LINE), 100)
                self.clock.advance(1)

    def test_summary(self) -> None:
        """
        The others are summarized every ten seconds, the most frequent outcome first.
        """
        self.timed.flush()
        self.record(self.timed, DONE=100, IDLE=2)
        self.record(self.timed, DONE=50, RESET=7)
        self.assertEqual(self.lines(), [LINE] * 100)
        self.clock.advance(9.5)
        self.assertEqual(self.lines(), [])
        self.clock.advance(0.5)
        self.assertEqual(self.lines(), [summary(59, "50 done, 7 reset, 2 idle")])
        self.clock.advance(100)
        self.assertEqual((self.lines(), self.clock.getDelayedCalls()), ([], []))

    def test_everyVisitIsCounted(self) -> None:
        """
        Every visit has its own line, or is counted in one summary.
        """
        for log in (self.timed, self.untimed):
            for second in range(50):
                self.record(log, DONE=7 * second % 300)
                self.clock.advance(1)
            log.flush()
            lines = self.lines()
            summaries = [line for line in lines if "not logged individually" in line]
            counted = len(lines) - len(summaries) + sum(int(line.partition(" ")[0]) for line in summaries)
            self.assertEqual(counted, sum(7 * second % 300 for second in range(50)))

    def test_refused(self) -> None:
        """
        Refused connections are only summarized: a peer may cause any number of them. The first one in ten seconds is
        logged at once.
        """
        self.record(self.timed, REFUSED=30)
        self.assertEqual(self.lines(), [summary(1, "1 refused")])
        self.clock.advance(10)
        self.assertEqual(self.lines(), [summary(29, "29 refused")])
        self.clock.advance(60)
        self.record(self.timed, DONE=1, REFUSED=1)
        self.assertEqual(self.lines(), [LINE, summary(1, "1 refused")])

    def test_withoutAClock(self) -> None:
        """
        Without a clock a summary waits for the next visit after it is due.
        """
        self.untimed.flush()
        self.record(self.untimed, REFUSED=5)
        self.clock.advance(60)
        self.assertEqual(self.lines(), [])
        self.record(self.untimed, DONE=1)
        self.assertEqual(self.lines(), [LINE, summary(5, "5 refused")])

    def test_flush(self) -> None:
        """
        C{flush} logs the summary once and cancels the timer. Without visits there is no line and no timer.
        """
        self.timed.flush()
        self.assertEqual((self.lines(), self.clock.getDelayedCalls()), ([], []))
        self.record(self.timed, REFUSED=1)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        for lines in ([summary(1, "1 refused")], []):
            self.timed.flush()
            self.assertEqual((self.lines(), self.clock.getDelayedCalls()), (lines, []))


class RecordVisitTests(LogCase):
    """
    L{recordVisit}.
    """

    def test_recordVisit(self) -> None:
        """
        A recorder is any callable that takes a visit. Its exception is logged in one line and not raised.
        """
        visits: list[Visit] = []
        recordVisit(visits.append, visit())
        self.assertEqual((visits, self.lines()), ([visit()], []))

        def record(_: Visit) -> None:
            raise OSError(28, "No space left\non device")

        recordVisit(record, visit())
        (line,) = self.lines()
        self.assertRegex(line, r"\Arecording a visit raised OSError\(28, .* at .*test_recorders.py:\d+\Z")
        self.assertTrue(line.isprintable())
