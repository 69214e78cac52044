"""
The output of C{sockservices ping}.
"""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from sockservices.cli.ping import counts, roundTripTimes, sparkline
from sockservices.client.ping_statistics import PingStatistics


def statisticsOf(*times: float) -> PingStatistics:
    """
    Make statistics with these round-trip times.
    """
    statistics = PingStatistics(Random(1))
    for seconds in times:
        statistics.countReply(statistics.makeProbe(0.0), seconds)
    return statistics


class OutputTests(SynchronousTestCase):
    """
    Tests for the lines of the summary and for the sparkline.
    """

    def test_counts(self) -> None:
        """
        Each count stands before its name.
        """
        statistics = statisticsOf(1.0)
        statistics.sent, statistics.returned, statistics.corrupt = 9, 2, 3
        statistics.duplicated, statistics.reordered, statistics.wrongSourceCount = 4, 5, 6
        self.assertEqual(
            counts(statistics),
            "9 sent, 2 returned, 7 lost, 3 corrupt, 4 duplicated, 5 reordered, 6 from the wrong address",
        )

    def test_roundTripTimes(self) -> None:
        """
        The times are minimum, median and 99th percentile.
        """
        for times, line in (
            ((), "no round-trip times: no probe returned"),
            ((0.0015,), "1.500 ms min, 1.500 ms median, 1.500 ms p99"),
            ([number / 1000 for number in range(1, 102)], "1.000 ms min, 51.000 ms median, 100.000 ms p99"),
        ):
            self.assertEqual(roundTripTimes(statisticsOf(*times)), line)

    def test_sparkline(self) -> None:
        """
        The sparkline shows the last forty times relative to the longest of them, also if all are 0.
        """
        for times, bars in (
            ((), ""),
            ((0.0, 0.0), "▁▁"),
            ((0.0, 0.5, 1.0), "▁▄█"),
            ((9.0, *[1.0] * 40), "█" * 40),
        ):
            self.assertEqual(sparkline(statisticsOf(*times)), bars)
