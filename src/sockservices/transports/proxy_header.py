"""
Parses the PROXY header, in which a proxy sends the addresses of a client: versions 1 and 2 of HAProxy's PROXY protocol.
This module does no I/O.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address as IPv4
from ipaddress import IPv6Address as IPv6
from typing import NamedTuple

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

__all__ = ["ProxyHeader", "ProxyHeaderError", "parseProxyHeader"]

#: The first bytes of a header of version 2.
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

#: Maximum length in bytes of the line of version 1, including CR LF.
MAX_V1_LINE = 107

#: Maximum length in bytes of an accepted header of version 2: 16 bytes, up to 216 of addresses, and extensions (TLVs).
MAX_V2_HEADER = 2048

#: Bytes 13 to 16 of version 2: version and command, address family and transport, length of the rest of the header.
_PREFIX = struct.Struct("!BBH")

#: Commands of version 2: a connection of the proxy itself, such as a health check, and a connection of a client.
LOCAL, PROXY = 0x20, 0x21

#: Address families of version 2, each with SOCK_STREAM.
INET, INET6, UNIX = 0x11, 0x21, 0x31


class ProxyHeaderError(ValueError):
    """
    The data is not a PROXY header. The text gives the reason.
    """


class ProxyHeader(NamedTuple):
    """
    A parsed header.

    @ivar source: the client's address; L{None} when the header has none, and the address of the connection is used.
    @ivar destination: the address that the client connected to; L{None} as for C{source}.
    @ivar length: the length of the header in bytes.
    """

    source: IAddress | None
    destination: IAddress | None
    length: int


def parseProxyHeader(data: bytes) -> ProxyHeader | None:
    """
    Parse the first bytes of a connection.

    @return: L{None} when more bytes are needed.
    @raise ProxyHeaderError: when the data is not the beginning of a valid header.
    """
    if data.startswith(SIGNATURE[: len(data)]):
        return _parseBinary(data)
    if not data.startswith(b"PROXY "[: len(data)]):
        raise ProxyHeaderError("it begins neither with PROXY nor with the signature of version 2")
    line, end, _ = data[:MAX_V1_LINE].partition(b"\r\n")
    if end:
        return _parseLine(line)
    if len(data) >= MAX_V1_LINE:
        raise ProxyHeaderError(f"no CR LF in {MAX_V1_LINE} bytes")
    return None


def _parseLine(line: bytes) -> ProxyHeader:
    fields = line.split(b" ")
    length = len(line) + 2
    if fields[1] == b"UNKNOWN":
        return ProxyHeader(None, None, length)
    try:
        _, family, source, destination, sourcePort, destinationPort = (field.decode("ascii") for field in fields)
        make = {"TCP4": _inet, "TCP6": _inet6}[family]
        return ProxyHeader(make(source, _port(sourcePort)), make(destination, _port(destinationPort)), length)
    except (ValueError, KeyError) as error:
        raise ProxyHeaderError(f"{line!r}: expected PROXY TCP4 or TCP6, two addresses and two ports") from error


def _port(text: str) -> int:
    # The specification forbids leading zeros.
    number = int(text) if text.isascii() and text.isdecimal() and str(int(text)) == text else -1
    if not 0 <= number <= 65535:
        raise ValueError(text)
    return number


def _inet(host: str | bytes, port: int) -> IAddress:
    return IPv4Address("TCP", str(IPv4(host)), port)


def _inet6(host: str | bytes, port: int) -> IAddress:
    return IPv6Address("TCP", str(IPv6(host)), port)


def _parseBinary(data: bytes) -> ProxyHeader | None:
    start = len(SIGNATURE) + _PREFIX.size
    if len(data) < start:
        return None
    command, family, length = _PREFIX.unpack_from(data, len(SIGNATURE))
    if command not in (LOCAL, PROXY):
        raise ProxyHeaderError(f"version and command {command:#04x}: expected 0x20 or 0x21")
    if start + length > MAX_V2_HEADER:
        raise ProxyHeaderError(f"{length} bytes of addresses and extensions: expected at most {MAX_V2_HEADER - start}")
    if len(data) < start + length:
        return None
    source, destination = _addresses(family, data[start : start + length]) if command == PROXY else (None, None)
    return ProxyHeader(source, destination, start + length)


def _addresses(family: int, data: bytes) -> tuple[IAddress | None, IAddress | None]:
    try:
        if family in (INET, INET6):
            make, layout = (_inet, "!4s4sHH") if family == INET else (_inet6, "!16s16sHH")
            source, destination, sourcePort, destinationPort = struct.unpack_from(layout, data)
            return make(source, sourcePort), make(destination, destinationPort)
        if family == UNIX:
            source, destination = struct.unpack_from("!108s108s", data)
            return UNIXAddress(source.rstrip(b"\0") or None), UNIXAddress(destination.rstrip(b"\0") or None)
    except struct.error as error:
        raise ProxyHeaderError(f"{len(data)} bytes are too few for addresses of family {family:#04x}") from error
    # AF_UNSPEC, or another transport: the specification lets the receiver use the addresses of the connection.
    return None, None
