"""
What the kernel tells of a datagram beside its bytes: where it was sent to, and so where the reply must leave from
(IP_PKTINFO, ip(7); IPV6_PKTINFO, RFC 3542 section 6).
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import TypeAlias

__all__ = ["ANCILLARY_SIZE", "IP_PKTINFO", "Pktinfo", "destinationOf", "fixedDestination", "peerName"]

#: The control message that chooses the address a reply leaves from: level, kind and bytes. With L{None} the system
#: chooses.
Pktinfo: TypeAlias = tuple[int, int, bytes] | None

#: struct in_pktinfo (ip(7)): interface, the local address to reply from, the address in the datagram.
_PKTINFO4 = struct.Struct("=I4s4s")

#: struct in6_pktinfo (ipv6(7)): the address in the datagram, interface.
_PKTINFO6 = struct.Struct("=16sI")

#: What the kernel says of a datagram beside its bytes: either of the two.
ANCILLARY_SIZE = socket.CMSG_SPACE(_PKTINFO6.size) + socket.CMSG_SPACE(_PKTINFO4.size)

#: Not in the socket module before Python 3.14. Elsewhere than on Linux, the system chooses where replies leave.
IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8) if sys.platform == "linux" else 0


#: The limited broadcast address (RFC 919).
LIMITED_BROADCAST = b"\xff\xff\xff\xff"


def peerName(host: str, port: int, scope: int) -> tuple[str, int]:
    """
    A peer. One that is link-local (RFC 4007) is another host on every link.

    @param scope: the number of the link, or 0.
    """
    return f"{host}%{scope}" if scope else host, port


def destinationOf(
    ancillary: list[tuple[int, int, bytes]], linkLocal: bool, default: str | None = None
) -> tuple[str | None, tuple[int, int, bytes] | None]:
    """
    Where a datagram was sent to, and what the kernel is to be told to have the reply leave from there.

    @param ancillary: the control messages of the datagram.
    @param linkLocal: whether it came from a link-local address, and is to be answered on that link.
    @param default: where it was sent to if they do not say.
    """
    destination, pktinfo = default, None
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
            _, local, target = _PKTINFO4.unpack(data)
            # Not an address of this host: whatever its form, a broadcast to one of our networks, or multicast.
            destination = socket.inet_ntop(socket.AF_INET, target if target == local else LIMITED_BROADCAST)
            return destination, (level, kind, _PKTINFO4.pack(0, local, bytes(4)))
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            target, interface = _PKTINFO6.unpack(data)
            destination = socket.inet_ntop(socket.AF_INET6, target)
            pktinfo = level, kind, _PKTINFO6.pack(target, interface if linkLocal else 0)
    return destination, pktinfo


def fixedDestination(bound: socket.socket) -> str | None:
    """
    The only IP address that datagrams to this socket can have been sent to: the one that it is bound to, unless that
    stands for many.
    """
    host = bound.getsockname()[0].partition("%")[0]
    if host in ("0.0.0.0", "::", "::ffff:0.0.0.0"):
        return None
    with socket.socket(bound.family, socket.SOCK_DGRAM) as other:
        try:
            # Nothing is sent. A broadcast address takes a permission (SO_BROADCAST) that this socket does not have.
            other.connect((host, 9))
        except PermissionError:
            return None
        except OSError:
            pass  # A link-local address, that is one only with its link, for one.
    return str(host)
