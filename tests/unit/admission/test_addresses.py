"""
Sources: the classes of IP addresses, and the keys of their limits.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockservices.admission.addresses import Source, sourceOf

#: IPv4 addresses that no single host has: this network, multicast, class E and broadcast, each at its borders.
UNANSWERABLE = ("0.0.0.0", "0.255.255.255", "224.0.0.1", "239.255.255.255", "240.0.0.0", "255.255.255.255")


def nat64(host: str) -> str:
    """
    An IPv4 address as NAT64 translates it, with the address in hexadecimal.
    """
    return str(IPv6Address(b"\0\x64\xff\x9b" + bytes(8) + IPv4Address(host).packed))


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.8", "192.0.2.8"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1", "fe80::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("fe80::1%2", "fe80::/64"),
        ("fe80::1%a%b", "fe80::/64"),
    ],
)
def test_key(host: str, key: str) -> None:
    """
    An IPv4 address is one source, and so is an IPv6 /64. The zone of a link-local address is not part of it.
    """
    assert sourceOf(host) == (key, False, True)


@settings(deadline=None)
@given(st.ip_addresses())
def test_everyAddress(address: IPv4Address | IPv6Address) -> None:
    """
    Every address has a source, an IPv4-mapped IPv6 address that of the IPv4 address. No multicast or unspecified
    address is answerable.
    """
    source = sourceOf(str(address))
    assert address.version == 6 or sourceOf(f"::ffff:{address}") == source
    assert source.key
    assert not (source.answerable and (address.is_multicast or address.is_unspecified))


@pytest.mark.parametrize(
    ("loopback", "hosts"),
    [
        (True, "127.0.0.0 127.0.0.1 127.255.255.255 ::1 ::ffff:127.0.0.1"),
        (False, "126.255.255.255 128.0.0.1 0.0.0.0 :: ::2 fe80::1 2001:db8::1 ::ffff:10.0.0.1"),
    ],
)
def test_loopback(loopback: bool, hosts: str) -> None:
    """
    Loopback addresses are those of 127/8, also IPv4-mapped, and C{::1}.
    """
    for host in hosts.split():
        assert sourceOf(host).loopback is loopback, host


@pytest.mark.parametrize(
    ("answerable", "hosts"),
    [
        (True, "1.0.0.0 127.0.0.1 223.255.255.255 10.0.0.255 ::1"),
        (True, "2000:: 3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 2001:db8::"),
        (True, "fc00:: fdff:ffff::1 fe80::1 febf:ffff::1"),
        (True, nat64("1.0.0.0") + " " + nat64("223.255.255.255")),
        (False, " ".join(UNANSWERABLE)),
        (False, " ".join(f"::ffff:{host}" for host in UNANSWERABLE)),
        (False, " ".join(nat64(host) for host in (*UNANSWERABLE, "127.0.0.1"))),
        (False, ":: ::2 ::192.0.2.1 100::1 64:ff9b::1:808:808 1fff:ffff::1 4000:: bfff:ffff::1 e000::1"),
        (False, "fbff:ffff::1 fe00::1 fe7f:ffff::1 fec0::1 ff02::1 ff0e::1234 ff02::1%eth0"),
    ],
)
def test_answerable(answerable: bool, hosts: str) -> None:
    """
    Only addresses that a single host can have are answerable: IPv4 below multicast, IPv6 loopback, global unicast,
    unique local and link-local (RFC 4291, RFC 4193), and NAT64 (RFC 6052) of such an IPv4 address but loopback.
    """
    for host in hosts.split():
        assert sourceOf(host).answerable is answerable, host


@pytest.mark.parametrize("host", ["", "localhost", "1.2.3", "1.2.3.4.5", "1.2.3.256", "/run/echo.sock", "::1::"])
def test_noAddress(host: str) -> None:
    """
    Text that is no IP address is a source of its own, neither loopback nor answerable.
    """
    assert sourceOf(host) == Source(host, False, False)
