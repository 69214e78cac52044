"""
L{RateLimit}: token buckets of sources.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockservices.admission.rate_limit import MAX_SOURCES, RateLimit


def taken(limit: RateLimit, times: Iterable[float], source: str = "a") -> int:
    """
    The number of tokens that a source takes at these times.
    """
    return sum([limit.take(source, now) for now in times])


def test_rate() -> None:
    """
    After the burst a source takes as many tokens per second as the rate. A source that does not exceed the rate always
    gets a token.
    """
    assert taken(RateLimit(50), [1000 + number / 200 for number in range(2000)]) == 100 + 10 * 50 - 1
    assert taken(RateLimit(8), [number / 8 for number in range(10_000)]) == 10_000


def test_tokensReturn() -> None:
    """
    Tokens return up to one burst, twice the rate or the number given, however long the pause. A refusal does not delay
    the next token. Each source has its own tokens.
    """
    for burst, limit in ((20, RateLimit(10)), (70, RateLimit(10, burst=70))):
        for source in ("a", "b"):
            times = (0.0, 0.05, 0.1, 0.5, 1e6)
            assert [taken(limit, [now] * 1000, source) for now in times] == [burst, 0, 1, 4, burst]


@pytest.mark.parametrize("later", [0.0, 3600.0])
@pytest.mark.parametrize("others", [0, MAX_SOURCES])
def test_discardedBucket(later: float, others: int) -> None:
    """
    4096 sources have a bucket. The next source discards one, but its source has no more tokens than before, also when
    the clock is set back.
    """
    assert MAX_SOURCES == 4096
    limit = RateLimit(10)
    assert taken(limit, [later] * 100) == 20
    for number in range(others):
        limit.take(str(number), later)
    assert [taken(limit, [now] * 100) for now in (0.0, 1.0)] == [0, 10]


@settings(deadline=None)
@given(
    rate=st.integers(1, 100),
    pauses=st.lists(st.floats(0, 10, allow_subnormal=False), min_size=1, max_size=200),
)
def test_neverOverTheRate(rate: int, pauses: list[float]) -> None:
    """
    At any time, a source has taken at most its burst and the tokens that have returned since.
    """
    times = [sum(pauses[:count]) for count in range(1, len(pauses) + 1)]
    assert taken(RateLimit(rate), times) <= 2 * rate + (times[-1] - times[0]) * rate + 1e-6


def test_recentlySeenSources() -> None:
    """
    A source has its whole burst while many others use up theirs: the least recently seen source loses its bucket.
    """
    limit = RateLimit(1, burst=10)
    for step in range(10):
        assert limit.take("seen", 0.0)
        for number in range(MAX_SOURCES // 2):
            taken(limit, [0.0] * 10, f"{step}/{number}")


def test_bucketsRefillDuringPauses() -> None:
    """
    A source takes a whole burst after a pause that fills its bucket, whether its bucket was discarded or not.
    """
    limit = RateLimit(10)
    for number in range(3 * MAX_SOURCES):
        taken(limit, [0.0] * 20, str(number))
    assert {taken(limit, [2.0] * 100, str(number)) for number in (0, 1, 2 * MAX_SOURCES, "new")} == {20}


def test_newSourcesDuringChurn() -> None:
    """
    A new source takes at least half of its burst while 40,000 other sources per second take one token each.
    """
    limit = RateLimit(20)
    for number in range(80_000):
        assert limit.take(str(number), number / 40_000)
    assert min(taken(limit, [2.0] * 100, f"new {number}") for number in range(100)) >= 20


def test_boundedMemoryAndCost() -> None:
    """
    Memory, and the number of function calls for a token, are the same after many sources as after 4096.
    """

    def calls(source: str) -> int:
        count = 0

        def profile(frame: object, event: str, argument: object) -> None:
            nonlocal count
            count += event == "call"

        before = sys.getprofile()
        sys.setprofile(profile)
        limit.take(source, 0.0)
        sys.setprofile(before)
        return count

    limit = RateLimit(1)
    figures = []
    for count in (MAX_SOURCES, 4 * MAX_SOURCES):
        for number in range(count):
            limit.take(f"{number:05}", 0.0)
        size = len(pickle.dumps(limit))
        figures.append((size, calls("new"), calls("new")))
    assert figures[0] == figures[1]
    assert figures[0][1:] == (2, 1)
