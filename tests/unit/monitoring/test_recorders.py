"""
What becomes of a visit.
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
    A visit that ended so.
    """
    return Visit("echo", transport, peer, 7, 1.25, 3, 4, outcome)


class LineTests(LogCase):
    """
    Tests for the line of one visit.
    """

    def test_line(self) -> None:
        """
        It says which service, by what, who, how it ended, how long it took, and what went to and fro.
        """
        VisitLog()(visit())
        self.assertEqual(self.lines(), ["echo tcp 192.0.2.7:40000 done: 1.250 s, 3 bytes received, 4 sent"])

    def test_timeOut(self) -> None:
        """
        A conversation that its deadline ended says C{time out}, as its tutorial does.
        """
        VisitLog()(visit(Outcome.TIMED_OUT))
        self.assertIn("192.0.2.7:40000 time out: ", self.lines()[0])

    def test_peers(self) -> None:
        """
        Every peer stands there as printable text, or as a dash.
        """
        log = VisitLog()
        forged: Any = UNIXAddress("/tmp/\r\n2026-11-21 forged\x1b[31m")
        for peer in (IPv6Address("TCP", "::1", 1), UNIXAddress(None), forged, UNIXAddress(b"\0name"), None):
            log(visit(peer=peer, transport="unix"))
        peers = [line.removeprefix("echo unix ").partition(" done: ")[0] for line in self.lines()]
        self.assertEqual(peers, ["[::1]:1", "-", "/tmp/\\r\\n2026-11-21\\x20forged\\x1b[31m", "@name", "-"])

    def test_default(self) -> None:
        """
        The default recorder is one of these.
        """
        logVisit(visit())
        self.assertIn("echo tcp 192.0.2.7:40000 done: 1.250 s, 3 bytes received, 4 sent", self.lines())


class SummaryTests(LogCase):
    """
    Tests for what is not told one by one.
    """

    def setUp(self) -> None:
        """
        Two logs: of one the clock takes care, the other is left to the visits.
        """
        super().setUp()
        self.clock = Clock()
        self.clock.advance(1000)
        self.timed = VisitLog(self.clock, self.clock.seconds)
        self.plain = VisitLog(seconds=self.clock.seconds)

    def tearDown(self) -> None:
        """
        No timer is left.
        """
        self.timed.flush()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        super().tearDown()

    def test_aHundredLinesASecond(self) -> None:
        """
        In one second a hundred visits are told, and in the next as many again.
        """
        for log in (self.timed, self.plain):
            for _ in range(3):
                for _ in range(150):
                    log(visit())
                told = [line for line in self.lines() if line.startswith("echo")]
                self.assertEqual(len(told), 100)
                self.clock.advance(1)

    def test_summary(self) -> None:
        """
        What is over is summed up every ten seconds, the most frequent first.
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
        self.assertEqual(self.lines(), ["further conversations, not told one by one: 50 done, 7 reset, 2 idle"])
        self.clock.advance(100)
        self.assertEqual((self.lines(), self.clock.getDelayedCalls()), ([], []))

    def test_nothingLost(self) -> None:
        """
        Every visit is told in its own line or counted in a summary, once.
        """
        for log in (self.timed, self.plain):
            for second in range(50):
                for _ in range(7 * second % 300):
                    log(visit())
                self.clock.advance(1)
            log.flush()
            counted = 0
            for line in self.lines():
                summary = line.startswith("further")
                counted += int(line.partition(": ")[2].partition(" ")[0]) if summary else 1
            self.assertEqual(counted, sum(7 * second % 300 for second in range(50)))

    def test_refused(self) -> None:
        """
        Refusals are only ever summed up: a peer may cause any number of them. The first, and the first for a long time,
        is told at once.
        """
        for _ in range(30):
            self.timed(visit(Outcome.REFUSED))
        self.assertEqual(self.lines(), ["further conversations, not told one by one: 1 refused"])
        self.clock.advance(10)
        self.assertEqual(self.lines(), ["further conversations, not told one by one: 29 refused"])
        self.clock.advance(60)
        for outcome in (Outcome.DONE, Outcome.REFUSED):
            self.timed(visit(outcome))
        self.assertEqual(self.lines()[1:], ["further conversations, not told one by one: 1 refused"])

    def test_refusedTakesNoLines(self) -> None:
        """
        Refusals take no line away from those who were served.
        """
        for _ in range(500):
            self.timed(visit(Outcome.REFUSED))
        for _ in range(100):
            self.timed(visit())
        self.assertEqual(len([line for line in self.lines() if line.startswith("echo")]), 100)

    def test_withoutAClock(self) -> None:
        """
        Without a clock a summary waits for the next visit after its time, or to be asked for.
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
                "further conversations, not told one by one: 5 refused",
            ],
        )

    def test_flush(self) -> None:
        """
        Asked for, the summary is there, the timer gone, and nothing is told twice.
        """
        self.timed.flush()
        self.timed(visit(Outcome.REFUSED))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        for _ in range(2):
            self.timed.flush()
        self.assertEqual(self.lines(), ["further conversations, not told one by one: 1 refused"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothingToSay(self) -> None:
        """
        Without visits there is no line and no timer.
        """
        self.timed.flush()
        self.clock.advance(100)
        self.assertEqual((self.lines(), self.clock.getDelayedCalls()), ([], []))


class TellTests(LogCase):
    """
    Tests for L{recordVisit}.
    """

    def test_anyCallable(self) -> None:
        """
        Anything that takes a visit will do.
        """
        visits: list[Visit] = []
        recordVisit(visits.append, visit(peer=IPv4Address("TCP", "192.0.2.8", 1)))
        self.assertEqual(visits, [visit(peer=IPv4Address("TCP", "192.0.2.8", 1))])

    def test_fault(self) -> None:
        """
        What it raises is one line in the log, and goes no further.
        """

        def record(_: Visit) -> None:
            raise OSError(28, "No space left\non device")

        recordVisit(record, visit())
        (line,) = self.lines()
        self.assertRegex(line, r"\Arecording a visit raised OSError\(28, .* at .*test_recorders.py:\d+\Z")
        self.assertTrue(line.isprintable())
