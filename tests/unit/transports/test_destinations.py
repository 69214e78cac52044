"""
Whom a datagram came from, and which address it was sent to.
"""

from __future__ import annotations

import socket
import struct
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from sockservices.transports.datagram_port import IP_PKTINFO, destinationOf, onlyDestination, peerName
from sockservices.transports.recvmmsg import recvmmsg

#: A control message that nobody asked for: the time.
STAMP = (socket.SOL_SOCKET, 29, bytes(16))


def pktinfo4(local: str, target: str, interface: int = 7) -> tuple[int, int, bytes]:
    """
    What the kernel says of a datagram over IPv4.
    """
    words = struct.pack("=I4s4s", interface, socket.inet_aton(local), socket.inet_aton(target))
    return socket.IPPROTO_IP, IP_PKTINFO, words


def pktinfo6(target: str, interface: int = 7) -> tuple[int, int, bytes]:
    """
    What it says of one over IPv6.
    """
    words = struct.pack("=16sI", socket.inet_pton(socket.AF_INET6, target), interface)
    return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, words


class PeerTests(SynchronousTestCase):
    """
    Tests for L{peerName}.
    """

    def test_peer(self) -> None:
        """
        A peer is its host and port, and a link-local one has its link too.
        """
        self.assertEqual(peerName("192.0.2.1", 4000, 0), ("192.0.2.1", 4000))
        self.assertEqual(peerName("fe80::1", 4000, 7), ("fe80::1%7", 4000))


class DestinationTests(SynchronousTestCase):
    """
    Tests for L{destinationOf}.
    """

    def test_unknown(self) -> None:
        """
        Without a word from the kernel it is the only one there is, if there is; the reply leaves from anywhere.
        """
        for ancillary in ([], [STAMP]):
            self.assertEqual(destinationOf(ancillary, False), (None, None))
            self.assertEqual(destinationOf(ancillary, True, "192.0.2.1"), ("192.0.2.1", None))

    @skipUnless(IP_PKTINFO, "the system chooses where replies leave")
    def test_version4(self) -> None:
        """
        A reply leaves from the address that was asked, by whatever interface.
        """
        reply = pktinfo4("192.0.2.1", "0.0.0.0", 0)
        for scoped in (False, True):
            asked = [STAMP, pktinfo4("192.0.2.1", "192.0.2.1")]
            self.assertEqual(destinationOf(asked, scoped, "192.0.2.9"), ("192.0.2.1", reply))

    @skipUnless(IP_PKTINFO, "the system chooses where replies leave")
    def test_broadcast(self) -> None:
        """
        What was sent to many is known by the address of everybody, in whatever form it was sent.
        """
        for target in ("192.0.2.255", "255.255.255.255", "224.0.0.1"):
            destination, reply = destinationOf([pktinfo4("192.0.2.1", target)], False)
            self.assertEqual((destination, reply), ("255.255.255.255", pktinfo4("192.0.2.1", "0.0.0.0", 0)))

    def test_version6(self) -> None:
        """
        So it does over IPv6, and on the link where a link-local peer is.
        """
        asked = [pktinfo6("2001:db8::1"), STAMP]
        self.assertEqual(destinationOf(asked, False), ("2001:db8::1", pktinfo6("2001:db8::1", 0)))
        self.assertEqual(destinationOf(asked, True), ("2001:db8::1", pktinfo6("2001:db8::1", 7)))

    @skipUnless(IP_PKTINFO, "the system chooses where replies leave")
    def test_both(self) -> None:
        """
        A socket for both families is told twice of a datagram over IPv4, in any order: it is one over IPv4.
        """
        both = [pktinfo6("::ffff:192.0.2.1"), pktinfo4("192.0.2.1", "192.0.2.1")]
        for asked in (both, both[::-1]):
            self.assertEqual(destinationOf(asked, False), ("192.0.2.1", pktinfo4("192.0.2.1", "0.0.0.0", 0)))


class OnlyDestinationTests(SynchronousTestCase):
    """
    Tests for L{onlyDestination}.
    """

    def only(self, host: str) -> str | None:
        """
        The only destination of a socket that is bound to a host.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as bound:
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            bound.bind((host, 0))
            return onlyDestination(bound)

    def test_one(self) -> None:
        """
        A socket that is bound to an address of this host gets what is sent there, and nothing else.
        """
        for host in ("127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"):
            self.assertEqual(self.only(host), host)

    def test_many(self) -> None:
        """
        One that is bound to all addresses may get what was sent to any.
        """
        for host in ("0.0.0.0", "::"):
            self.assertIsNone(self.only(host), host)

    @skipUnless(recvmmsg, "other systems may refuse it")
    def test_manyMapped(self) -> None:
        """
        So may one that is bound to all addresses of IPv4 in the words of IPv6.
        """
        self.assertIsNone(self.only("::ffff:0.0.0.0"))

    @skipUnless(recvmmsg, "other systems have other broadcasts")
    def test_broadcast(self) -> None:
        """
        What is sent to a broadcast address is sent to many hosts, which the kernel has to be asked about.
        """
        for host in ("127.255.255.255", "255.255.255.255"):
            self.assertIsNone(self.only(host), host)

    def test_multicast(self) -> None:
        """
        What is sent to a group is known by the group.
        """
        self.assertEqual(self.only("224.0.0.1"), "224.0.0.1")
