"""
Recorders of visits.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock

from sockservices import Outcome, Visit
from sockservices.monitoring.recorders import VisitLog, logVisit, recordVisit
from tests.support.peer import PEER, LogCase


def visit(outcome: Outcome = Outcome.DONE, peer: IAddress | None = PEER, transport: str = "tcp") -> Visit:
    """
    A visit with an outcome.
    """
    return Visit("echo", transport, peer, 7, 1.25, 3, 4, outcome)


class LineTests(LogCase):
    """
    Tests for the line of one visit.
    """

    def test_line(self) -> None:
        """
        The line gives service, transport, peer, outcome, duration, and the bytes received and sent.
        """
        VisitLog()(visit())
        self.assertEqual(self.lines(), ["echo tcp 192.0.2.7:40000 done: 1.250 s, 3 bytes received, 4 sent"])

    def test_timeOut(self) -> None:
        """
        The outcome of a responder's own deadline is C{time out}.
        """
        VisitLog()(visit(Outcome.TIMED_OUT))
        self.assertIn("192.0.2.7:40000 time out: ", self.lines()[0])

    def test_peers(self) -> None:
        """
        Every peer is printable text, or a dash.
        """
        log = VisitLog()
        forged: Any = UNIXAddress("/tmp/\r\n2026-11-21 forged\x1b[31m")
        for peer in (IPv6Address("TCP", "::1", 1), UNIXAddress(None), forged, UNIXAddress(b"\0name"), None):
            log(visit(peer=peer, transport="unix"))
        peers = [line.removeprefix("echo unix ").partition(" done: ")[0] for line in self.lines()]
        self.assertEqual(peers, ["[::1]:1", "-", "/tmp/\\r\\n2026-11-21\\x20forged\\x1b[31m", "@name", "-"])

    def test_default(self) -> None:
        """
        The default recorder is a L{VisitLog}.
        """
        logVisit(visit())
        self.assertIn("echo tcp 192.0.2.7:40000 done: 1.250 s, 3 bytes received, 4 sent", self.lines())


class SummaryTests(LogCase):
    """
    Summaries of visits without a line of their own.
    """

    def setUp(self) -> None:
        """
        Make one log with a clock and one without.
        """
        super().setUp()
        self.clock = Clock()
        self.clock.advance(1000)
        self.timed = VisitLog(self.clock, self.clock.seconds)
        self.plain = VisitLog(seconds=self.clock.seconds)

    def tearDown(self) -> None:
        """
        Check that no timer is left.
        """
        self.timed.flush()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        super().tearDown()

    def test_aHundredLinesASecond(self) -> None:
        """
        A hundred lines are logged in each second.
        """
        for log in (self.timed, self.plain):
            for _ in range(3):
                for _ in range(150):
                    log(visit())
                visits = [line for line in self.lines() if line.startswith("echo")]
                self.assertEqual(len(visits), 100)
                self.clock.advance(1)

    def test_summary(self) -> None:
        """
        The others are summarized every ten seconds, the most frequent outcome first.
        """
        log = self.timed
        log.flush()
        for _ in range(100):
            log(visit())
        for outcome, count in ((Outcome.IDLE, 2), (Outcome.DONE, 50), (Outcome.RESET, 7)):
            for _ in range(count):
                log(visit(outcome))
        self.assertEqual(len(self.lines()), 100)
        self.clock.advance(9.5)
        self.assertEqual(self.lines(), [])
        self.clock.advance(0.5)
        self.assertEqual(self.lines(), ["59 more conversations not logged individually: 50 done, 7 reset, 2 idle"])
        self.clock.advance(100)
        self.assertEqual((self.lines(), self.clock.getDelayedCalls()), ([], []))

    def test_nothingLost(self) -> None:
        """
        Every visit has its own line, or is counted in one summary.
        """
        for log in (self.timed, self.plain):
            for second in range(50):
                for _ in range(7 * second % 300):
                    log(visit())
                self.clock.advance(1)
            log.flush()
            counted = 0
            for line in self.lines():
                summary = "not logged individually" in line
                counted += int(line.partition(" ")[0]) if summary else 1
            self.assertEqual(counted, sum(7 * second % 300 for second in range(50)))

    def test_refused(self) -> None:
        """
        Refused connections are only summarized: a peer may cause any number of them. The first one in ten seconds is
        logged at once.
        """
        for _ in range(30):
            self.timed(visit(Outcome.REFUSED))
        self.assertEqual(self.lines(), ["1 more conversations not logged individually: 1 refused"])
        self.clock.advance(10)
        self.assertEqual(self.lines(), ["29 more conversations not logged individually: 29 refused"])
        self.clock.advance(60)
        for outcome in (Outcome.DONE, Outcome.REFUSED):
            self.timed(visit(outcome))
        self.assertEqual(self.lines()[1:], ["1 more conversations not logged individually: 1 refused"])

    def test_refusedTakesNoLines(self) -> None:
        """
        Refused connections do not count towards the hundred lines.
        """
        for _ in range(500):
            self.timed(visit(Outcome.REFUSED))
        for _ in range(100):
            self.timed(visit())
        self.assertEqual(len([line for line in self.lines() if line.startswith("echo")]), 100)

    def test_withoutAClock(self) -> None:
        """
        Without a clock a summary waits for the next visit after it is due.
        """
        log = self.plain
        log.flush()
        for _ in range(5):
            log(visit(Outcome.REFUSED))
        self.clock.advance(60)
        self.assertEqual(self.lines(), [])
        log(visit())
        self.assertEqual(
            self.lines(),
            [
                "echo tcp 192.0.2.7:40000 done: 1.250 s, 3 bytes received, 4 sent",
                "5 more conversations not logged individually: 5 refused",
            ],
        )

    def test_flush(self) -> None:
        """
        C{flush} logs the summary once and cancels the timer.
        """
        self.timed.flush()
        self.timed(visit(Outcome.REFUSED))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        for _ in range(2):
            self.timed.flush()
        self.assertEqual(self.lines(), ["1 more conversations not logged individually: 1 refused"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_noVisits(self) -> None:
        """
        Without visits there is no line and no timer.
        """
        self.timed.flush()
        self.clock.advance(100)
        self.assertEqual((self.lines(), self.clock.getDelayedCalls()), ([], []))


class RecordVisitTests(LogCase):
    """
    Tests for L{recordVisit}.
    """

    def test_anyCallable(self) -> None:
        """
        A recorder is any callable that takes a visit.
        """
        visits: list[Visit] = []
        recordVisit(visits.append, visit(peer=IPv4Address("TCP", "192.0.2.8", 1)))
        self.assertEqual(visits, [visit(peer=IPv4Address("TCP", "192.0.2.8", 1))])

    def test_fault(self) -> None:
        """
        An exception of a recorder is logged in one line and not raised.
        """

        def record(_: Visit) -> None:
            raise OSError(28, "No space left\non device")

        recordVisit(record, visit())
        (line,) = self.lines()
        self.assertRegex(line, r"\Arecording a visit raised OSError\(28, .* at .*test_recorders.py:\d+\Z")
        self.assertTrue(line.isprintable())
