"""
Probes, and the statistics of their replies.
"""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sockservices.client import RequestFailed, Verdict
from sockservices.client.ping_statistics import PROBE_SIZE, PingStatistics

REFUSED = RequestFailed(Verdict.REFUSED, "nothing listens at this address")

#: The length of a probe's identifier in bytes.
ID_SIZE = 27


class PingStatisticsTests(SynchronousTestCase):
    """
    Tests for L{PingStatistics}.
    """

    def setUp(self) -> None:
        """
        Make statistics with a fixed nonce.
        """
        self.statistics = PingStatistics(Random(1))

    def assertCounts(self, verdict: Verdict, outstanding: int = 0, **expected: int) -> None:
        """
        Require a verdict, the number of outstanding probes, and these counts; all others are 0.
        """
        names = ("sent", "returned", "lost", "corrupt", "duplicated", "reordered")
        counts = {name: count for name in names if (count := getattr(self.statistics, name))}
        self.assertEqual(
            (counts, self.statistics.outstanding, self.statistics.verdict), (expected, outstanding, verdict)
        )

    def test_roundTripTimes(self) -> None:
        """
        Without probes the verdict is ok. A probe is lost until it returns; then it has a round-trip time.
        """
        self.assertCounts(Verdict.OK)
        probe = self.statistics.makeProbe(5.0)
        self.assertCounts(Verdict.TIMEOUT, outstanding=1, sent=1, lost=1)
        self.assertEqual(list(self.statistics.roundTripTimes), [])
        self.statistics.countReply(probe, 5.25)
        self.assertCounts(Verdict.OK, sent=1, returned=1)
        self.assertEqual(list(self.statistics.roundTripTimes), [0.25])

    def test_probes(self) -> None:
        """
        All probes have the same length, differ from each other and from those of other pings, and are capital letters
        and digits in ASCII.
        """
        probes = [self.statistics.makeProbe(0.0) for _ in range(100)]
        self.assertEqual({len(probe) for probe in probes}, {PROBE_SIZE})
        self.assertEqual(len({*probes, PingStatistics(Random(2)).makeProbe(0.0)}), 101)
        self.assertEqual([probe.upper() for probe in probes], probes)
        self.assertTrue(all(probe.isascii() and probe.decode().isprintable() for probe in probes))

    def test_corruptReplies(self) -> None:
        """
        An empty reply, the probe of another ping, and every truncated copy are corrupt.
        """
        self.statistics.makeProbe(0.0)
        self.statistics.countReply(b"", 1.0)
        self.assertCounts(Verdict.CORRUPT, outstanding=1, sent=1, lost=1, corrupt=1)
        self.setUp()
        probe = self.statistics.makeProbe(0.0)
        self.statistics.countReply(probe, 1.0)
        for reply in (PingStatistics(Random(2)).makeProbe(0.0), *(probe[:length] for length in range(PROBE_SIZE))):
            self.statistics.countReply(reply, 1.0)
        self.assertCounts(Verdict.CORRUPT, sent=1, returned=1, corrupt=1 + PROBE_SIZE)

    def test_corruptThenIntact(self) -> None:
        """
        A probe with a corrupt reply is not lost, and returns if an intact reply follows. A reply whose identifier was
        changed to that of another probe does not prevent the other's return.
        """
        probe = self.statistics.makeProbe(0.0)
        for end in (b"!", b"?"):
            self.statistics.countReply(probe[:-1] + end, 1.0)
        self.assertCounts(Verdict.CORRUPT, sent=1, corrupt=2)
        self.statistics.countReply(probe, 1.0)
        self.assertCounts(Verdict.CORRUPT, sent=1, corrupt=2, returned=1)
        first, second = self.statistics.makeProbe(0.0), self.statistics.makeProbe(0.0)
        self.statistics.countReply(second[:ID_SIZE] + first[ID_SIZE:], 1.0)
        self.statistics.countReply(second, 1.0)
        self.assertCounts(Verdict.CORRUPT, outstanding=1, sent=3, returned=2, corrupt=3, lost=1)

    def test_reordered(self) -> None:
        """
        A probe that returns after a later one is reordered; a copy of it is only duplicated.
        """
        probes = [self.statistics.makeProbe(0.0) for _ in range(4)]
        for number in (2, 0, 1, 0, 3):
            self.statistics.countReply(probes[number], 1.0)
        self.assertCounts(Verdict.OK, sent=4, returned=4, reordered=2, duplicated=1)

    def test_unsent(self) -> None:
        """
        A probe without a connection is lost and not outstanding; the next has another sequence number.
        """
        self.statistics.countUnsent(REFUSED)
        self.statistics.countReply(self.statistics.makeProbe(0.0), 1.0)
        self.assertCounts(Verdict.REFUSED, sent=2, returned=1, lost=1)

    def test_discard(self) -> None:
        """
        Discarding uncounts the outstanding probes sent after a time: none sent at that time, and none with a reply. If
        no probe has returned, it uncounts none, and the verdict is not ok.
        """
        for now in (1.0, 2.0, 2.0, 3.0, 3.0):
            probe = self.statistics.makeProbe(now)
            if self.statistics.sent == 2:
                self.statistics.countReply(probe[:-1], now)
            if self.statistics.sent == 3:
                self.statistics.countReply(probe, now)
        self.statistics.discardSentAfter(1.0)
        self.assertCounts(Verdict.CORRUPT, outstanding=1, sent=3, returned=1, corrupt=1, lost=1)
        self.setUp()
        self.statistics.makeProbe(2.0)
        self.statistics.discardSentAfter(1.5)
        self.assertCounts(Verdict.TIMEOUT, outstanding=1, sent=1, lost=1)

    def test_verdictOrder(self) -> None:
        """
        From the most to the least severe: a failure that lost a probe, corrupt, wrong-source, timeout.
        """
        probes = [self.statistics.makeProbe(0.0) for _ in range(2)]
        self.assertIs(self.statistics.verdict, Verdict.TIMEOUT)
        self.statistics.wrongSourceCount = 1
        self.assertIs(self.statistics.verdict, Verdict.WRONG_SOURCE)
        self.statistics.countReply(b"data", 1.0)
        self.assertIs(self.statistics.verdict, Verdict.CORRUPT)
        self.statistics.lastFailure = REFUSED
        self.assertIs(self.statistics.verdict, Verdict.REFUSED)
        for probe in probes:
            self.statistics.countReply(probe, 1.0)
        self.assertIs(self.statistics.verdict, Verdict.CORRUPT)

    @settings(deadline=None)
    @given(st.data())
    def test_anyReplies(self, data: st.DataObject) -> None:
        """
        Replies in any order, lost, duplicated or corrupt, are counted correctly.
        """
        statistics = PingStatistics(Random(1))
        probes = [statistics.makeProbe(float(number)) for number in range(data.draw(st.integers(0, 6)))]
        returned: list[int] = []
        corruptedIds: set[bytes] = set()
        corrupt = duplicated = reordered = 0
        for reply in data.draw(st.lists(self.replies(probes), max_size=20)):
            statistics.countReply(reply, 10.0)
            if reply not in probes:
                corrupt += 1
                corruptedIds.add(reply[:ID_SIZE])
            elif (number := probes.index(reply)) in returned:
                duplicated += 1
            else:
                reordered += number < max(returned, default=0)
                returned.append(number)
        missing = {probe[:ID_SIZE] for number, probe in enumerate(probes) if number not in returned} - corruptedIds
        self.assertEqual((statistics.sent, statistics.returned), (len(probes), len(returned)))
        self.assertEqual(
            (statistics.corrupt, statistics.duplicated, statistics.reordered), (corrupt, duplicated, reordered)
        )
        self.assertEqual((statistics.lost, statistics.outstanding), (len(missing), len(missing)))
        self.assertEqual(list(statistics.roundTripTimes), [10.0 - number for number in returned])

    @staticmethod
    def replies(probes: list[bytes]) -> st.SearchStrategy[bytes]:
        """
        A probe: intact, with bytes changed, truncated, longer, or with another sequence number; or any bytes.
        """
        if not probes:
            return st.binary(max_size=2 * PROBE_SIZE)
        probe = st.sampled_from(probes)
        changed = st.builds(
            lambda probe, at, data: probe[:at] + data + probe[at + len(data) :],
            probe,
            st.integers(0, PROBE_SIZE),
            st.binary(max_size=3),
        )
        truncated = st.builds(lambda probe, length: probe[:length], probe, st.integers(0, PROBE_SIZE))
        renumbered = st.builds(
            lambda probe, number: probe[: ID_SIZE - 1] + b"%d" % number + probe[ID_SIZE:], probe, st.integers(0, 9)
        )
        return st.one_of(probe, probe, changed, truncated, renumbered, st.binary(max_size=PROBE_SIZE))
