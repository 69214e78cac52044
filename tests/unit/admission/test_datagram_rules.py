"""
Which datagrams may be answered.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Outcome
from sockservices.admission.datagram_rules import refusal

#: A host that may be anybody.
ANYBODY = "192.0.2.7"

HOSTS = st.one_of(st.integers(0, 2**32 - 1).map(IPv4Address), st.integers(0, 2**128 - 1).map(IPv6Address)).map(str)


class PortTests(SynchronousTestCase):
    """
    Tests for source ports: rules U2 and U3.
    """

    def test_noPort(self) -> None:
        """
        Port 0 asks for no reply (RFC 768).
        """
        self.assertIs(refusal(ANYBODY, 0, None, ()), Outcome.NO_PORT)

    def test_privileged(self) -> None:
        """
        Below 1024, and on NFS's port, there are services that would answer back.
        """
        refused = {port for port in range(1, 65536) if refusal(ANYBODY, port, None, ()) is Outcome.PRIVILEGED}
        self.assertEqual(refused, {*range(1, 1024), 2049})

    def test_ownPorts(self) -> None:
        """
        So there are on every port of this server's own, wherever the datagram says that it comes from.
        """
        own = {8007, 8019}
        for host in (ANYBODY, "127.0.0.1", "::1", "2001:db8::1"):
            self.assertIs(refusal(host, 8007, None, own), Outcome.OWN_PORT)
            self.assertIs(refusal(host, 8019, None, own), Outcome.OWN_PORT)
            self.assertIsNone(refusal(host, 8009, None, own))

    def test_everyOtherPort(self) -> None:
        """
        All other ports may ask.
        """
        self.assertEqual([refusal(ANYBODY, port, None, ()) for port in (1024, 2048, 2050, 40000, 65535)], [None] * 5)


class SourceTests(SynchronousTestCase):
    """
    Tests for source addresses: rule U4.
    """

    def test_hosts(self) -> None:
        """
        A single host may ask.
        """
        for host in (ANYBODY, "10.0.0.1", "223.255.255.255", "1.0.0.0", "2001:db8::1", "fe80::1%2", "::ffff:192.0.2.7"):
            self.assertIsNone(refusal(host, 40000, None, ()), host)

    def test_noSingleHost(self) -> None:
        """
        What no single host has as its address is not answered: unspecified, multicast, broadcast, reserved, and the
        same inside of IPv6.
        """
        v4 = ["0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.254", "255.255.255.255"]
        for host in [*v4, *(f"::ffff:{host}" for host in v4), "::", "ff02::1", "ff0e::1%2"]:
            self.assertIs(refusal(host, 40000, None, ()), Outcome.BAD_SOURCE, host)

    def test_loopback(self) -> None:
        """
        The host may ask itself, on the loopback interface; from anywhere else such a source is forged.
        """
        for host, other in (("127.0.0.1", ANYBODY), ("127.9.9.9", ANYBODY), ("::1", "2001:db8::1")):
            for destination in ("127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1", None):
                self.assertIsNone(refusal(host, 40000, destination, ()))
            self.assertIs(refusal(host, 40000, other, ()), Outcome.BAD_SOURCE)
        self.assertIs(refusal("::ffff:127.0.0.1", 40000, ANYBODY, ()), Outcome.BAD_SOURCE)

    def test_othersToLoopback(self) -> None:
        """
        Another source of this host may ask the loopback address.
        """
        self.assertIsNone(refusal(ANYBODY, 40000, "127.0.0.1", ()))


class DestinationTests(SynchronousTestCase):
    """
    Tests for what a datagram was sent to: rule U5.
    """

    def test_manyHosts(self) -> None:
        """
        What was sent to many hosts is not answered.
        """
        for destination in ("255.255.255.255", "224.0.0.1", "239.1.2.3", "::ffff:224.0.0.1", "ff02::1", "0.0.0.0"):
            self.assertIs(refusal(ANYBODY, 40000, destination, ()), Outcome.BROADCAST, destination)

    def test_thisHost(self) -> None:
        """
        What was sent to this one is; where the transport cannot tell, it is not judged.
        """
        for destination in ("192.0.2.1", "2001:db8::2", "fe80::1", None):
            self.assertIsNone(refusal(ANYBODY, 40000, destination, ()))


class ArbitraryTests(SynchronousTestCase):
    """
    Tests for whatever addresses there are.
    """

    @settings(deadline=None)
    @given(host=HOSTS, port=st.integers(0, 65535), destination=st.none() | HOSTS, own=st.sets(st.integers(0, 65535)))
    def test_arbitrary(self, host: str, port: int, destination: str | None, own: set[int]) -> None:
        """
        Every datagram is judged; one that may be answered goes to a port and an address that cannot answer back.
        """
        outcome = refusal(host, port, destination, own)
        if outcome is None:
            self.assertNotIn(port, own)
            self.assertTrue(port >= 1024 and port != 2049)
            self.assertFalse(IPv6Address(host).is_multicast if ":" in host else IPv4Address(host).is_multicast)
        else:
            judged = (Outcome.NO_PORT, Outcome.PRIVILEGED, Outcome.OWN_PORT, Outcome.BAD_SOURCE, Outcome.BROADCAST)
            self.assertIn(outcome, judged)
