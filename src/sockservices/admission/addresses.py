"""
Where peers come from: what counts as one source, and what kind of address it has.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

__all__ = ["Source", "sourceOf"]


class Source(NamedTuple):
    """
    The source of a connection or datagram.

    @ivar key: what limits count by: an IPv4 address, or an IPv6 /64, which is what one customer gets.
    @ivar loopback: whether it is on this host's loopback interface.
    @ivar single: whether one single host can have such an address, so that a reply to it goes to nobody else.
    """

    key: str
    loopback: bool
    single: bool


#: "This network" (RFC 1122 3.2.1.3), and the reserved class E with the limited broadcast address (RFC 1112).
_ZERO, _RESERVED = 0, 240


@lru_cache(maxsize=4096)
def sourceOf(host: str) -> Source:
    """
    The source that an IP address belongs to. A v4 address inside a v6 one (C{::ffff:a.b.c.d}) is the v4 address.

    @param host: an IP address as text, with or without a zone.
    @return: what is no IP address at all, as wrapped transports may have it, is a source of its own, and not single.
    """
    try:
        address: IPv4Address | IPv6Address = ip_address(host.partition("%")[0])
    except ValueError:
        return Source(host, False, False)
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            key = str(IPv6Address(int(address) >> 64 << 64)) + "/64"
            return Source(key, address.is_loopback, not (address.is_multicast or address.is_unspecified))
        address = address.ipv4_mapped
    first = address.packed[0]
    single = first != _ZERO and first < _RESERVED and not address.is_multicast
    return Source(str(address), address.is_loopback, single)
