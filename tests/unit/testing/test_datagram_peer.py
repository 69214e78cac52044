"""
Tests for datagrams in memory: L{DatagramPeer} and L{DatagramMemoryReactor}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IListeningPort, IReactorUDP
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from sockservices import Outcome, Policy, Responder, datagramService
from sockservices.responders import Discard, Echo, Whoami
from sockservices.testing import DatagramMemoryReactor, converse


class Repeating(Responder):
    """
    Replies with a number of bytes that the request gives.
    """

    def answer(self, message: bytes) -> bytes:
        """
        Return so many bytes, or raise ValueError.
        """
        return bytes(int(message))


class DatagramPeerTests(SynchronousTestCase):
    """
    Tests for peers that exchange datagrams.
    """

    def test_say(self) -> None:
        """
        C{say} returns the reply, C{b""} for an empty reply and L{None} for no reply.
        """
        peer = converse(Echo, transport="udp")
        self.assertIsNone(peer.outcome)
        datagrams = [b"hi~", b"", bytes(65507)]
        self.assertEqual([peer.say(datagram) for datagram in datagrams], datagrams)
        self.assertEqual(peer.heard, datagrams)
        self.assertEqual([visit.outcome for visit in peer.visits], [Outcome.DONE] * 3)
        self.assertIsNone(converse(Discard, transport="udp").say(b"hi~"))

    def test_outcome(self) -> None:
        """
        The outcome gives the reason for a missing reply. C{peer} is the source address.
        """
        limited = Policy(udpMax=100)
        for options, datagram, outcome in (
            ({"policy": limited}, b"41", Outcome.WITHHELD),
            ({"policy": limited}, b"x", Outcome.ERROR),
            ({"policy": limited}, bytes(101), Outcome.TOO_LONG),
            ({"peer": IPv4Address("UDP", "192.0.2.7", 53)}, b"1", Outcome.PRIVILEGED),
            ({"transport": "unixgram", "peer": UNIXAddress(None)}, b"1", Outcome.UNNAMED),
        ):
            arguments: dict[str, Any] = {"transport": "udp", **options}
            peer = converse(Repeating, **arguments)
            self.assertEqual((peer.say(datagram), peer.outcome), (None, outcome))
            self.assertEqual(repr(peer), f"<DatagramPeer: {outcome.value}>")

    def test_rate(self) -> None:
        """
        C{policy} sets a rate limit, which depends on the peer's clock. By default there is none on loopback.
        """
        peer = converse(Echo, transport="udp")
        self.assertEqual([peer.say(b"x") for _ in range(200)], [b"x"] * 200)
        peer = converse(Echo, transport="udp", policy=Policy(udpRate=1))
        self.assertEqual([peer.say(b"x") for _ in range(3)], [b"x", b"x", None])
        self.assertIs(peer.outcome, Outcome.OVER_RATE)
        peer.wait(1)
        self.assertEqual(peer.say(b"x"), b"x")

    def test_unixDatagrams(self) -> None:
        """
        The size of replies to Unix datagrams has no limit.
        """
        peer = converse(Whoami, transport="unixgram")
        self.assertIn(b'"transport": "unixgram"', peer.say(b"") or b"")


class DatagramMemoryReactorTests(SynchronousTestCase):
    """
    Tests for the memory reactor with datagram ports.
    """

    def test_ports(self) -> None:
        """
        C{listenUDP} and C{listenUNIXDatagram} record their arguments. The port has the address, and listens until it is
        stopped.
        """
        reactor, protocol = DatagramMemoryReactor(), object()
        self.assertTrue(verifyObject(IReactorUDP, reactor))
        for port, address in (
            (reactor.listenUDP(53, protocol), IPv4Address("UDP", "0.0.0.0", 53)),
            (reactor.listenUDP(53, protocol, "::1"), IPv6Address("UDP", "::1", 53)),
            (reactor.listenUNIXDatagram("/nowhere/socket", protocol, mode=0o600), UNIXAddress("/nowhere/socket")),
        ):
            self.assertTrue(verifyObject(IListeningPort, port))
            self.assertEqual((port.getHost(), port.listening), (address, True))
            port.startListening()
            port.stopListening()
            self.assertFalse(port.listening)
        self.assertEqual(reactor.udpServers, [(53, protocol, "", 8192), (53, protocol, "::1", 8192)])
        self.assertEqual(reactor.unixDatagramServers, [("/nowhere/socket", protocol, 8192, 0o600)])

    def test_service(self) -> None:
        """
        C{datagramService} listens on it.
        """
        reactor = DatagramMemoryReactor()
        service = datagramService("udp:8007", Echo, reactor=reactor)
        service.startService()
        self.assertEqual([arguments[::2] for arguments in reactor.udpServers], [(8007, "127.0.0.1")])
        self.successResultOf(service.stopService())
