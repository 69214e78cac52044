"""
What counts as one source, and which sources a reply may go to.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sockservices.admission.addresses import Source, sourceOf


class SourceTests(SynchronousTestCase):
    """
    Tests for L{sourceOf}.
    """

    def test_v4(self) -> None:
        """
        Every v4 address is a source of its own.
        """
        self.assertEqual(sourceOf("192.0.2.7"), ("192.0.2.7", False, True))
        self.assertNotEqual(sourceOf("192.0.2.7").key, sourceOf("192.0.2.8").key)

    def test_v6(self) -> None:
        """
        All v6 addresses of one /64 are one source; those of the next are another.
        """
        self.assertEqual(sourceOf("2001:db8:1:2::1"), ("2001:db8:1:2::/64", False, True))
        self.assertEqual(sourceOf("2001:db8:1:2:ffff:ffff:ffff:ffff"), sourceOf("2001:db8:1:2::"))
        self.assertNotEqual(sourceOf("2001:db8:1:3::1").key, sourceOf("2001:db8:1:2::1").key)

    def test_zone(self) -> None:
        """
        The zone of a link-local address is not part of the source.
        """
        for zone in ("eth0", "2", "a%b"):
            self.assertEqual(sourceOf(f"fe80::1%{zone}"), sourceOf("fe80::1"))

    @settings(deadline=None)
    @given(st.ip_addresses(v=4))
    def test_mapped(self, address: IPv4Address) -> None:
        """
        A v4 address as a v6 socket reports it is the v4 address, in every regard.
        """
        self.assertEqual(sourceOf(f"::ffff:{address}"), sourceOf(str(address)))

    @settings(deadline=None)
    @given(st.ip_addresses())
    def test_everyAddress(self, address: IPv4Address | IPv6Address) -> None:
        """
        Every address has a source, and no multicast address is a single host's.
        """
        source = sourceOf(str(address))
        self.assertTrue(source.key)
        self.assertFalse(source.single and address.is_multicast)

    def test_loopback(self) -> None:
        """
        All of 127/8 is loopback, and C{::1} alone.
        """
        for host in ("127.0.0.1", "127.0.0.2", "127.255.255.254", "::1", "::ffff:127.0.0.1"):
            self.assertTrue(sourceOf(host).loopback, host)
        for host in (
            "126.255.255.255",
            "128.0.0.1",
            "0.0.0.0",
            "::",
            "::2",
            "fe80::1",
            "2001:db8::1",
            "::ffff:10.0.0.1",
        ):
            self.assertFalse(sourceOf(host).loopback, host)

    def test_notSingle(self) -> None:
        """
        Addresses of 0/8, multicast, the reserved ones and broadcast belong to no single host.
        """
        hosts = ["0.0.0.0", "0.1.2.3", "0.255.255.255", "224.0.0.1", "239.255.255.255", "240.0.0.0", "255.255.255.255"]
        for host in [*hosts, *(f"::ffff:{host}" for host in hosts), "::", "ff02::1", "ff0e::1234", "ff02::1%eth0"]:
            self.assertFalse(sourceOf(host).single, host)

    def test_single(self) -> None:
        """
        Every other address may be a host's, the borders of those included.
        """
        for host in (
            "1.0.0.0",
            "127.0.0.1",
            "223.255.255.255",
            "10.0.0.255",
            "::1",
            "fe80::1",
            "2001:db8::",
            "fec0::1",
        ):
            self.assertTrue(sourceOf(host).single, host)

    def test_noAddress(self) -> None:
        """
        What is no IP address, as a wrapped transport may have it, is a source of its own, not that of a single host.
        """
        for host in ("", "localhost", "1.2.3", "1.2.3.4.5", "1.2.3.256", "/run/echo.sock", "::1::"):
            self.assertEqual(Source(host, False, False), sourceOf(host))
