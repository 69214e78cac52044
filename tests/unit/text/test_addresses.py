"""
Addresses as text.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from sockservices.text.addresses import addressText, hostPort


class AddressTests(SynchronousTestCase):
    """
    Tests for L{addressText} and L{hostPort}.
    """

    def test_hostPort(self) -> None:
        """
        A v6 address stands in brackets, so that its port can be told from it.
        """
        self.assertEqual(hostPort("127.0.0.1", 8007), "127.0.0.1:8007")
        self.assertEqual(hostPort("::1", 8007), "[::1]:8007")
        self.assertEqual(hostPort("fe80::1%eth0", 0), "[fe80::1%eth0]:0")

    def test_ip(self) -> None:
        """
        Host and port, over TCP as over UDP.
        """
        self.assertEqual(addressText(IPv4Address("TCP", "192.0.2.7", 40000)), "192.0.2.7:40000")
        self.assertEqual(addressText(IPv6Address("UDP", "2001:db8::7", 0)), "[2001:db8::7]:0")

    def test_path(self) -> None:
        """
        A Unix socket is its path.
        """
        self.assertEqual(addressText(UNIXAddress("/run/echo.sock")), "/run/echo.sock")
        self.assertEqual(addressText(UNIXAddress(b"/run/it's")), "/run/it's")

    def test_abstract(self) -> None:
        """
        A name in the abstract namespace is written with an at sign.
        """
        self.assertEqual(addressText(UNIXAddress(b"\0echo")), "@echo")

    def test_none(self) -> None:
        """
        No address, or one without a name, has no text.
        """
        for address in (None, UNIXAddress(None), UNIXAddress(""), UNIXAddress(b"")):
            self.assertIsNone(addressText(address))

    def test_hostFromAProxy(self) -> None:
        """
        A host that is none, as a proxy may report it, forges no line.
        """
        self.assertEqual(addressText(IPv4Address("TCP", "x\x1b[31m\nready", 1)), r"x\x1b[31m\nready:1")

    @settings(deadline=None)
    @given(st.binary(min_size=1, max_size=108))
    def test_anyPath(self, path: bytes) -> None:
        """
        Whatever a peer's path is made of, its text is printable, in one line, and can be encoded.
        """
        text = addressText(UNIXAddress(path))
        assert text is not None
        self.assertTrue(text.isprintable(), text)
        text.encode("utf-8")
