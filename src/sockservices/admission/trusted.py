"""
Sources without limits.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address, ip_network

__all__ = ["isTrusted", "network"]

#: The length of the prefix of IPv4-mapped IPv6 addresses (RFC 4291 2.5.5.2).
MAPPED_PREFIX = 96


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
