"""
L{SharedCensus}: limits that hold for several workers together.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from sockservices import Policy
from sockservices.admission.rate_limit import RateLimit
from sockservices.workers.shared_census import SharedCensus
from sockservices.workers.shared_counters import SharedCounters
from sockservices.workers.shared_rate_limit import SharedRateLimit


def sharedCounters(slots: int = 4) -> SharedCounters:
    """
    Counters in new memory.
    """
    memory = SharedCounters.create(slots)
    try:
        return SharedCounters(memory)
    finally:
        os.close(memory)


def censuses(counters: SharedCounters) -> list[SharedCensus]:
    """
    The censuses of as many workers as the counters have slots.
    """
    return [SharedCensus(counters, slot, slot + 1) for slot in range(counters.slots)]


def admitted(workers: list[SharedCensus], policy: Policy, *hosts: str | None, now: float = 1e6) -> int:
    """
    The number of connections that are admitted, when one worker after the other accepts one.
    """
    return sum([workers[number % len(workers)].admit(host, policy, now) for number, host in enumerate(hosts)])


@pytest.mark.parametrize(
    ("limits", "hosts", "maximum"),
    [
        ({"maxConnections": 7}, ["127.0.0.1", None, "2001:db8::1"] * 20, 7),
        ({"maxConnections": 0}, ["127.0.0.1", None] * 1000, 2000),
        ({}, ["192.0.2.1"] * 200, 64),
        ({}, ["127.0.0.1"] * 200, 200),
        ({"maxPerSource": 7}, ["127.0.0.1", "192.0.2.1"] * 20, 14),
        ({"maxRate": 7, "maxPerSource": 0}, ["127.0.0.1", "192.0.2.1"] * 20, 28),
    ],
)
def test_limitsOnConnections(limits: Any, hosts: list[str | None], maximum: int) -> None:
    """
    The limits count the connections of all workers.
    """
    assert admitted(censuses(sharedCounters()), Policy(**limits), *hosts) == maximum


def test_aConnectionThatEndsMakesRoom() -> None:
    """
    A place is free when a connection ends, or when its worker has ended and its slot is cleared.
    """
    counters = sharedCounters()
    workers, policy = censuses(counters), Policy(maxConnections=8, maxPerSource=8)
    assert admitted(workers, policy, *["192.0.2.1"] * 20) == 8
    workers[1].release("192.0.2.1")
    assert admitted(workers, policy, *["192.0.2.1"] * 20) == 1
    counters.clear(0)
    assert counters.total() == 8 - workers[0].connections
    assert admitted(workers[1:], policy, *["192.0.2.1"] * 20) == workers[0].connections


def test_excess() -> None:
    """
    A worker exceeds its share by the connections that it has above the mean of the accepting workers and 3 % more.
    """
    workers = censuses(sharedCounters())
    for worker in workers[:3]:
        worker.setAccepting(True)
    policy = Policy(maxConnections=0)
    admitted(workers[:3], policy, *[None] * 96)
    assert [worker.excess() for worker in workers[:3]] == [-1] * 3
    admitted(workers[:1], policy, *[None] * 96)
    assert [worker.excess() for worker in workers[:3]] == [62, -34, -34]
    admitted(workers[3:], policy, *[None] * 96)
    assert workers[0].excess() == 62


def test_replies() -> None:
    """
    The rates of replies to IP sources and to Unix sources are each shared by all workers.
    """
    workers, policy = censuses(sharedCounters()), Policy()
    for source, count in ((("192.0.2.1", 9), 40), ("/run/client", 10_000), (("127.0.0.1", 9), 20_000)):
        allowed = [worker.allowReply(*worker.replyRate(source, policy), 1e6) for _ in range(5000) for worker in workers]
        assert sum(allowed) == count


def test_serialsAreUnique() -> None:
    """
    No two workers give the same number. The first one counts from 1, as a server without workers does.
    """
    workers = censuses(sharedCounters())
    assert [workers[0].nextSerial() for _ in range(3)] == [1, 2, 3]
    assert len({worker.nextSerial() for worker in workers for _ in range(1000)}) == 4000


@pytest.mark.parametrize("rate", [1, 8, 50, 1000])
def test_theSharedRateIsTheRate(rate: float) -> None:
    """
    Two workers together take as many tokens as one L{RateLimit} gives, to within one: a burst, and the rate from then
    on.
    """
    counters = sharedCounters()
    shared = [SharedRateLimit(counters, "kind", rate) for _ in range(2)]
    single = RateLimit(rate)
    difference = 0
    for number in range(8000):
        now = 1e6 + number // 4 * 0.4 / rate
        difference += shared[number % 2].take("source", now) - single.take("source", now)
        assert -1 <= difference <= 1, number


def test_kindsAndRatesHaveTheirOwnTokens() -> None:
    """
    Limits of another kind or rate, and other sources, have tokens of their own.
    """
    counters = sharedCounters()
    for kind, rate in (("a", 2), ("b", 2), ("a", 4)):
        for source in ("x", b"y"):
            limit = SharedRateLimit(counters, kind, rate)
            assert sum([limit.take(source, 1e6) for _ in range(100)]) == 2 * rate


def test_memory() -> None:
    """
    A worker that ends without a connection takes no memory: the counters of sources that had none stay unallocated.
    """
    memory = SharedCounters.create(64)
    try:
        counters = SharedCounters(memory)
        worker = SharedCensus(counters, 0, 1)
        worker.setAccepting(True)
        assert worker.admit("192.0.2.1", Policy(), 1e6)
        worker.release("192.0.2.1")
        counters.clear(0)
        assert os.fstat(memory).st_blocks * 512 < 1 << 16
    finally:
        os.close(memory)
