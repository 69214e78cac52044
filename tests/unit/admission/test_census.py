"""
L{Census}: limits on connections and on replies.
"""

from __future__ import annotations

import pickle
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockservices import Census, Environment, Outcome, Policy
from sockservices.admission.rate_limit import MAX_SOURCES

#: Two addresses of a source of IPv4, and of one of IPv6.
SAME_V4 = ("192.0.2.1", "::ffff:192.0.2.1")
SAME_V6 = ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2")

LOOPBACK = ("127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1")


def admitted(census: Census, policy: Policy, *hosts: str | None, now: float = 0.0) -> int:
    """
    The number of connections that are admitted.
    """
    return sum([census.admit(host, policy, now) for host in hosts])


def replies(census: Census, policy: Policy, source: str | bytes, now: float = 0.0) -> int:
    """
    The number of 20,000 replies that are allowed to an IP address, a path or an abstract name.
    """
    return sum([allowed(census, policy, source, now) for _ in range(20_000)])


def allowed(census: Census, policy: Policy, source: str | bytes, now: float) -> bool:
    """
    Whether one reply is allowed.
    """
    unix = isinstance(source, bytes) or source.startswith("/")
    return census.allowReply(*census.replyRate(source if unix else (str(source), 9), policy), now)


@pytest.mark.parametrize(("limit", "maximum"), [({}, 1024), ({"maxConnections": 4}, 4), ({"maxConnections": 0}, 2000)])
def test_maxConnections(limit: Any, maximum: int) -> None:
    """
    The total limit counts all connections, those of Unix sockets included.
    """
    census, policy = Census(), Policy(maxPerSource=0, maxRate=0, **limit)
    assert admitted(census, policy, *["192.0.2.1", "2001:db8::1", None, "127.0.0.1"] * 500) == maximum
    assert census.connections == maximum


