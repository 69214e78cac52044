"""
Who is admitted, and how all conversations are ended.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport, StringTransportWithDisconnection
from twisted.python.failure import Failure

from sockservices import Census, Outcome, Policy, StreamFactory, Visit
from sockservices.responders import Chargen, Discard, Echo, Greet, Welcome
from sockservices.responders.chargen import PATTERN
from tests.support.peer import PEER, Peer, StreamCase


class AdmitTests(StreamCase):
    """
    L{StreamFactory.buildProtocol}.
    """

    def test_refused(self) -> None:
        """
        Over a limit C{buildProtocol} returns L{None}, so that the transport closes the connection. The refusal is
        counted and recorded.
        """
        factory = self.factory(Echo, maxConnections=2)
        first, second = self.peer(factory), self.peer(factory)
        self.assertIsNone(factory.buildProtocol(PEER))
        self.assertIsNone(factory.buildProtocol(UNIXAddress(None)))
        self.assertEqual(
            self.visits,
            [
                Visit("echo", "tcp", PEER, 0, 0.0, 0, 0, Outcome.REFUSED),
                Visit("echo", "unix", UNIXAddress(None), 0, 0.0, 0, 0, Outcome.REFUSED),
            ],
        )
        self.assertEqual((self.census.connections, self.census.outcomes), (2, {Outcome.REFUSED: 2}))
        for peer in (first, second):
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
        refused, transport = factory.buildProtocol(PEER), StringTransport()
        assert refused is not None
        refused.makeConnection(transport)
        self.assertTrue(transport.disconnected)
        self.assertEqual((self.outcomes, self.census.connections), ([Outcome.REFUSED], 1))
        peer.end()

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

    def test_perSource(self) -> None:
        """
        A source is an IPv4 address or an IPv6 /64. Unix peers have no limit per source.
        """
        factory = self.factory(Echo, maxPerSource=1)
        hosts = ["192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:1::1"]
        addresses: list[Any] = [(IPv6Address if ":" in host else IPv4Address)("TCP", host, 40000) for host in hosts]
        addresses += [UNIXAddress(None), UNIXAddress(None)]
        admitted = [factory.buildProtocol(address) for address in addresses]
        for protocol, address in zip(admitted, addresses, strict=True):
            if protocol is not None:
                protocol.makeConnection(StringTransport(peerAddress=address))
        self.assertEqual(
            [protocol is not None for protocol in admitted], [True, False, True, True, False, True, True, True]
        )

    def test_rate(self) -> None:
        """
        Over the rate only the excess is refused. Connections are admitted again later.
        """
        factory = self.factory(Greet, maxRate=5)
        for seconds, places in ((0, 10), (1, 5), (0.25, 1), (60, 10)):
            self.clock.advance(seconds)
            admitted = [factory.buildProtocol(PEER) for _ in range(20)]
            self.assertEqual(20 - admitted.count(None), places)
            for protocol in filter(None, admitted):
                protocol.makeConnection(StringTransport(peerAddress=PEER))
                protocol.connectionLost(Failure(ConnectionDone()))

    def test_sharedCensus(self) -> None:
        """
        Factories with the same census share limits, counters and serial numbers.
        """
        echo, welcome = self.factory(Echo, maxConnections=1), self.factory(Welcome, maxConnections=1)
        peer = self.peer(echo)
        self.assertIsNone(welcome.buildProtocol(PEER))
        peer.end()
        self.peer(welcome).end()
        self.assertEqual([visit.serial for visit in self.visits], [0, 1, 2])
        self.assertEqual(self.census.outcomes, {Outcome.REFUSED: 1, Outcome.DONE: 2})

    def test_defaultCensus(self) -> None:
        """
        By default each factory has its own census.
        """
        one, other = StreamFactory(Echo), StreamFactory(Echo)
        self.assertIsInstance(one.census, Census)
        self.assertIsNot(one.census, other.census)

    def test_anyAddress(self) -> None:
        """
        Protocols can be built for addresses of any kind and for L{None}.
        """
        for address in (None, ("192.0.2.7", 40000), PEER):
            visits: list[Visit] = []
            factory: Any = StreamFactory(Echo, record=visits.append, clock=self.clock)
            protocol = factory.buildProtocol(address)
            protocol.makeConnection(StringTransport())
            protocol.connectionLost(Failure(ConnectionDone()))
            self.assertEqual([visit.peer for visit in visits], [address])

    def test_reactorIsLookedUpLate(self) -> None:
        """
        A factory looks up the global reactor at its first use, so that it can be made before a reactor is installed.
        """
        made = "import sys; from sockservices import *; from sockservices.responders import Echo; "
        made += "StreamFactory(Echo); DatagramResponder(Echo); print('twisted.internet.reactor' in sys.modules); "
        needed = "from twisted.internet import reactor; print(StreamFactory(Echo).clock is reactor)"
        command = [sys.executable, "-c", made + needed]
        self.assertEqual(subprocess.run(command, capture_output=True, check=True).stdout, b"False\nTrue\n")


class DrainTests(StreamCase):
    """
    L{StreamFactory.drain} and L{StreamFactory.abortAll}.
    """

    def setUp(self) -> None:
        """
        Nothing is drained yet.
        """
        super().setUp()
        self.drained: list[None] = []

    def test_noConnections(self) -> None:
        """
        Without connections a drain is complete at once.
        """
        self.assertIsNone(self.successResultOf(self.factory(Echo).drain(10)))

    def test_quietPeerIsClosed(self) -> None:
        """
        A peer that has been silent for half a second, with no pending output, is closed cleanly at once.
        """
        peer = self.peer(Echo)
        peer.send(b"hi~")
        self.wait(0.5)
        peer.protocol.factory.drain(10).addCallback(self.drained.append)
        peer.turn()
        self.assertEqual((peer.read(), peer.eofReceived, self.drained), (b"hi~", True, []))
        peer.end()
        self.assertEqual((self.outcomes, self.drained), ([Outcome.DRAINED], [None]))

    def test_activePeerIsClosedWhenQuiet(self) -> None:
        """
        A peer that has just sent something is closed when it has been silent for half a second.
        """
        peer = self.peer(Echo)
        self.wait(60)
        peer.send(b"one")
        peer.protocol.factory.drain(10).addCallback(self.drained.append)
        self.wait(0.375)
        peer.send(b"two")
        self.wait(0.375)
        self.assertEqual((peer.read(), peer.eofReceived), (b"onetwo", False))
        self.wait(0.125)
        self.assertTrue(peer.eofReceived)
        self.wait(1)
        self.assertEqual((self.outcomes, self.drained), ([Outcome.DRAINED], [None]))

    def test_peerThatClosesIsDone(self) -> None:
        """
        A peer that closes during the drain has the outcome DONE.
        """
        peer = self.peer(Echo)
        peer.send(b"hi~")
        peer.protocol.factory.drain(10).addCallback(self.drained.append)
        peer.end()
        self.assertEqual((peer.read(), self.outcomes, self.drained), (b"hi~", [Outcome.DONE], [None]))

    def test_pendingOutputIsDelivered(self) -> None:
        """
        A peer with pending output, paused or not, gets it and is then closed cleanly.
        """
        for size in (5000, 500_000):
            peer = self.peer(Echo, window=1000)
            peer.send(*[bytes(5000)] * (size // 5000))
            self.wait(1)
            peer.protocol.factory.drain(10).addCallback(self.drained.append)
            self.wait(8)
            self.assertFalse(peer.resetReceived)
            self.assertEqual(len(peer.read()), size)
            self.wait(1.5)
            self.assertTrue(peer.eofReceived)
            peer.end()
        self.assertEqual((self.outcomes, self.drained), ([Outcome.DRAINED] * 2, [None] * 2))

    def test_drainTimeoutResets(self) -> None:
        """
        A peer that has not read its output when the drain times out is reset. The drain completes with the last
        connection.
        """
        factory = self.factory(Echo, stallTimeout=0)
        peers = [self.peer(factory, room) for room in (10, 1000)]
        talked = self.peer(factory, 10)
        for peer in peers:
            peer.send(bytes(65536), bytes(65536))
        factory.drain(10).addCallback(self.drained.append)
        for second in range(80):
            talked.send(b"still here")
            talked.read()
            self.assertEqual((len(self.visits), self.drained), (0, []), second)
            self.wait(0.125)
        self.assertEqual(self.outcomes, [Outcome.DRAINED] * 3)
        self.assertTrue(all(peer.resetReceived for peer in [*peers, talked]))
        self.assertEqual(self.drained, [None])

    def test_withoutStallTimeout(self) -> None:
        """
        Without a stall timeout, a peer that reads all output in time is closed cleanly.
        """
        peer = self.peer(Echo, window=1000, stallTimeout=0)
        peer.send(bytes(65536), bytes(65536))
        self.wait(5)
        peer.protocol.factory.drain(10)
        self.wait(1)
        peer.read()
        self.wait(3)
        self.assertTrue(peer.eofReceived)

    def test_generatedOutputEnds(self) -> None:
        """
        A drain ends generated output: a peer that reads gets what was written and a clean end, any other is reset.
        """
        factory = self.factory(Chargen)
        reading, other = self.peer(factory, 1000), self.peer(factory, 1000)
        factory.drain(4).addCallback(self.drained.append)
        reading.read()
        self.assertEqual((reading.eofReceived, len(reading.received) % len(PATTERN)), (True, 0))
        reading.end()
        self.wait(4)
        self.assertEqual((self.outcomes, other.resetReceived), ([Outcome.DRAINED] * 2, True))
        self.assertEqual(self.drained, [None])

    def test_zeroSecondsReset(self) -> None:
        """
        With 0 seconds, connections that are not quiet are reset in the next turn.
        """
        peer = self.peer(Echo)
        peer.send(b"hi~")
        peer.protocol.factory.drain(0).addCallback(self.drained.append)
        peer.turn()
        peer.turn()
        self.assertEqual((self.outcomes, self.drained), ([Outcome.DRAINED], [None]))

    def test_twoDrains(self) -> None:
        """
        The Deferreds of two drains both fire. The earlier timeout applies.
        """
        peer = self.peer(Echo, window=1000)
        peer.send(bytes(5000))
        factory = peer.protocol.factory
        factory.drain(10).addCallback(self.drained.append)
        factory.drain(2).addCallback(self.drained.append)
        self.wait(2.125)
        self.assertEqual((self.outcomes, self.drained), ([Outcome.DRAINED], [None, None]))

    def test_reuseAfterADrain(self) -> None:
        """
        A drained factory serves again and can be drained again.
        """
        factory = self.factory(Echo)
        for count in range(1, 4):
            peer = self.peer(factory)
            peer.send(b"hi~")
            self.assertEqual(peer.read(), b"hi~")
            factory.drain(10).addCallback(self.drained.append)
            peer.end()
            self.assertEqual(len(self.drained), count)

    def test_peerBeforeItsFirstMessage(self) -> None:
        """
        A peer that has not sent its first message is closed as quiet, without a reply.
        """
        peer = self.peer(Welcome)
        self.wait(1)
        peer.protocol.factory.drain(10)
        peer.turn()
        peer.end()
        self.assertEqual((peer.read(), self.outcomes), (b"", [Outcome.DRAINED]))

    def test_synchronousClose(self) -> None:
        """
        Transports that disconnect within C{loseConnection} are drained at once.
        """
        factory = self.factory(Echo)
        for factory.responder in (Echo, Chargen, Discard):
            transport = StringTransportWithDisconnection(peerAddress=PEER)
            protocol = factory.buildProtocol(PEER)
            assert protocol is not None
            transport.protocol = protocol
            protocol.makeConnection(transport)
        self.wait(1)
        self.successResultOf(factory.drain(10))
        self.assertEqual(self.outcomes, [Outcome.DRAINED] * 3)

    def test_cutResetsAll(self) -> None:
        """
        C{abortAll} resets all connections.
        """
        factory = self.factory(Echo)
        peers = [self.peer(factory, 10) for _ in range(3)]
        peers[0].send(b"x" * 100)
        peers[0].end()
        peers[1].send(b"x")
        factory.drain(10).addCallback(self.drained.append)
        factory.abortAll()
        self.clock.advance(0)
        self.assertEqual((self.outcomes, self.drained), ([Outcome.DRAINED] * 3, [None]))
        self.assertTrue(all(peer.resetReceived for peer in peers))

    def test_cutOnATransportInMemory(self) -> None:
        """
        C{abortAll} aborts a transport in memory.
        """
        protocol, transport = self.connect(Echo)
        protocol.factory.abortAll()
        self.assertTrue(transport.disconnected)
        protocol.connectionLost(Failure(ConnectionAborted()))
        self.assertEqual(self.outcomes, [Outcome.DRAINED])


class EmbeddingTests(StreamCase):
    """
    Use in another program's reactor.
    """

    def test_listenTCP(self) -> None:
        """
        The factory works with C{listenTCP} of a reactor in memory, and logs no start or stop.
        """
        reactor = MemoryReactorClock()
        factory = StreamFactory(Echo, Policy(), self.visits.append, reactor)
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        factory.doStart()
        factory.doStop()
        port.stopListening()
        self.assertEqual((reactor.tcpServers[0][1], self.lines(), reactor.getDelayedCalls()), (factory, [], []))

    def test_clockOnly(self) -> None:
        """
        A hundred conversations leave no delayed call in the reactor.
        """
        factory = self.factory(Welcome)
        for _ in range(100):
            protocol = factory.buildProtocol(PEER)
            assert protocol is not None
            protocol.makeConnection(StringTransport(peerAddress=PEER))
            protocol.dataReceived(b"1")
            protocol.connectionLost(Failure(ConnectionDone()))
            self.clock.advance(1)
        self.assertEqual((self.clock.getDelayedCalls(), len(self.visits)), ([], 100))
