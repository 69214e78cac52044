"""
Control messages for the destination address of a datagram, which is the source address of the reply (IP_PKTINFO, ip(7);
IPV6_PKTINFO, RFC 3542 section 6).
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterable
from typing import TypeAlias

__all__ = ["ANCILLARY_SIZE", "IP_PKTINFO", "Pktinfo", "destinationOf", "fixedDestination", "peerName"]

#: The control message that sets the source address of a reply: level, type and bytes. With L{None}, the system chooses
#: the address.
Pktinfo: TypeAlias = tuple[int, int, bytes] | None

#: struct in_pktinfo (ip(7)): interface, local address for replies, destination address in the header.
_PKTINFO4 = struct.Struct("=I4s4s")

#: struct in6_pktinfo (ipv6(7)): destination address in the header, interface.
_PKTINFO6 = struct.Struct("=16sI")

#: Buffer size in bytes for the control messages of a datagram. A dual-stack socket may receive both kinds, and options
#: of an inherited socket may add others, such as timestamps.
ANCILLARY_SIZE = 256

#: The socket module has no IP_PKTINFO before Python 3.14. 0 on systems other than Linux, where the system chooses the
#: source address of replies.
IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8) if sys.platform == "linux" else 0

#: The limited broadcast address (RFC 919).
LIMITED_BROADCAST = b"\xff\xff\xff\xff"


def peerName(host: str, port: int, scope: int) -> tuple[str, int]:
    """
    Make the name of a peer. A link-local address includes its link, because it denotes another host on each link
    (RFC 4007).

    @param scope: the number of the link; 0 for other addresses.
    """
    return f"{host}%{scope}" if scope else host, port


def destinationOf(
    ancillary: Iterable[tuple[int, int, bytes]], linkLocal: bool, default: str | None = None
) -> tuple[str | None, tuple[int, int, bytes] | None]:
    """
    Find the destination of a datagram, and make the control message for its reply.

    @param ancillary: the control messages of the datagram: level, type and bytes of each.
    @param linkLocal: whether the source is link-local, so that the reply must leave on the same link.
    @param default: the destination if no control message names it.
    @return: the destination IP address, and the control message that makes it the source address of the reply.
    """
    destination, pktinfo = default, None
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
            _, local, target = _PKTINFO4.unpack(data)
            # If the two differ, the destination is a broadcast address of any form, or a multicast address.
            destination = socket.inet_ntop(socket.AF_INET, target if target == local else LIMITED_BROADCAST)
            return destination, (level, kind, _PKTINFO4.pack(0, local, bytes(4)))
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            target, interface = _PKTINFO6.unpack(data)
            destination = socket.inet_ntop(socket.AF_INET6, target)
            pktinfo = level, kind, _PKTINFO6.pack(target, interface if linkLocal else 0)
    return destination, pktinfo


def fixedDestination(bound: socket.socket) -> str | None:
    """
    Find the IP address that is the destination of every datagram to a socket.

    @return: the address that the socket is bound to; L{None} for a wildcard or broadcast address, where datagrams can
        have several destinations.
    """
    host = bound.getsockname()[0].partition("%")[0]
    if host in ("0.0.0.0", "::", "::ffff:0.0.0.0"):
        return None
    with socket.socket(bound.family, socket.SOCK_DGRAM) as other:
        try:
            # This sends nothing. For a broadcast address it fails, because the socket does not have SO_BROADCAST.
            other.connect((host, 9))
        except PermissionError:
            return None
        except OSError:
            pass  # For example a link-local address, which connect(2) refuses without its link.
    return str(host)
