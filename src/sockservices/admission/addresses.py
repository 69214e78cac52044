"""
Source addresses: which of them count as one source, which may be sent a reply, and which are trusted.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network
from socket import AF_INET, inet_ntop, inet_pton
from typing import NamedTuple

__all__ = ["Source", "isTrusted", "network", "sourceOf"]


class Source(NamedTuple):
    """
    The source of a connection or datagram.

    @ivar key: an IPv4 address, or an IPv6 /64, the smallest network that a site gets. Limits per source count by it.
    @ivar loopback: whether the address is a loopback address of this host.
    @ivar answerable: whether the address can be that of a single host, so that a reply reaches this host only.
    """

    key: str
    loopback: bool
    answerable: bool


#: The first byte of addresses of "this network" and loopback (RFC 1122 3.2.1.3). From 224 on follow multicast, class E
#: (RFC 1112) and the limited broadcast address.
_THIS_NETWORK, _LOOPBACK, _MULTICAST = 0, 127, 224

#: Global unicast (RFC 4291 2.4), unique local (RFC 4193) and link-local. Hosts have no other IPv6 addresses.
_UNICAST = IPv6Network("2000::/3"), IPv6Network("fc00::/7"), IPv6Network("fe80::/10")

#: IPv4 addresses as NAT64 translates them (RFC 6052 2.1).
_NAT64 = IPv6Network("64:ff9b::/96")

#: The length of the prefix of IPv4-mapped IPv6 addresses (RFC 4291 2.5.5.2).
MAPPED_PREFIX = 96


@lru_cache(maxsize=4096)
def sourceOf(host: str) -> Source:
    """
    The source that an IP address belongs to. An IPv4-mapped IPv6 address (RFC 4291 2.5.5.2) counts as the IPv4 address.

    @param host: an IP address as text, with or without a zone.
    @return: text that is no IP address, as a wrapped transport may report it, is a source of its own, not answerable.
    """
    try:
        return _sourceOf4(inet_pton(AF_INET, host))
    except (OSError, ValueError):
        pass
    try:
        address = IPv6Address(host.partition("%")[0])
    except ValueError:
        return Source(host, False, False)
    if address.ipv4_mapped is not None:
        return _sourceOf4(address.ipv4_mapped.packed)
    key = str(IPv6Address(int(address) >> 64 << 64)) + "/64"
    return Source(key, address.is_loopback, _isAnswerable(address))


def _sourceOf4(packed: bytes) -> Source:
    first = packed[0]
    return Source(inet_ntop(AF_INET, packed), first == _LOOPBACK, _THIS_NETWORK < first < _MULTICAST)


def _isAnswerable(address: IPv6Address) -> bool:
    if address in _NAT64:
        embedded = _sourceOf4(address.packed[-4:])
        return embedded.answerable and not embedded.loopback
    return address.is_loopback or any(address in network for network in _UNICAST)


def network(text: str) -> str:
    """
    Parse an IP address or a network, such as C{192.0.2.0/24}.

    @return: the network, without the bits of a host. A network of IPv4-mapped IPv6 addresses is the IPv4 network.
    @raise ValueError: if the text is neither, or has a zone, which L{isTrusted} does not compare.
    """
    try:
        parsed = ip_network("" if "%" in text else text.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        raise ValueError(f"{text!r}: expected an IP address or network, such as 192.0.2.0/24") from None
    mapped = getattr(parsed.network_address, "ipv4_mapped", None)
    if mapped is not None and parsed.prefixlen >= MAPPED_PREFIX:
        return f"{mapped}/{parsed.prefixlen - MAPPED_PREFIX}"
    return str(parsed)


@lru_cache(maxsize=4096)
def isTrusted(host: str, trusted: tuple[str, ...]) -> bool:
    """
    Whether a host belongs to one of the networks.

    @param host: an IP address as text. An IPv4-mapped IPv6 address counts as the IPv4 address.
    @param trusted: the networks, as returned by L{network}.
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in ip_network(each) for each in trusted)
