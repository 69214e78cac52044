"""
Layers between transports and protocols, each written in one file of its own, around every transport.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Census, Outcome, Visit, datagramService, streamService
from sockservices.conversation.transport import Transport
from sockservices.responders import Chargen, Echo, Upper
from sockservices.testing import converse
from tests.support.layers import delay, trace
from tests.support.loop import TIMEOUT, LoopCase
from tests.support.sockets import closeWithReset

#: By a transport that only the test knows.
anyConversation: Any = converse

#: More than the kernel buffers for both directions of a connection (tcp_rmem, tcp_wmem, and the same for the client).
MAX_KERNEL_BUFFERS = 1 << 26

#: More than all buffers of a connection have room for.
LONG = os.urandom(1 << 20) * 8


class StreamLayerTests(LoopCase):
    """
    Layers of TCP and Unix connections.
    """

    def setUp(self) -> None:
        """
        Clear the trace.
        """
        super().setUp()
        trace.records.clear()
        self.visits: list[Visit] = []

    def serve(self, endpoint: str, layers: list[Any], responder: Any = Echo) -> tuple[Any, socket.socket]:
        """
        Start a service and connect a client.
        """
        service = streamService(
            endpoint,
            responder,
            reactor=self.reactor,
            record=self.visits.append,
            layers=layers,
        )
        service.startService()
        self.addCleanup(lambda: self.wait(service.stopService()))
        assert service.port is not None
        return service, self.connect(service.port.getHost())

    def eachCase(self, check: Callable[[str, list[Any]], None]) -> None:
        """
        Run a check on both transports with each layer and with both.
        """
        slow = partial(delay.StreamDelay, clock=self.reactor)
        cases: list[list[Any]] = [[trace.StreamTrace], [slow], [trace.StreamTrace, slow]]
        for number, layers in enumerate(cases):
            for endpoint in ("tcp:0", f"unix:{self.folder}/{check.__name__}{number}"):
                check(endpoint, layers)

    def sendAll(self, client: socket.socket, data: bytes, size: int = 1 << 20) -> bytes:
        """
        Send data, close the side, and read to the end, at most C{size} bytes in each turn of the reactor.
        """
        received = bytearray()
        rest = memoryview(data)
        ended = False

        def turned() -> bool:
            nonlocal rest, ended
            with contextlib.suppress(BlockingIOError):
                rest = rest[client.send(rest[:65536]) :] if rest else rest
            if not rest and not ended:
                ended = True
                client.shutdown(socket.SHUT_WR)
            try:
                piece = client.recv(size)
            except BlockingIOError:
                return False
            received.extend(piece)
            return not piece

        # A reactor that waits 10 ms for an event in each turn would need a minute for small reads.
        end = self.reactor.seconds() + TIMEOUT
        while not turned():
            self.assertLess(self.reactor.seconds(), end)
            self.turn()
        return bytes(received)

    def test_slowReader(self) -> None:
        """
        A peer that half-closes and reads slowly gets all of 8 MiB, and then the stream ends.
        """

        def slowReader(endpoint: str, layers: list[Any]) -> None:
            _, client = self.serve(endpoint, layers)
            self.assertTrue(self.sendAll(client, LONG, 16384) == LONG)
            self.until(lambda: self.visits)
            visit = self.visits.pop()
            self.assertEqual((visit.received, visit.sent, visit.outcome), (len(LONG), len(LONG), Outcome.DONE))

        self.eachCase(slowReader)

    def test_backPressure(self) -> None:
        """
        The server stops reading from a peer that does not read.
        """
        for endpoint in ("tcp:0", f"unix:{self.folder}/socket"):
            _, client = self.serve(endpoint, [trace.StreamTrace])
            sent = blocked = 0
            while blocked < 100:
                try:
                    sent += client.send(LONG)
                    blocked = 0
                except BlockingIOError:
                    blocked += 1
                self.assertLess(sent, MAX_KERNEL_BUFFERS)
                self.turn()
            closeWithReset(client)

    def test_drain(self) -> None:
        """
        A drain waits for data that layers hold back.
        """
        served: list[tuple[Any, socket.socket]] = []

        def start(endpoint: str, layers: list[Any]) -> None:
            served.append(self.serve(endpoint, layers))
            served[-1][1].sendall(b"before the stop")

        self.eachCase(start)
        self.turn(3)
        stopped = [service.stopService() for service, _ in served]
        for _, client in served:
            self.assertEqual(self.receive(client, 100), b"before the stop")
            client.close()
        for each in stopped:
            self.wait(each)
        self.assertEqual([visit.outcome for visit in self.visits], [Outcome.DRAINED] * len(served))

    def test_trace(self) -> None:
        """
        A layer sees every segment in both directions, and the peer's FIN.
        """
        _, client = self.serve("tcp:0", [trace.StreamTrace], Upper)
        client.sendall(b"hello")
        self.receive(client, 5)
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(self.receive(client), b"")
        self.assertEqual(trace.records, [("in", b"hello"), ("out", b"HELLO"), ("FIN", b"")])

    def test_generatedOutput(self) -> None:
        """
        Generated output passes through layers and ends with the peer's FIN.
        """
        _, client = self.serve("tcp:0", [trace.StreamTrace], Chargen)
        self.assertEqual(len(self.receive(client, 300_000)), 300_000)
        client.shutdown(socket.SHUT_WR)
        while self.receive(client, 1 << 20):
            pass
        self.until(lambda: self.visits)
        self.assertEqual(self.visits[0].outcome, Outcome.DONE)

    def test_layerThatCannotBeMade(self) -> None:
        """
        A connection whose layer raises in its constructor is closed and released.
        """
        census = Census()
        layers: Any = [int]
        service = streamService("tcp:0", Echo, reactor=self.reactor, census=census, layers=layers)
        service.startService()
        self.addCleanup(lambda: self.wait(service.stopService()))
        assert service.port is not None
        client = self.connect(service.port.getHost())
        self.assertEqual(self.receive(client), b"")
        self.assertEqual((census.connections, census.outcomes), (0, {Outcome.RESET: 1}))


class DatagramLayerTests(LoopCase):
    """
    Layers of UDP and Unix datagrams.
    """

    def client(self, endpoint: str, layers: list[Any]) -> socket.socket:
        """
        Start a service. @return: a client.
        """
        service = datagramService(endpoint, Upper, reactor=self.reactor, layers=layers)
        service.startService()
        self.addCleanup(lambda: self.wait(service.stopService()))
        host: Any = service.port.getHost()  # type: ignore[union-attr]
        unix = endpoint.startswith("unixgram")
        client: socket.socket = self.closeLater(
            socket.socket(socket.AF_UNIX if unix else socket.AF_INET, socket.SOCK_DGRAM)
        )
        client.bind(f"{endpoint[9:]}.client" if unix else ("127.0.0.1", 0))
        client.connect(endpoint[9:] if unix else (host.host, host.port))
        client.setblocking(False)
        return client

    def test_everyTransport(self) -> None:
        """
        Each datagram passes one or several layers in both directions. A reply may be sent long after its request.
        """
        slow = partial(delay.DatagramDelay, clock=self.reactor)
        cases: list[list[Any]] = [[trace.DatagramTrace], [slow], [slow, trace.DatagramTrace]]
        for number, layers in enumerate(cases):
            for endpoint in ("udp:0", f"unixgram:{self.folder}/{number}"):
                trace.records.clear()
                client, start = self.client(endpoint, layers), self.reactor.seconds()
                for word in (b"one", b"two"):
                    client.send(word)
                self.assertEqual(self.receive(client, 3) + self.receive(client, 3), b"ONETWO")
                self.assertGreaterEqual(self.reactor.seconds() - start, 0.2 if slow in layers else 0)
                if trace.DatagramTrace in layers:
                    self.assertEqual(
                        sorted(trace.records), [("in", b"one"), ("in", b"two"), ("out", b"ONE"), ("out", b"TWO")]
                    )


class ConverseTests(SynchronousTestCase):
    """
    Layers in memory.
    """

    def test_streams(self) -> None:
        """
        Layers work with L{converse} for streams.
        """
        for transport in (Transport.TCP, Transport.UNIX):
            trace.records.clear()
            clock = Clock()
            layers = [trace.StreamTrace, partial(delay.StreamDelay, clock=clock)]
            peer: Any = anyConversation(Upper, transport=transport, clock=clock, layers=layers)
            self.assertEqual((peer.say(b"hello"), peer.wait(0.1), peer.wait(0.1)), (b"", b"", b"HELLO"))
            self.assertEqual(peer.end(), b"")
            peer.wait(0.2)
            self.assertEqual((peer.outcome, len(trace.records)), (Outcome.DONE, 3))

    def test_datagrams(self) -> None:
        """
        Layers work with L{converse} for datagrams.
        """
        for transport in (Transport.UDP, Transport.UNIXGRAM):
            trace.records.clear()
            clock = Clock()
            layers = [trace.DatagramTrace, partial(delay.DatagramDelay, clock=clock)]
            peer: Any = anyConversation(Upper, transport=transport, clock=clock, layers=layers)
            self.assertIsNone(peer.say(b"hello"))
            peer.wait(0.2)
            self.assertEqual((peer.heard, peer.outcome, len(trace.records)), ([b"HELLO"], Outcome.DONE, 2))

    def test_replyAfterTheStop(self) -> None:
        """
        A reply after the port has stopped is counted as unsent.
        """
        clock = Clock()
        peer = converse(type("Later", (Upper,), {"answer": lambda *_: Deferred()}), transport="udp", clock=clock)
        peer.say(b"hello")
        peer.protocol.doStop()
        self.assertEqual(peer.outcome, Outcome.UNSENT)
