"""
Valid PROXY headers of both versions.
"""

from __future__ import annotations

import struct
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from sockservices.transports.proxy_header import SIGNATURE

__all__ = ["PATHS", "V4", "V6", "VALID", "binary", "tcp"]


def binary(command: int, family: int, addresses: bytes) -> bytes:
    """
    A header of version 2.
    """
    return SIGNATURE + struct.pack("!BBH", command, family, len(addresses)) + addresses


def tcp(host: str, port: int) -> Any:
    """
    A TCP address.
    """
    return (IPv6Address if ":" in host else IPv4Address)("TCP", host, port)


V4 = bytes((192, 0, 2, 1, 192, 0, 2, 2)) + struct.pack("!HH", 1000, 2000)

V6 = bytes(15) + b"\1" + b"\x20\x01\x0d\xb8" + bytes(11) + b"\2" + struct.pack("!HH", 1, 65535)

PATHS = b"/client".ljust(108, b"\0") + b"/server".ljust(108, b"\0")


#: Valid headers, and the source and destination in them.
VALID: list[tuple[bytes, Any, Any]] = [
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n", tcp("192.0.2.1", 1000), tcp("192.0.2.2", 2000)),
    (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", *[tcp("255.255.255.255", 65535)] * 2),
    (b"PROXY TCP6 ::1 2001:db8::2 1 65535\r\n", tcp("::1", 1), tcp("2001:db8::2", 65535)),
    (b"PROXY UNKNOWN\r\n", None, None),
    (b"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ::1 1 2\r\n", None, None),
    (binary(0x21, 0x11, V4), tcp("192.0.2.1", 1000), tcp("192.0.2.2", 2000)),
    (binary(0x21, 0x11, V4 + b"\4\0\1x"), tcp("192.0.2.1", 1000), tcp("192.0.2.2", 2000)),
    (binary(0x21, 0x21, V6), tcp("::1", 1), tcp("2001:db8::2", 65535)),
    (binary(0x21, 0x31, PATHS), UNIXAddress(b"/client"), UNIXAddress(b"/server")),
    (binary(0x20, 0x11, V4), None, None),
    (binary(0x20, 0x00, b""), None, None),
    (binary(0x21, 0x00, b""), None, None),
    (binary(0x21, 0x12, V4), None, None),
]
