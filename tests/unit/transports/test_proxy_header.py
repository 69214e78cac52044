"""
PROXY headers of both versions, valid and not.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sockservices.transports.proxy_header import SIGNATURE, ProxyHeader, ProxyHeaderError, parseProxyHeader
from tests.support.proxy_headers import V4, V6, VALID, binary

#: What is no header, and a part of the reason.
INVALID: list[tuple[bytes, str]] = [
    (b"GET / HTTP/1.1\r\n", "neither with PROXY"),
    (b"PROXYTCP4", "neither with PROXY"),
    (b"\r\n\r\n\0\r\nQUIT ", "neither with PROXY"),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000 \r\n", "expected PROXY TCP4 or TCP6"),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 1000\r\n", "expected PROXY TCP4"),
    (b"PROXY TCP5 192.0.2.1 192.0.2.2 1000 2000\r\n", "expected PROXY TCP4"),
    (b"PROXY TCP4 192.0.2.256 192.0.2.2 1000 2000\r\n", "expected PROXY TCP4"),
    (b"PROXY TCP4 ::1 ::2 1000 2000\r\n", "expected PROXY TCP4"),
    (b"PROXY TCP6 192.0.2.1 192.0.2.2 1000 2000\r\n", "expected PROXY TCP4"),
    (b"PROXY TCP4 evil\x1b[31m 192.0.2.2 1000 2000\r\n", r"b'PROXY TCP4 evil\x1b[31m"),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 99999 2000\r\n", "expected PROXY TCP4"),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 -2 2000\r\n", "expected PROXY TCP4"),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 0080 2000\r\n", "expected PROXY TCP4"),
    ("PROXY TCP4 192.0.2.1 192.0.2.2 \u0661 2000\r\n".encode(), "expected PROXY TCP4"),
    (b"PROXY TCP4 \xff 192.0.2.2 1000 2000\r\n", "expected PROXY TCP4"),
    (b"PROXY  \r\n", "expected PROXY TCP4"),
    (b"PROXY \r\n", "expected PROXY TCP4"),
    (b"PROXY UNKNOWN " + b"x" * 100, "no CR LF in 107 bytes"),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\n" + b"x" * 100, "no CR LF in 107 bytes"),
    (binary(0x31, 0x11, V4), "version and command 0x31"),
    (binary(0x22, 0x11, V4), "version and command 0x22"),
    (binary(0x21, 0x11, V4[:-1]), "too few for addresses"),
    (binary(0x21, 0x21, V4), "too few for addresses"),
    (binary(0x21, 0x31, V6), "too few for addresses"),
    (SIGNATURE + b"\x21\x11\xff\xff", "65535 bytes of addresses"),
]


class ProxyHeaderTests(SynchronousTestCase):
    """
    Tests for L{parseProxyHeader}.
    """

    def test_valid(self) -> None:
        """
        A header has its addresses and its length, whatever follows it; without its last byte it is not complete.
        """
        for header, source, destination in VALID:
            for rest in (b"", b"x", b"\r\n", header):
                self.assertEqual(parseProxyHeader(header + rest), ProxyHeader(source, destination, len(header)), header)
            for length in range(len(header)):
                self.assertIsNone(parseProxyHeader(header[:length]), header[:length])

    def test_invalid(self) -> None:
        """
        Anything else is an error with a printable reason.
        """
        for data, reason in INVALID:
            with self.assertRaises(ProxyHeaderError) as raised:
                parseProxyHeader(data)
            self.assertIn(reason, str(raised.exception), data)
            self.assertTrue(str(raised.exception).isprintable())

    @settings(deadline=None)
    @given(st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda data: SIGNATURE + data)))
    def test_arbitraryBytes(self, data: bytes) -> None:
        """
        Whatever comes is a header, or needs more bytes, or is an error.
        """
        try:
            header = parseProxyHeader(data)
        except ProxyHeaderError:
            return
        self.assertTrue(header is None or header.length <= len(data))
