"""
The source and the destination of a datagram, from its control messages.
"""

from __future__ import annotations

import socket
import struct

import pytest

from sockservices.transports.pktinfo import IP_PKTINFO, destinationOf, fixedDestination, peerName
from sockservices.transports.recvmmsg import recvmmsg

#: A control message that no listener requests: a timestamp.
TIMESTAMP = (socket.SOL_SOCKET, 29, bytes(16))

needsPktinfo = pytest.mark.skipif(not IP_PKTINFO, reason="the system chooses the address that replies leave from")
linuxOnly = pytest.mark.skipif(not recvmmsg, reason="Linux only")


def pktinfo(local: str, target: str | None = None, interface: int = 7) -> tuple[int, int, bytes]:
    """
    The control message of a datagram.

    @param local: the IP address of this host that received it.
    @param target: over IPv4, the destination in its header; by default the local address.
    """
    if ":" in local:
        data = struct.pack("=16sI", socket.inet_pton(socket.AF_INET6, local), interface)
        return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, data
    data = struct.pack("=I4s4s", interface, socket.inet_aton(local), socket.inet_aton(target or local))
    return socket.IPPROTO_IP, IP_PKTINFO, data


#: The control message of a reply over IPv4: from the destination of the request, through any interface.
REPLY4 = pktinfo("192.0.2.1", "0.0.0.0", 0)


def test_peerName() -> None:
    """
    A peer is its host and port. A link-local host has the number of its link as zone.
    """
    assert peerName("192.0.2.1", 4000, 0) == ("192.0.2.1", 4000)
    assert peerName("fe80::1", 4000, 7) == ("fe80::1%7", 4000)


@pytest.mark.parametrize("ancillary", [[], [TIMESTAMP]])
def test_noPktinfo(ancillary: list[tuple[int, int, bytes]]) -> None:
    """
    Without a control message the destination is the only address of the socket, if it has only one. The kernel chooses
    the source address of the reply.
    """
    assert destinationOf(ancillary, False) == (None, None)
    assert destinationOf(ancillary, True, "192.0.2.1") == ("192.0.2.1", None)


@needsPktinfo
@pytest.mark.parametrize("scoped", [False, True])
def test_ipv4(scoped: bool) -> None:
    """
    Over IPv4 the reply leaves from the destination of the request.
    """
    assert destinationOf([TIMESTAMP, pktinfo("192.0.2.1")], scoped, "192.0.2.9") == ("192.0.2.1", REPLY4)


@needsPktinfo
@pytest.mark.parametrize("target", ["192.0.2.255", "255.255.255.255", "224.0.0.1"])
def test_broadcast(target: str) -> None:
    """
    A destination that is not an address of this host, broadcast or multicast, is reported as the limited broadcast.
    """
    assert destinationOf([pktinfo("192.0.2.1", target)], False) == ("255.255.255.255", REPLY4)


@pytest.mark.parametrize(("scoped", "interface"), [(False, 0), (True, 7)])
def test_ipv6(scoped: bool, interface: int) -> None:
    """
    Over IPv6 the reply leaves from the destination of the request; to a link-local peer, through the interface of its
    link.
    """
    reply = pktinfo("2001:db8::1", interface=interface)
    assert destinationOf([pktinfo("2001:db8::1"), TIMESTAMP], scoped) == ("2001:db8::1", reply)


@needsPktinfo
def test_dualStack() -> None:
    """
    A dual-stack socket has two control messages for a datagram over IPv4, in any order. The one of IPv4 is used.
    """
    both = [pktinfo("::ffff:192.0.2.1"), pktinfo("192.0.2.1")]
    assert [destinationOf(ancillary, False) for ancillary in (both, both[::-1])] == [("192.0.2.1", REPLY4)] * 2


@pytest.mark.parametrize(
    ("host", "fixed"),
    [
        # An address of this host, or a group: nothing else is received.
        *((host, host) for host in ("127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1", "224.0.0.1")),
        # Any address.
        ("0.0.0.0", None),
        ("::", None),
        pytest.param("::ffff:0.0.0.0", None, marks=linuxOnly),
        # Broadcast addresses, which only the kernel knows.
        pytest.param("127.255.255.255", None, marks=linuxOnly),
        pytest.param("255.255.255.255", None, marks=linuxOnly),
    ],
)
def test_fixedDestination(host: str, fixed: str | None) -> None:
    """
    A socket that is bound to one address has this address as its fixed destination. A socket that is bound to a
    wildcard or broadcast address has none.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as bound:
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind((host, 0))
        assert fixedDestination(bound) == fixed
