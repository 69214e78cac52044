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
        An IPv6 host is in brackets, to separate it from the port.
        """
        self.assertEqual(hostPort("127.0.0.1", 8007), "127.0.0.1:8007")
        self.assertEqual(hostPort("::1", 8007), "[::1]:8007")
        self.assertEqual(hostPort("fe80::1%eth0", 0), "[fe80::1%eth0]:0")

    def test_addressText(self) -> None:
        """
        An IP address is host and port; a Unix address is its path, escaped, or C{@name} in the abstract namespace.
        """
        for address, text in (
            (IPv4Address("TCP", "192.0.2.7", 40000), "192.0.2.7:40000"),
            (IPv6Address("UDP", "2001:db8::7", 0), "[2001:db8::7]:0"),
            (UNIXAddress("/run/echo.sock"), "/run/echo.sock"),
            (UNIXAddress(b"/run/it's"), "/run/it's"),
            (UNIXAddress(b"/run/my socket"), r"/run/my\x20socket"),
            (UNIXAddress(b"\0echo"), "@echo"),
            *((missing, None) for missing in (None, UNIXAddress(None), UNIXAddress(""), UNIXAddress(b""))),
            # A proxy reports the host, so it may be any text.
            (IPv4Address("TCP", "x\x1b[31m\nready", 1), r"x\x1b[31m\nready:1"),
        ):
            self.assertEqual(addressText(address), text)

    @settings(deadline=None)
    @given(st.binary(min_size=1, max_size=108))
    def test_anyPath(self, path: bytes) -> None:
        """
        The text of any path is one printable line, which UTF-8 can encode.
        """
        text = addressText(UNIXAddress(path))
        assert text is not None
        self.assertTrue(text.isprintable(), text)
        text.encode("utf-8")
