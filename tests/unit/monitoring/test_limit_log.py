"""
The log of limits that are exceeded.
"""

from __future__ import annotations

import json

from twisted.internet.task import Clock
from twisted.logger import formatEvent

from sockservices.admission.census import ExceededLimit
from sockservices.monitoring.limit_log import LimitLog
from sockservices.monitoring.log import jsonLine
from tests.support.peer import LogCase

RATE = ExceededLimit("maxRate", 50, "192.0.2.7")


class LimitLogTests(LogCase):
    """
    One line at once, and then one in 10 seconds.
    """

    def setUp(self) -> None:
        """
        Make the log.
        """
        super().setUp()
        self.clock = Clock()
        self.exceeded = LimitLog(self.clock)

    def test_first(self) -> None:
        """
        The first line comes at once. It names option, number and source.
        """
        self.exceeded(RATE)
        expected = "over --max-rate 50: 1 connection from 192.0.2.7 refused (at most one such line in 10 s)"
        self.assertEqual(self.lines(), [expected])

    def test_summaryAfterTenSeconds(self) -> None:
        """
        Later refusals are counted by limit and source, and logged after 10 seconds, even if no other one follows.
        """
        self.exceeded(RATE)
        self.lines()
        for _ in range(3):
            self.exceeded(RATE)
        self.exceeded(ExceededLimit("udpRate", 20, "192.0.2.9"))
        self.exceeded(ExceededLimit("maxConnections", 9, "192.0.2.9"))
        self.clock.advance(9.9)
        self.assertEqual(self.lines(), [])
        self.clock.advance(0.1)
        expected = (
            "over --max-rate 50: 3 connections from 192.0.2.7 refused; "
            "over --udp-rate 20: 1 datagram from 192.0.2.9 not answered; "
            "over --max-connections 9: 1 connection from 192.0.2.9 refused (at most one such line in 10 s)"
        )
        self.assertEqual(self.lines(), [expected])
        self.clock.advance(100)
        self.assertEqual((self.lines(), self.clock.getDelayedCalls()), ([], []))

    def test_manySources(self) -> None:
        """
        A line names the sources with the most, and counts the others together.
        """
        self.exceeded(RATE)
        self.lines()
        for number in range(20_000):
            self.exceeded(ExceededLimit("maxRate", 50, f"source {number}"))
            self.exceeded(RATE)
        self.clock.advance(10)
        (line,) = self.lines()
        self.assertIn("over --max-rate 50: 20000 connections from 192.0.2.7 refused; ", line)
        self.assertIn("; over --max-rate 50: 19996 connections from other sources refused (", line)
        self.assertEqual(line.count("over --max-rate"), 6)

    def test_flush(self) -> None:
        """
        A stop logs the remaining counts, and leaves no timer.
        """
        self.exceeded(RATE)
        self.exceeded(RATE)
        self.lines()
        self.exceeded.flush()
        self.assertEqual(len(self.lines()), 1)
        self.exceeded.flush()
        self.assertEqual((self.lines(), self.clock.getDelayedCalls()), ([], []))

    def test_unixPath(self) -> None:
        """
        The path of a source forges no line.
        """
        self.exceeded(ExceededLimit("udpRate", 20, "/a\nb"))
        self.assertTrue(self.lines()[0].startswith("over --udp-rate 20: 1 datagram from /a\\nb not answered"))

    def test_json(self) -> None:
        """
        In JSON, the counts are fields.
        """
        self.exceeded(RATE)
        event = self._events[-1]
        self.assertIn("192.0.2.7", formatEvent(event))
        expected = [{"option": "--max-rate", "limit": 50, "peer": "192.0.2.7", "count": 1}]
        self.assertEqual(json.loads(jsonLine(event))["exceeded"], expected)