@pytest.mark.parametrize(
    ("limit", "hosts", "maximum"),
    [
        ({}, ["192.0.2.1"], 64),
        ({}, SAME_V6, 64),
        ({}, LOOPBACK, 200),
        ({}, [None], 200),
        ({"maxPerSource": 5}, SAME_V4, 5),
        ({"maxPerSource": 5}, SAME_V6, 5),
        ({"maxPerSource": 5}, ["192.0.2.1", "192.0.2.2", "2001:db8:0:1::1", "2001:db8:0:2::1"], 20),
        ({"maxPerSource": 5}, ["127.0.0.1", "127.0.0.2", "::1", "localhost"], 20),
        ({"maxPerSource": 5}, [None], 200),
        ({"maxPerSource": 0}, ["192.0.2.1"], 200),
    ],
)
def test_maxPerSource(limit: Any, hosts: list[str | None], maximum: int) -> None:
    """
    Each source has its own limit. By default loopback addresses have none; a number limits them too. Text that is no
    IP address is a source. Unix peers have no limit per source.
    """
    policy = Policy(maxRate=0, **limit)
    assert admitted(Census(), policy, *[*hosts] * (200 // len(hosts))) == maximum


@pytest.mark.parametrize(
    ("limit", "hosts", "maximum", "later"),
    [
        ({}, ["192.0.2.1"], 100, 50),
        ({}, ["127.0.0.1", "::1", None], 900, 900),
        ({"maxRate": 5}, ["192.0.2.1"], 10, 5),
        ({"maxRate": 5}, ["127.0.0.1"], 10, 5),
        ({"maxRate": 5}, SAME_V6, 10, 5),
        ({"maxRate": 5}, ["192.0.2.1", "192.0.2.2"], 20, 10),
        ({"maxRate": 5}, [None], 900, 900),
        ({"maxRate": 0}, ["192.0.2.1"], 900, 900),
    ],
)
def test_maxRate(limit: Any, hosts: list[str | None], maximum: int, later: int) -> None:
    """
    A source is admitted a burst, and a second later its rate. By default loopback has no limit; a number limits it too.
    """
    census, policy = Census(), Policy(maxPerSource=0, maxConnections=0, **limit)
    hosts = [*hosts] * (900 // len(hosts))
    assert [admitted(census, policy, *hosts, now=now) for now in (0.0, 1.0)] == [maximum, later]


def test_release() -> None:
    """
    A released slot is free at once, for its source and for other sources. The tokens of the rate are not restored.
    """
    census, policy = Census(), Policy(maxConnections=2, maxPerSource=1, maxRate=0)
    assert admitted(census, policy, "192.0.2.1", "192.0.2.1", None, "192.0.2.2") == 2
    for released in ("::ffff:192.0.2.1", None):
        census.release(released)
        assert admitted(census, policy, "192.0.2.1", "192.0.2.2") == 1
    census = Census()
    for attempt in range(100):
        assert census.admit("192.0.2.3", Policy(maxRate=5), 0.0) is (attempt < 10)
        if attempt < 10:
            census.release("192.0.2.3")


@pytest.mark.parametrize(
    ("policy", "first"),
    [(Policy(maxConnections=1, maxPerSource=0, maxRate=1), None), (Policy(maxPerSource=1, maxRate=1), "192.0.2.1")],
)
def test_refusalsDoNotCount(policy: Policy, first: str | None) -> None:
    """
    A connection that one limit refuses does not count towards another limit.
    """
    census = Census()
    assert admitted(census, policy, first, *["192.0.2.1"] * 100) == 1
    census.release(first)
    assert admitted(census, policy, "192.0.2.1") == 1


def test_boundedMemory() -> None:
    """
    Memory is as large after the rates of 8192 sources as after those of 4096. Ended connections take none.
    """
    census, sizes = Census(), []
    for number in range(2 * MAX_SOURCES):
        host = f"10.{number // 100 + 100}.{number % 100 + 100}.1"
        assert census.admit(host, Policy(), 0.0)
        census.release(host)
        allowed(census, Policy(), host, 0.0)
        allowed(census, Policy(), f"/run/{number:05}", 0.0)
        if not (number + 1) % MAX_SOURCES:
            sizes.append(size(census))
    assert sizes[0] == sizes[1]


def size(census: Census) -> int:
    """
    The memory of a census: the pickled length of its attributes, without its methods.
    """
    return len(pickle.dumps([value for value in vars(census).values() if not callable(value)]))


@settings(deadline=None)
@given(
    maxConnections=st.integers(0, 8),
    maxPerSource=st.integers(0, 4),
    steps=st.lists(
        st.tuples(st.booleans(), st.sampled_from([*SAME_V4, "192.0.2.2", *SAME_V6, "::1", None])), max_size=60
    ),
)
def test_anySequence(maxConnections: int, maxPerSource: int, steps: list[tuple[bool, str | None]]) -> None:
    """
    For any order of starts and ends, a connection is admitted if both limits allow it. When all connections have ended,
    all slots are free, and the census uses as much memory as before.
    """
    census = Census()
    before = size(census)
    policy = Policy(maxConnections=maxConnections, maxPerSource=maxPerSource, maxRate=0)
    sameSource = {SAME_V4[1]: SAME_V4[0], SAME_V6[1]: SAME_V6[0]}
    admittedHosts: list[str | None] = []
    for begins, host in steps:
        if begins:
            perSource = Counter(sameSource.get(other or "", other) for other in admittedHosts)
            belowMaximum = not maxConnections or len(admittedHosts) < maxConnections
            belowPerSource = host is None or not maxPerSource or perSource[sameSource.get(host, host)] < maxPerSource
            assert census.admit(host, policy, 0.0) is (belowMaximum and belowPerSource)
            if belowMaximum and belowPerSource:
                admittedHosts.append(host)
        elif host in admittedHosts:
            admittedHosts.remove(host)
            census.release(host)
        assert census.connections == len(admittedHosts)
    for host in admittedHosts:
        census.release(host)
    assert (census.connections, size(census)) == (0, before)
    assert admitted(census, Policy(maxPerSource=1, maxRate=0), SAME_V4[0], SAME_V6[0], "::1") == 3


@pytest.mark.parametrize(
    ("limit", "sources", "maximum", "later"),
    [
        ({}, ["192.0.2.1"], 40, 20),
        ({}, LOOPBACK, 80_000, 80_000),
        ({}, ["/run/peer"], 10_000, 20),
        ({}, ["/run/peer", "/run/other", b"\0peer"], 30_000, 60),
        ({"udpRate": 5}, ["192.0.2.1", "192.0.2.2"], 20, 10),
        ({"udpRate": 5}, SAME_V4, 10, 5),
        ({"udpRate": 5}, SAME_V6, 10, 5),
        ({"udpRate": 5}, ["127.0.0.1"], 10, 5),
        ({"udpRate": 5}, ["/run/peer"], 10, 5),
        ({"udpRate": 0}, ["192.0.2.1", "/run/peer"], 40_000, 40_000),
    ],
)
def test_udpRate(limit: Any, sources: list[str | bytes], maximum: int, later: int) -> None:
    """
    A source is sent a burst of replies, and a second later its rate. By default loopback has no limit and a Unix socket
    has a larger burst; a number limits every source alike.
    """
    census, policy = Census(), Policy(**limit)
    assert [sum(replies(census, policy, source, now) for source in sources) for now in (0.0, 1.0)] == [maximum, later]


def test_ratesApart() -> None:
    """
    Each limit on a rate counts by itself: of connections or replies, and of each listener. Equal limits are shared.
    """
    census = Census()
    fast, slow = (Policy(maxRate=rate, udpRate=rate, maxPerSource=0) for rate in (50, 2))
    same = Policy(maxRate=50, udpRate=50, maxPerSource=0, drain=1)
    hosts = ["192.0.2.1"] * 1000
    assert [admitted(census, policy, *hosts) for policy in (fast, slow, same)] == [100, 4, 0]
    assert [replies(census, policy, "192.0.2.1") for policy in (fast, slow, same)] == [100, 4, 0]


def test_churningSourcesDoNotRefill() -> None:
    """
    However many sources come in between, each one is sent no more replies than its burst and its rate allow.
    """
    census, policy, replies = Census(), Policy(), Counter[str]()
    for step in range(5):
        for host in ["192.0.2.1"] * 100 + [f"10.{step % 2}.{number >> 8}.{number & 255}" for number in range(8200)]:
            replies[host] += allowed(census, policy, host, step * 0.75)
    assert 100 == replies["192.0.2.1"] == max(replies.values())


def test_newCensus() -> None:
    """
    A new census has no connection, outcome or port. It numbers conversations from 1, and gives them its environment.
    """
    for environment in (None, Environment(server="here")):
        census = Census(environment)
        assert census.environment is environment if environment else census.environment.server
        assert (census.connections, census.outcomes, census.udpPorts, census.unixSockets) == (0, {}, {}, set())
        assert census.outcomes[Outcome.DONE] == 0
        assert [census.nextSerial() for _ in range(3)] == [1, 2, 3]
