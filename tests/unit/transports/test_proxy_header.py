"""
PROXY headers of both versions, valid and not.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockservices.transports.proxy_header import SIGNATURE, ProxyHeader, ProxyHeaderError, parseProxyHeader
from tests.support.proxy_headers import V4, V6, VALID, binary

#: Data that is not a header, and a part of the reason.
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


@pytest.mark.parametrize(("header", "source", "destination"), VALID)
def test_valid(header: bytes, source: Any, destination: Any) -> None:
    """
    A header has its addresses and its length, for any data after it. Without its last byte it is incomplete.
    """
    for rest in (b"", b"x", b"\r\n", header):
        assert parseProxyHeader(header + rest) == ProxyHeader(source, destination, len(header))
    for length in range(len(header)):
        assert parseProxyHeader(header[:length]) is None


@pytest.mark.parametrize(("data", "reason"), INVALID)
def test_invalid(data: bytes, reason: str) -> None:
    """
    Other data is an error with a printable reason.
    """
    with pytest.raises(ProxyHeaderError, match=re.escape(reason)) as raised:
        parseProxyHeader(data)
    assert str(raised.value).isprintable()


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda data: SIGNATURE + data)))
def test_anyBytes(data: bytes) -> None:
    """
    Any bytes are a header, or incomplete, or an error.
    """
    try:
        header = parseProxyHeader(data)
    except ProxyHeaderError:
        return
    assert header is None or header.length <= len(data)
