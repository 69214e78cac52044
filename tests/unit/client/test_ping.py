"""
Pings over real sockets, with a clock that the test advances.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from random import Random
from typing import ClassVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.task import Clock

from sockservices.client import Target, Verdict
from sockservices.client.ping import ping
from sockservices.client.ping_statistics import PROBE_SIZE, PingStatistics
from tests.support.client import ClientCase, SlowResolver
from tests.support.sockets import closeWithReset


class PingCase(ClientCase):
    """
    A ping of a server of plain sockets.

    @ivar clock: the reactor's clock.
    @ivar target: the server's address.
    """

    target: Target

    def setUp(self) -> None:
        """
        Replace the reactor's clock.
        """
        super().setUp()
        self.clock = Clock()
        self.reactor.seconds = self.clock.seconds
        self.reactor.callLater = self.clock.callLater
        self.statistics = PingStatistics(Random(1))

    def serve(self, transport: str) -> socket.socket:
        """
        Bind the server's socket, and make it listen on a stream. Start new statistics.
        """
        # No other test uses this address, so that the port stays free while the server is down.
        self.target, server = self.bound(transport, "127.0.0.86")
        if self.target.stream:
            server.listen()
        self.statistics = PingStatistics(Random(1))
        return server

    def restart(self) -> socket.socket:
        """
        Bind the server's socket again.
        """
        stream = self.target.stream
        server = self.remote(socket.socket(socket.AF_INET, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM))
        server.bind(self.target.address)
        if stream:
            server.listen()
        return server

    def ping(self, count: int | None, interval: float = 1.0, timeout: float = 2.0) -> Deferred[None]:
        """
        Start a ping.
        """
        return Deferred.fromCoroutine(
            ping(self.target, self.statistics, reactor=self.reactor, count=count, interval=interval, timeout=timeout)
        )

    def until(self, condition: Callable[[], object]) -> None:
        """
        Turn the reactor until a condition holds, and run the calls that are due on the clock.
        """

        def holds() -> object:
            self.clock.advance(0)
            return condition()

        super().until(holds)

    def untilSent(self, count: int) -> None:
        """
        Wait until so many probes were sent.
        """
        self.until(lambda: self.statistics.sent == count)

    def untilReturned(self, count: int) -> None:
        """
        Wait until so many probes have returned.
        """
        self.until(lambda: self.statistics.returned == count)

    def assertCounts(self, verdict: Verdict, **expected: int) -> None:
        """
        Require a verdict, and these counts; all others are 0.
        """
        names = ("sent", "returned", "lost", "corrupt", "duplicated", "reordered", "wrongSourceCount")
        counts = {name: count for name in names if (count := getattr(self.statistics, name))}
        self.assertEqual((counts, self.statistics.verdict), (expected, verdict))

    def assertDone(self, pinging: Deferred[None], verdict: Verdict, **expected: int) -> None:
        """
        Wait for the end of the ping, and require counts, a verdict, and that nothing is left in the reactor.
        """
        self.wait(pinging)
        self.assertCounts(verdict, **expected)
        self.assertIdle()

    def assertCancels(self, pinging: Deferred[None]) -> None:
        """
        Cancel the ping, and require that nothing is left in the reactor.
        """
        pinging.cancel()
        self.assertRaises((CancelledError, ConnectingCancelledError), self.wait, pinging)
        self.assertIdle()

    def assertIdle(self) -> None:
        """
        Require that nothing is left in the reactor, nor on the clock.
        """
        self.turn(3)
        self.assertQuiet()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class DatagramTests(PingCase):
    """
    Each probe is a datagram.
    """

    def echo(self, server: socket.socket, copies: int = 1) -> None:
        """
        Return the next probe.
        """
        probe, source = self.receivedDatagram(server)
        for _ in range(copies):
            server.sendto(probe, source)

    def test_echo(self) -> None:
        """
        One probe leaves in each interval; the ping ends with the last reply.
        """
        for transport in ("udp", "unixgram"):
            server = self.serve(transport)
            pinging = self.ping(3)
            for number in (1, 2, 3):
                probe, source = self.receivedDatagram(server)
                self.assertEqual(len(probe), PROBE_SIZE)
                self.clock.advance(0.25)
                server.sendto(probe, source)
                self.untilReturned(number)
                if number < 3:
                    self.clock.advance(0.5)
                    self.turn(3)
                    self.assertEqual(self.statistics.sent, number)
                    self.clock.advance(0.25)
            self.assertDone(pinging, Verdict.OK, sent=3, returned=3)
            self.assertEqual(list(self.statistics.roundTripTimes), [0.25] * 3)

    def test_outstandingReplies(self) -> None:
        """
        After the last probe, the ping waits for outstanding replies until the timeout. The last of them ends the wait.
        """
        for returns in (False, True):
            server = self.serve("udp")
            pinging = self.ping(2, timeout=2.0)
            first, source = self.receivedDatagram(server)
            self.clock.advance(1)
            self.echo(server)
            self.untilReturned(1)
            self.clock.advance(1.75)
            self.turn(3)
            self.assertFalse(pinging.called)
            if returns:
                server.sendto(first, source)
                self.assertDone(pinging, Verdict.OK, sent=2, returned=2, reordered=1)
                self.assertEqual(list(self.statistics.roundTripTimes), [0.0, 2.75])
            else:
                self.clock.advance(0.25)
                self.assertDone(pinging, Verdict.TIMEOUT, sent=2, returned=1, lost=1)

    def test_otherReplies(self) -> None:
        """
        Copies, corrupt replies and replies from a wrong source are counted separately.
        """
        server = self.serve("udp")
        _, other = self.bound("udp", "127.0.0.86")
        pinging = self.ping(3)
        self.echo(server, copies=2)
        self.until(lambda: self.statistics.duplicated)
        self.clock.advance(1)
        probe, source = self.receivedDatagram(server)
        server.sendto(probe + b"!", source)
        self.until(lambda: self.statistics.corrupt)
        self.clock.advance(1)
        probe, source = self.receivedDatagram(server)
        other.sendto(probe, source)
        # The reactor may read these two in any order.
        server.sendto(b"", source)
        self.until(lambda: self.statistics.corrupt == 2)
        self.turn(3)
        self.clock.advance(2)
        self.assertDone(
            pinging, Verdict.CORRUPT, sent=3, returned=1, duplicated=1, corrupt=2, lost=1, wrongSourceCount=1
        )

    def test_restartedServer(self) -> None:
        """
        After a refusal the ping goes on, and probes return from a restarted server. The verdict is the failure of the
        lost probe. A refusal of the last probe ends the ping.
        """
        self.serve("udp").close()
        self.assertDone(self.ping(1), Verdict.REFUSED, sent=1, lost=1)
        self.serve("udp").close()
        pinging = self.ping(2)
        self.until(lambda: self.statistics.lastFailure)
        server = self.restart()
        self.clock.advance(1)
        self.echo(server)
        self.untilReturned(1)
        self.clock.advance(2)
        self.assertDone(pinging, Verdict.REFUSED, sent=2, returned=1, lost=1)

    def test_missingSocket(self) -> None:
        """
        Without a socket each probe is lost at once, and the ping does not wait for it. A new socket gets the next
        probes.
        """
        path = str(self.folder / "server")
        self.target = Target("unixgram", path)
        pinging = self.ping(2)
        self.until(lambda: self.statistics.sent)
        self.assertCounts(Verdict.UNREACHABLE, sent=1, lost=1)
        server = self.remote(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        server.bind(path)
        self.clock.advance(1)
        self.echo(server)
        self.assertDone(pinging, Verdict.UNREACHABLE, sent=2, returned=1, lost=1)

    def test_slowResolver(self) -> None:
        """
        The timeout applies to the resolution of a host name too: the probe is lost, and the ping goes on.
        """
        self.reactor.installNameResolver(SlowResolver())
        self.target = Target("udp", ("a.name", 8007))
        pinging = self.ping(2)
        for _ in range(2):
            self.clock.advance(2)
        self.assertDone(pinging, Verdict.TIMEOUT, sent=2, lost=2)

    def test_cancel(self) -> None:
        """
        Without a count the ping goes on until it is cancelled.
        """
        server = self.serve("udp")
        pinging = self.ping(None)
        for number in range(1, 6):
            self.echo(server)
            self.untilReturned(number)
            self.clock.advance(1)
        self.assertCancels(pinging)


class StreamTests(PingCase):
    """
    All probes use one connection.
    """

    #: How a server may close after it has read a probe: the bytes of the probe that it returns, and the verdict.
    CLOSES: ClassVar = [(0, Verdict.EOF), (PROBE_SIZE - 1, Verdict.SHORT), (1, Verdict.RESET)]

    def echo(self, connection: socket.socket, count: int) -> None:
        """
        Return the next probe in two segments, and wait until so many have returned.
        """
        probe = self.receive(connection, PROBE_SIZE)
        connection.sendall(probe[:20])
        self.turn(3)
        self.assertEqual(self.statistics.returned, count - 1)
        connection.sendall(probe[20:])
        self.untilReturned(count)

    def test_echo(self) -> None:
        """
        One probe leaves in each interval, which includes the time to connect, and returns however the network divides
        it: one segment may hold several replies. The ping closes cleanly.
        """
        for transport in ("tcp", "unix"):
            listener = self.serve(transport)
            pinging = self.ping(4)
            self.clock.advance(0.75)
            connection = self.accepted(listener)
            self.echo(connection, 1)
            self.clock.advance(0.25)
            self.echo(connection, 2)
            self.clock.advance(1)
            self.untilSent(3)
            self.clock.advance(1)
            connection.sendall(self.receive(connection, 2 * PROBE_SIZE))
            self.assertDone(pinging, Verdict.OK, sent=4, returned=4)
            self.assertEqual(self.receive(connection), b"")
            self.assertEqual(list(self.statistics.roundTripTimes), [0.0, 0.0, 1.0, 0.0])

    def test_reconnect(self) -> None:
        """
        A closed connection loses the outstanding probe; the next probe opens another connection.
        """
        for returned, verdict in self.CLOSES:
            listener = self.serve("tcp")
            pinging = self.ping(2)
            connection = self.accepted(listener)
            connection.sendall(self.receive(connection, PROBE_SIZE)[:returned])
            # A reset discards data that the client has not read.
            self.turn(3)
            if verdict is Verdict.RESET:
                closeWithReset(connection)
            else:
                connection.close()
            self.until(lambda: self.statistics.lastFailure)
            self.assertIs(self.statistics.verdict, verdict)
            self.clock.advance(1)
            self.echo(self.accepted(listener), 1)
            self.clock.advance(2)
            self.assertDone(pinging, verdict, sent=2, returned=1, lost=1)

    def test_closeAfterLastProbe(self) -> None:
        """
        If the server closes after the last probe, the ping ends, and fails only if a reply is missing.
        """
        for replies, verdict in ((1, Verdict.OK), (0, Verdict.EOF)):
            listener = self.serve("unix")
            pinging = self.ping(1)
            connection = self.accepted(listener)
            connection.sendall(self.receive(connection, PROBE_SIZE) * replies)
            connection.close()
            counts = {"returned": 1} if replies else {"lost": 1}
            self.assertDone(pinging, verdict, sent=1, **counts)

    def test_corrupt(self) -> None:
        """
        A corrupt reply closes the connection, because the boundaries of the next replies are unknown.
        """
        listener = self.serve("tcp")
        pinging = self.ping(2)
        connection = self.accepted(listener)
        connection.sendall(self.receive(connection, PROBE_SIZE)[1:] + b"?")
        self.until(lambda: self.statistics.corrupt)
        self.clock.advance(1)
        self.echo(self.accepted(listener), 1)
        self.clock.advance(2)
        self.assertDone(pinging, Verdict.CORRUPT, sent=2, returned=1, lost=1, corrupt=1)

    def test_lost(self) -> None:
        """
        After the timeout the ping aborts a connection with outstanding replies.
        """
        listener = self.serve("tcp")
        pinging = self.ping(1)
        connection = self.accepted(listener)
        self.receive(connection, PROBE_SIZE)
        self.turn(3)
        self.clock.advance(2)
        self.assertDone(pinging, Verdict.NO_ANSWER, sent=1, lost=1)
        self.assertRaises(ConnectionResetError, self.receive, connection)

    def test_restartedServer(self) -> None:
        """
        After a refused connection, the next probe connects again. Without a connection the ping does not wait for
        replies that are outstanding.
        """
        self.serve("tcp").close()
        pinging = self.ping(3)
        self.until(lambda: self.statistics.lastFailure)
        self.assertCounts(Verdict.REFUSED, sent=1, lost=1)
        listener = self.restart()
        self.clock.advance(1)
        connection = self.accepted(listener)
        self.receive(connection, PROBE_SIZE)
        self.statistics.lastFailure = None
        listener.close()
        connection.close()
        self.until(lambda: self.statistics.lastFailure)
        self.clock.advance(1)
        self.assertDone(pinging, Verdict.REFUSED, sent=3, lost=3)

    def test_cancel(self) -> None:
        """
        Without a count the ping goes on until it is cancelled, while it is connected or before.
        """
        listener = self.serve("tcp")
        pinging = self.ping(None)
        connection = self.accepted(listener)
        for number in range(1, 6):
            self.echo(connection, number)
            self.clock.advance(1)
        self.assertCancels(pinging)
        self.serve("tcp")
        self.assertCancels(self.ping(None))
