"""
How often a source may do a thing, and how many sources are remembered.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sockservices.admission.rate_limit import MOST, Buckets


class BucketsTests(SynchronousTestCase):
    """
    Tests for L{Buckets}.
    """

    def taken(self, buckets: Buckets, times: list[float], rate: float = 10, source: str = "a") -> int:
        """
        How many tokens a source gets that asks at these times.
        """
        return sum([buckets.take(source, rate, now) for now in times])

    def test_burst(self) -> None:
        """
        At one moment a source gets twice the rate, no more, whenever the moment is.
        """
        for now in (0.0, 5.0, 1e9):
            self.assertEqual(self.taken(Buckets(), [now] * 100), 20)

    def test_rate(self) -> None:
        """
        A source that asks all the time gets its burst, then as many in a second as the rate says.
        """
        times = [1000 + number / 200 for number in range(2000)]
        self.assertEqual(self.taken(Buckets(), times, rate=50), 100 + 10 * 50 - 1)

    def test_steady(self) -> None:
        """
        A source that keeps to the rate is never refused.
        """
        times = [number / 8 for number in range(10_000)]
        self.assertEqual(self.taken(Buckets(), times, rate=8), 10_000)

    def test_rest(self) -> None:
        """
        After a rest there is a burst again, however long the rest, and no more than one.
        """
        buckets = Buckets()
        self.taken(buckets, [0.0] * 100)
        self.assertEqual(self.taken(buckets, [0.5] * 100), 5)
        self.assertEqual(self.taken(buckets, [1e6] * 100), 20)

    def test_refusalsAreFree(self) -> None:
        """
        A refusal does not put off the next token: the excess is refused, the source is not shut out.
        """
        buckets = Buckets()
        self.taken(buckets, [0.0] * 1000)
        self.assertEqual(self.taken(buckets, [0.05] * 1000), 0)
        self.assertEqual(self.taken(buckets, [0.1, 0.1]), 1)

    def test_sourcesApart(self) -> None:
        """
        What one source takes, no other misses.
        """
        buckets = Buckets()
        self.taken(buckets, [0.0] * 1000, source="a")
        self.assertEqual(self.taken(buckets, [0.0] * 1000, source="b"), 20)

    def test_clockSetBack(self) -> None:
        """
        A clock that is set back by an hour shuts nobody out: tokens come back at the rate from then on.
        """
        buckets = Buckets()
        self.taken(buckets, [3600.0] * 100)
        self.assertEqual(self.taken(buckets, [0.0] * 100), 0)
        self.assertEqual(self.taken(buckets, [1.0] * 100), 10)

    @settings(deadline=None)
    @given(
        rate=st.integers(1, 100),
        pauses=st.lists(st.floats(0, 10, allow_subnormal=False), min_size=1, max_size=200),
    )
    def test_neverMore(self, rate: int, pauses: list[float]) -> None:
        """
        Whenever it asks, a source gets no more than its burst and what came back since.
        """
        times = [sum(pauses[:count]) for count in range(1, len(pauses) + 1)]
        most = 2 * rate + (times[-1] - times[0]) * rate
        self.assertLessEqual(self.taken(Buckets(), times, rate), most + 1e-6)

    def test_forgetsTheLeastRecentlySeen(self) -> None:
        """
        Of many sources, the one not seen for longest is forgotten; it gets its burst anew.
        """
        buckets = Buckets()
        self.taken(buckets, [0.0] * 100, source="first")
        self.taken(buckets, [0.0] * 100, source="second")
        for number in range(MOST - 2):
            buckets.take(str(number), 10, 0.0)
        # All of them fit, and to be refused is to be seen.
        self.assertEqual(self.taken(buckets, [0.0], source="first"), 0)
        buckets.take("one more", 10, 0.0)
        self.assertEqual(self.taken(buckets, [0.0], source="first"), 0)
        self.assertEqual(self.taken(buckets, [0.0] * 100, source="second"), 20)

    def test_bounded(self) -> None:
        """
        4096 sources are remembered, however many there are.
        """
        self.assertEqual(MOST, 4096)
        buckets = Buckets()
        for number in range(3 * MOST):
            self.taken(buckets, [0.0] * 2, rate=1, source=str(number))
        remembered = [number for number in reversed(range(3 * MOST)) if not buckets.take(str(number), 1, 0.0)]
        self.assertEqual(len(remembered), MOST)
