"""
Sources without limits.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address, ip_network

__all__ = ["isTrusted", "network"]


def network(text: str) -> str:
    """
    Parse an IP address or a network, such as C{192.0.2.0/24}.

    @return: the network, without the bits of a host.
    @raise ValueError: if the text is neither.
    """
    try:
        return str(ip_network(text.replace("[", "").replace("]", ""), strict=False))
    except ValueError:
        raise ValueError(f"{text!r}: expected an IP address or network, such as 192.0.2.0/24") from None


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
