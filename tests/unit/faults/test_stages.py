"""
What faults do to pieces: pure functions of numbers, times and a seed.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby, pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sockservices.faults import Bandwidth, Corrupt, Duplicate, Fault, Latency, Limit, Loss, Reorder, Slice, Truncate
from sockservices.faults.applied import Applied
from sockservices.faults.draws import Draws
from sockservices.faults.stage import End, chained


def stage(fault: Fault, ordered: bool, direction: str = "out", seed: int = 7) -> Any:
    """
    What a fault does in one direction.
    """
    made = fault.stageOf(direction, Draws(seed), ordered)
    assert made is not None
    return made


def datagrams(fault: Fault, count: int, seed: int = 7) -> list[list[tuple[float, Any]]]:
    """
    What becomes of datagrams that come at time 0.
    """
    passing = stage(fault, False, seed=seed)
    return [list(passing(number, 0.0, b"datagram", Applied(Counter()))) for number in range(1, count + 1)]


class TimingTests(SynchronousTestCase):
    """
    Tests for latency, bandwidth and slices.
    """

    def test_latencyWithJitter(self) -> None:
        """
        Each delay is within the jitter, and they spread over it.
        """
        delays = [at for ((at, _),) in datagrams(Latency(0.2, jitter=0.05), 200)]
        self.assertTrue(0.15 <= min(delays) < 0.155 and 0.245 < max(delays) <= 0.25, (min(delays), max(delays)))

    def test_latencyIsNotNegative(self) -> None:
        """
        A jitter above the delay sends nothing into the past.
        """
        self.assertEqual(min(at for ((at, _),) in datagrams(Latency(0.1, jitter=1), 50)), 0.0)

    def test_latencyKeepsTheOrder(self) -> None:
        """
        On a connection no piece overtakes another, and its end comes last.
        """
        applied = Applied(Counter())
        chain = chained([stage(Latency(0.2, jitter=0.2), True)], applied)
        times = [at for number in range(100) for at, _ in chain(number / 1000, b"x")]
        times += [at for at, _ in chain(0.1, End.FIN)]
        self.assertEqual(times, sorted(times))
        self.assertEqual(applied.faults, (("latency", 101),))

    def test_twoLatencies(self) -> None:
        """
        Two latencies add.
        """
        chain = chained([stage(Latency(0.5), True), stage(Latency(0.25), True)], Applied(Counter()))
        self.assertEqual(list(chain(1.0, b"x")), [(1.75, b"x")])

    def test_bandwidth(self) -> None:
        """
        The last of n bytes passes after n / rate seconds, and the others evenly before it, however they come.
        """
        for sizes in ([480_000], [1000] * 480, [479_999, 1]):
            chain = chained([stage(Bandwidth(1_000_000), True)], Applied(Counter()))
            passed = [each for size in sizes for each in chain(0.0, bytes(size))]
            self.assertAlmostEqual(passed[-1][0], 0.48)
            sent = 0
            for at, piece in passed:
                sent += len(piece)  # type: ignore[arg-type]
                self.assertLessEqual(sent, at * 1_000_000 + 1e-3)
                self.assertGreaterEqual(sent + 20_000, at * 1_000_000)

    def test_bandwidthOfALineThatWasFree(self) -> None:
        """
        Time in which nothing passes is not made up for.
        """
        chain = chained([stage(Bandwidth(8), True)], Applied(Counter()))
        self.assertEqual([at for at, _ in [*chain(0.0, b"x"), *chain(5.0, b"xy")]], [0.125, 5.125, 5.25])

    def test_slice(self) -> None:
        """
        Pieces have the size, the last one the rest, and the delay is between them; an end follows at once.
        """
        chain = chained([stage(Slice(2, 0.5), True)], Applied(Counter()))
        passed = [*chain(1.0, b"12345"), *chain(1.0, b"67"), *chain(1.0, End.FIN)]
        self.assertEqual(passed, [(1.0, b"12"), (1.5, b"34"), (2.0, b"5"), (2.5, b"67"), (2.5, End.FIN)])

    def test_sliceOfALongSegmentTakesNoMemory(self) -> None:
        """
        The pieces are made one by one.
        """
        chain = chained([stage(Slice(1), True)], Applied(Counter()))
        self.assertEqual(next(chain(0.0, bytes(10**8))), (0.0, b"\0"))


class LimitTests(SynchronousTestCase):
    """
    Tests for limits.
    """

    def test_limits(self) -> None:
        """
        Exactly the configured number of bytes passes, for any segmentation; the end follows the last byte.
        """
        # The limit, the sizes that come, the sizes that pass, and whether the end comes.
        cases = [
            (100, [50], [50], False),
            (100, [100], [100], True),
            (100, [150], [100], True),
            (100, [25, 25, 25, 25], [25, 25, 25, 25], True),
            (100, [90, 20, 5], [90, 10], True),
        ]
        for limit, sizes, passing, ended in cases:
            chain = chained([stage(Limit(limit), True)], Applied(Counter()))
            passed = [piece for size in sizes for _, piece in chain(0.0, bytes(size))]
            self.assertEqual(passed, [bytes(size) for size in passing] + [End.FIN] * ended, (limit, sizes))

    def test_limitOfZeroBytes(self) -> None:
        """
        A limit of 0 bytes ends the connection when it begins.
        """
        self.assertEqual(Limit(0, "reset").trigger(), (0.0, End.RESET))
        self.assertIsNone(Limit(1).trigger())


class ContentTests(SynchronousTestCase):
    """
    Tests for flipped bits and cut datagrams.
    """

    @given(st.lists(st.integers(0, 300)), st.sampled_from([0, 5e-324, 0.01, 0.3, 1]), st.integers(0, 50))
    def test_corruptionDoesNotDependOnTheSegments(self, cuts: list[int], rate: float, seed: int) -> None:
        """
        The same bytes of a stream are corrupted for any segmentation: one bit of each. The length does not change.
        """
        data = bytes(range(256)) * 2
        edges = [0, *sorted(cuts), len(data)]
        results = []
        for segments in ([data], [data[start:end] for start, end in pairwise(edges)]):
            applied = Applied(Counter())
            chain = chained([stage(Corrupt(rate), True, seed=seed)], applied)
            results.append((b"".join(piece for each in segments for _, piece in chain(0.0, each)), applied.faults))  # type: ignore[misc]
        self.assertEqual(results[0], results[1])
        ((changed, faults), _) = results
        flips = [(one ^ other).bit_count() for one, other in zip(changed, data, strict=True)]
        self.assertTrue(set(flips) <= {0, 1})
        self.assertEqual(dict(faults).get("corrupt", 0), sum(flips))
        if rate in (0, 1):
            self.assertEqual(sum(flips), rate * len(data))

    def test_corruptionRate(self) -> None:
        """
        The share of corrupted bytes is the rate.
        """
        chain = chained([stage(Corrupt(0.01), True)], Applied(Counter()))
        ((_, changed),) = chain(0.0, bytes(100_000))
        # 99.9 % of the binomial distribution are within 104 of 1000.
        self.assertTrue(896 <= sum(map(bool, changed)) <= 1104)  # type: ignore[arg-type]

    def test_truncate(self) -> None:
        """
        A longer datagram is cut, a shorter one is not.
        """
        self.assertEqual(datagrams(Truncate(4), 1), [[(0.0, b"data")]])
        self.assertEqual(datagrams(Truncate(8), 1), [[(0.0, b"datagram")]])


class DeliveryTests(SynchronousTestCase):
    """
    Tests for loss, duplicates and the order of datagrams.
    """

    def test_lossIsAFunctionOfTheNumber(self) -> None:
        """
        The same seed loses the same datagrams in any order of the decisions; another seed loses others.
        """
        for fault in (Loss(0.3), Loss(0.3, burst=5)):
            first, again, other = (datagrams(fault, 1000, seed) for seed in (7, 7, 8))
            self.assertEqual(first, again)
            self.assertNotEqual(first, other)
            passing = stage(fault, False)
            backwards = [list(passing(number, 0.0, b"datagram", Applied(Counter()))) for number in range(1000, 0, -1)]
            self.assertEqual(first, backwards[::-1])

    def test_rateAndBurst(self) -> None:
        """
        The share of lost datagrams is the rate, and the mean length of a run of them is the burst.
        """
        # The rate, the burst, and the mean length of a run; that of independent losses is 1 / (1 - rate).
        for rate, burst, mean in ((0.3, 1, 1 / 0.7), (0.05, 3, 3), (0.3, 10, 10)):
            lost = [not passed for passed in datagrams(Loss(rate, burst=burst), 40_000)]
            runs = [len(list(run)) for isLost, run in groupby(lost) if isLost]
            self.assertTrue(0.85 * rate < sum(lost) / len(lost) < 1.15 * rate, (rate, burst))
            self.assertTrue(0.85 * mean < sum(runs) / len(runs) < 1.15 * mean, (rate, burst))

    def test_allOrNothing(self) -> None:
        """
        A rate of 0 loses none, a rate of 1 all.
        """
        for burst in (1, 4):
            self.assertEqual(sum(map(len, datagrams(Loss(0, burst=burst), 100))), 100)
            self.assertEqual(sum(map(len, datagrams(Loss(1, burst=burst), 100))), 0)

    def test_duplicateAndReorder(self) -> None:
        """
        A share of the datagrams is doubled, or held back.
        """
        doubled = [len(passed) for passed in datagrams(Duplicate(0.5), 1000)]
        # 99.9 % of the binomial distribution are within 52 of 500.
        self.assertEqual(set(doubled), {1, 2})
        self.assertTrue(448 <= doubled.count(2) <= 552)
        held = [at for ((at, _),) in datagrams(Reorder(0.5, 0.25), 1000)]
        self.assertEqual(set(held), {0.0, 0.25})
        self.assertTrue(448 <= held.count(0.25) <= 552)
