"""
Sources without limits, and the report of a limit that is exceeded.
"""

from __future__ import annotations

import pytest

from sockservices import Census, Policy
from sockservices.admission.addresses import isTrusted, network
from sockservices.admission.census import ExceededLimit

POLICY = Policy(maxPerSource=1, maxRate=1, udpRate=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.7/24", "192.0.2.0/24"),
        ("2001:db8::7", "2001:db8::7/128"),
        ("[2001:db8::]/32", "2001:db8::/32"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("::ffff:192.0.2.7/120", "192.0.2.0/24"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::/0", "::/0"),
    ],
)
def test_network(text: str, expected: str) -> None:
    """
    A trusted source is an address or a network. The host part of a network does not matter.
    """
    assert network(text) == expected


@pytest.mark.parametrize("text", ["", "localhost", "192.0.2.0/33", "192.0.2", "192.0.2.0/24/24", "fe80::1%eth0"])
def test_noNetwork(text: str) -> None:
    """
    Anything else is an error that gives an example.
    """
    with pytest.raises(ValueError, match=r"expected an IP address or network, such as 192\.0\.2\.0/24"):
        network(text)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.7", True),
        ("::ffff:192.0.2.7", True),
        ("192.0.3.7", False),
        ("fe80::1%eth0", True),
        ("fe81::1", False),
        ("2001:db8::7", False),
        ("no address", False),
    ],
)
def test_isTrusted(host: str, expected: bool) -> None:
    """
    A host is trusted if one of the networks has it, also where its IPv4 address is mapped to IPv6 or has a zone.
    """
    assert isTrusted(host, ("192.0.2.0/24", "fe80::/16")) is expected


def test_trustedSourcesHaveNoLimit() -> None:
    """
    No limit for one source holds for a trusted one. The limit in all does, and the other sources have their limits.
    """
    census = Census(trusted=["192.0.2.7"])
    for host, expected in (("192.0.2.7", 50), ("192.0.2.8", 1)):
        assert sum(census.admit(host, POLICY, 0.0) for _ in range(50)) == expected
    for host, expected in (("192.0.2.7", 50), ("192.0.2.8", 2)):
        assert sum(census.allowReply(*census.replyRate((host, 9), POLICY), 0.0) for _ in range(50)) == expected
    assert not census.admit("192.0.2.7", Policy(maxConnections=51), 0.0)


def test_trustedSourceIsNoNetwork() -> None:
    """
    What is no network is an error of the program.
    """
    with pytest.raises(ValueError, match="expected an IP address or network"):
        Census(trusted=["localhost"])


def test_exceededLimits() -> None:
    """
    Each refusal reports the limit, its number and the source.
    """
    census = Census()
    exceeded: list[ExceededLimit] = []
    census.onExceeded = exceeded.append
    census.admit("192.0.2.7", POLICY, 0.0)
    census.admit("192.0.2.7", POLICY, 0.0)
    census.admit("192.0.2.7", Policy(maxPerSource=0, maxRate=1), 0.0)
    census.admit("192.0.2.7", Policy(maxPerSource=0, maxRate=1), 0.0)
    census.admit(None, Policy(maxConnections=1), 0.0)
    for peer in (("2001:db8::7", 9), "/client"):
        rate = census.replyRate(peer, POLICY)
        assert [census.allowReply(*rate, 0.0) for _ in range(3)] == [True, True, False]
    assert exceeded == [
        ("maxPerSource", 1, "192.0.2.7"),
        ("maxRate", 1, "192.0.2.7"),
        ("maxConnections", 1, "-"),
        ("udpRate", 1, "2001:db8::/64"),
        ("udpRate", 1, "/client"),
    ]
