"""
L{StreamFactory}: admission, and the end of all its conversations.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionAborted
from twisted.internet.testing import MemoryReactorClock, StringTransport, StringTransportWithDisconnection

from sockservices import Census, Outcome, StreamFactory, Visit
from sockservices.responders import Chargen, Discard, Echo, Greet, Welcome
from sockservices.responders.chargen import PATTERN
from tests.support.peer import PEER, Peer, StreamCase


class AdmitTests(StreamCase):
    """
    L{StreamFactory.buildProtocol}.
    """

    def admit(self, factory: StreamFactory, *addresses: Any) -> list[Any]:
        """
        Connect a protocol for each address.

        @return: the protocols; L{None} stands for a refused connection.
        """
        protocols: list[Any] = [factory.buildProtocol(address) for address in addresses]
        for protocol, address in zip(protocols, addresses, strict=True):
            if protocol is not None:
                protocol.makeConnection(StringTransport(peerAddress=address))
        return protocols

    def test_refused(self) -> None:
        """
        Over a limit C{buildProtocol} returns L{None}, so that the transport closes the connection. The refusal is
        counted and recorded.
        """
        factory = self.factory(Echo, maxConnections=2)
        peers = [self.peer(factory), self.peer(factory)]
        addresses = {"tcp": PEER, "unix": UNIXAddress(None)}
        self.assertEqual(self.admit(factory, *addresses.values()), [None, None])
        refused = [Visit("echo", name, peer, 0, 0.0, 0, 0, Outcome.REFUSED) for name, peer in addresses.items()]
        self.assertEqual(self.visits, refused)
        self.assertEqual((self.census.connections, self.census.outcomes), (2, {Outcome.REFUSED: 2}))
        for peer in peers:
            peer.send(b"hi~")
            self.assertEqual(peer.read(), b"hi~")

    def test_refusedInAWrapper(self) -> None:
        """
        Within a wrapper such as TLS, where L{None} would leave the connection open, the factory can return a protocol
        that resets.
        """
        factory = self.factory(Echo, maxConnections=1)
        factory.wrapped = True
        peer = self.peer(factory)
        (refused,) = self.admit(factory, PEER)
        self.assertTrue(refused.transport.disconnected)
        self.assertEqual((self.outcomes, self.census.connections), ([Outcome.REFUSED], 1))
        peer.end()

    def test_unconnectedIsReleased(self) -> None:
        """
        Within a wrapper, a connection that was admitted and whose protocol was never connected is released in the next
        turn. A connected protocol is released once, at its end.
        """
        factory = self.factory(Echo)
        factory.wrapped = True
        factory.buildProtocol(PEER)
        lost, _ = self.admit(factory, PEER, PEER)
        self.lose(lost)
        self.assertEqual(self.census.connections, 2)
        self.clock.advance(0)
        self.assertEqual((self.census.connections, self.outcomes), (1, [Outcome.DONE, Outcome.RESET]))

    def test_everyEndReleasesASlot(self) -> None:
        """
        Each way in which a connection ends releases its slot.
        """
        factory = self.factory(Echo, maxConnections=1)
        for end in (Peer.end, Peer.reset, lambda _: factory.abortAll(), lambda _: self.wait(300)) * 2:
            peer = self.peer(factory)
            self.assertIsNone(factory.buildProtocol(PEER))
            end(peer)
            peer.turn()
            self.wait(1)
            self.assertEqual((self.census.connections, factory.protocols), (0, set()))

    def test_limitsOfASource(self) -> None:
        """
        Over the rate of a source only the excess is refused, by the factory's clock. The limit of connections per
        source applies to the address of the peer.
        """
        addresses: list[Any] = [*[IPv6Address("TCP", f"2001:db8::{number}", 1) for number in (1, 2)], UNIXAddress(None)]
        protocols = self.admit(self.factory(Echo, maxPerSource=1), *addresses, PEER, PEER)
        self.assertEqual([protocol is None for protocol in protocols], [False, True, False, False, True])
        factory = self.factory(Greet, maxRate=5)
        for seconds, expected in ((0, 10), (1, 5), (0.25, 1), (60, 10)):
            self.clock.advance(seconds)
            admitted = list(filter(None, self.admit(factory, *[PEER] * 20)))
            self.assertEqual(len(admitted), expected)
            for protocol in admitted:
                self.lose(protocol)

    def test_census(self) -> None:
        """
        Factories with the same census share limits, counters and serial numbers. By default each has its own census.
        """
        echo, welcome = self.factory(Echo, maxConnections=1), self.factory(Welcome, maxConnections=1)
        peer = self.peer(echo)
        self.assertIsNone(welcome.buildProtocol(PEER))
        peer.end()
        self.peer(welcome).end()
        self.assertEqual([visit.serial for visit in self.visits], [0, 1, 2])
        self.assertEqual(self.census.outcomes, {Outcome.REFUSED: 1, Outcome.DONE: 2})
        one, other = StreamFactory(Echo), StreamFactory(Echo)
        self.assertIsInstance(one.census, Census)
        self.assertIsNot(one.census, other.census)

    def test_anyAddress(self) -> None:
        """
        Protocols can be built for addresses of any kind and for L{None}.
        """
        addresses = [None, ("192.0.2.7", 40000), PEER]
        for protocol in self.admit(self.factory(Echo), *addresses):
            self.lose(protocol)
        self.assertEqual([visit.peer for visit in self.visits], addresses)

    def test_reactorIsLookedUpLate(self) -> None:
        """
        A factory looks up the global reactor at its first use, so that it can be made before a reactor is installed.
        """
        made = "import sys; from sockservices import *; from sockservices.responders import Echo; "
        made += "StreamFactory(Echo); DatagramResponder(Echo); print('twisted.internet.reactor' in sys.modules); "
        needed = "from twisted.internet import reactor; print(StreamFactory(Echo).clock is reactor)"
        command = [sys.executable, "-c", made + needed]
        self.assertEqual(subprocess.run(command, capture_output=True, check=True).stdout, b"False\nTrue\n")

    def test_listenTCP(self) -> None:
        """
        The factory works with C{listenTCP} of a reactor in memory, and logs no start or stop.
        """
        reactor = MemoryReactorClock()
        factory = StreamFactory(Echo, record=self.visits.append, clock=reactor)
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        factory.doStart()
        factory.doStop()
        port.stopListening()
        self.assertEqual((reactor.tcpServers[0][1], self.lines(), reactor.getDelayedCalls()), (factory, [], []))


class DrainTests(StreamCase):
    """
    L{StreamFactory.drain} and L{StreamFactory.abortAll}.
    """

    def setUp(self) -> None:
        """
        Record the drains that complete.
        """
        super().setUp()
        self.drained: list[None] = []

    def drain(self, factory: StreamFactory, seconds: float) -> None:
        """
        Begin a drain.
        """
        factory.drain(seconds).addCallback(self.drained.append)

    def test_quietPeerIsClosed(self) -> None:
        """
        A peer that has been silent for half a second, with no pending output, is closed cleanly at once and without a
        reply, also before its first message.
        """
        for responder, segments in ((Echo, [b"hi~"]), (Welcome, [])):
            self.drained.clear()
            peer = self.peer(responder)
            peer.send(*segments)
            self.wait(0.5)
            self.drain(peer.protocol.factory, 10)
            peer.turn()
            self.assertEqual((peer.read(), peer.eofReceived, self.drained), (b"".join(segments), True, []))
            peer.end()
            self.assertEqual((self.outcomes[-1], self.drained), (Outcome.DRAINED, [None]))

    def test_activePeerIsClosedWhenQuiet(self) -> None:
        """
        A peer that has just sent something is closed when it has been silent for half a second.
        """
        peer = self.peer(Echo)
        self.wait(60)
        peer.send(b"one")
        self.drain(peer.protocol.factory, 10)
        self.wait(0.375)
        peer.send(b"two")
        self.wait(0.375)
        self.assertEqual((peer.read(), peer.eofReceived), (b"onetwo", False))
        self.wait(0.125)
        self.assertTrue(peer.eofReceived)
        self.wait(1)
        self.assertEqual((self.outcomes, self.drained), ([Outcome.DRAINED], [None]))

    def test_pendingOutputIsDelivered(self) -> None:
        """
        A peer with pending output, paused or not, gets it and is then closed cleanly, also without a stall timeout.
        """
        for stallTimeout in (60.0, 0):
            for count in (1, 100):
                self.drained.clear()
                peer = self.peer(Echo, window=1000, stallTimeout=stallTimeout)
                peer.send(*[bytes(5000)] * count)
                self.wait(1)
                self.drain(peer.protocol.factory, 10)
                self.wait(8)
                self.assertFalse(peer.resetReceived)
                self.assertEqual(len(peer.read()), count * 5000)
                self.wait(1.5)
                self.assertTrue(peer.eofReceived)
                peer.end()
                self.assertEqual((self.outcomes[-1], self.drained), (Outcome.DRAINED, [None]))

    def test_drainTimeoutResets(self) -> None:
        """
        A peer that has not read its output when the drain times out is reset. The drain completes with the last
        connection.
        """
        factory = self.factory(Echo, stallTimeout=0)
        peers = [self.peer(factory, window) for window in (10, 1000)]
        active = self.peer(factory, 10)
        for peer in peers:
            peer.send(bytes(65536), bytes(65536))
        self.drain(factory, 10)
        for step in range(80):
            active.send(b"active")
            active.read()
            self.assertEqual((self.visits, self.drained), ([], []), step)
            self.wait(0.125)
        self.assertEqual((self.outcomes, self.drained), ([Outcome.DRAINED] * 3, [None]))
        self.assertTrue(all(peer.resetReceived for peer in [*peers, active]))

    def test_generatedOutputEnds(self) -> None:
        """
        A drain ends generated output: a peer that reads gets the written output and a FIN, any other peer is reset.
        """
        factory = self.factory(Chargen)
        reading, other = self.peer(factory, 1000), self.peer(factory, 1000)
        self.drain(factory, 4)
        reading.read()
        self.assertEqual((reading.eofReceived, len(reading.received) % len(PATTERN)), (True, 0))
        reading.end()
        self.wait(4)
        self.assertEqual((self.outcomes, other.resetReceived), ([Outcome.DRAINED] * 2, True))
        self.assertEqual(self.drained, [None])

    def test_earliestDrainTimeout(self) -> None:
        """
        The Deferreds of several drains all fire. The earliest timeout applies; 0 seconds end in the next turn.
        """
        for timeouts in ([10, 2], [0], [10, 0]):
            self.drained.clear()
            peer = self.peer(Echo, window=1000)
            peer.send(bytes(5000))
            for seconds in timeouts:
                self.drain(peer.protocol.factory, seconds)
            self.wait(min(timeouts) + 0.125)
            self.assertEqual((self.outcomes[-1], self.drained), (Outcome.DRAINED, [None] * len(timeouts)))

    def test_reuseAfterADrain(self) -> None:
        """
        Without connections a drain is complete at once. A drained factory serves again, and can be drained again. A
        peer that closes during the drain has the outcome DONE.
        """
        factory = self.factory(Echo)
        self.successResultOf(factory.drain(10))
        for count in range(1, 4):
            peer = self.peer(factory)
            peer.send(b"hi~")
            self.assertEqual(peer.read(), b"hi~")
            self.drain(factory, 10)
            peer.end()
            self.assertEqual((len(self.drained), self.outcomes), (count, [Outcome.DONE] * count))

    def test_synchronousClose(self) -> None:
        """
        Transports that disconnect within C{loseConnection} are drained at once.
        """
        factory = self.factory(Echo)
        for factory.responder in (Echo, Chargen, Discard):
            protocol: Any = factory.buildProtocol(PEER)
            transport = StringTransportWithDisconnection(peerAddress=PEER)
            transport.protocol = protocol
            protocol.makeConnection(transport)
        self.wait(1)
        self.successResultOf(factory.drain(10))
        self.assertEqual(self.outcomes, [Outcome.DRAINED] * 3)

    def test_abortAll(self) -> None:
        """
        C{abortAll} resets all connections, and aborts transports in memory.
        """
        factory = self.factory(Echo)
        peers = [self.peer(factory, 10) for _ in range(3)]
        peers[0].send(b"x" * 100)
        peers[0].end()
        peers[1].send(b"x")
        self.drain(factory, 10)
        factory.abortAll()
        self.clock.advance(0)
        self.assertEqual((self.outcomes, self.drained), ([Outcome.DRAINED] * 3, [None]))
        self.assertTrue(all(peer.resetReceived for peer in peers))
        protocol, transport = self.connect(Echo)
        protocol.factory.abortAll()
        self.assertTrue(transport.disconnected)
        self.lose(protocol, ConnectionAborted)
        self.assertEqual(self.outcomes, [Outcome.DRAINED] * 4)
