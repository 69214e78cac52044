"""
Requests and replies over datagrams, and the datagram client.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.pollreactor import PollReactor
from twisted.internet.selectreactor import SelectReactor

from sockservices import DatagramResponder
from sockservices.client import DatagramClient, RequestFailed, Target, Verdict, askDatagram
from sockservices.conversation.transport import Transport
from sockservices.responders import Echo
from sockservices.transports.bindings import Binding, InetBinding, UnixBinding
from sockservices.transports.endpoints import DatagramEndpoint
from tests.support.client import SHORT_TIMEOUT, ClientCase, SlowResolver
from tests.support.loop import descriptors

#: The longest UDP payload over IPv4: 65,535 bytes less an IP header of 20 and a UDP header of 8 (RFC 791, RFC 768).
MAX_UDP4 = 65507

#: The longest UDP payload over IPv6, whose length field does not count the IP header (RFC 8200 section 3).
MAX_UDP6 = 65527


class DatagramCase(ClientCase):
    """
    A test with datagram clients.
    """

    def opened(self, target: Target) -> DatagramClient:
        """
        Open a client.
        """
        client = DatagramClient(target.address, reactor=self.reactor)
        self.addCleanup(client.close)
        self.wait(Deferred.fromCoroutine(client.open()))
        return client

    def exchanged(self, remote: socket.socket, client: DatagramClient) -> Any:
        """
        Send a datagram from the client.

        @return: the client's address.
        """
        client.send(b"data")
        datagram, source = self.receivedDatagram(remote)
        self.assertEqual(datagram, b"data")
        return source

    def rebound(self, target: Target) -> socket.socket:
        """
        Bind a new socket to an address that has none.
        """
        remote = self.remote(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        remote.bind(target.address)
        return remote

    def everyKind(self) -> list[tuple[Target, socket.socket]]:
        """
        Bind a socket of each kind.
        """
        name = f"@sockservices-test-{os.getpid()}"
        abstract = self.remote(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        abstract.bind(f"\0{name[1:]}")
        others = [self.bound("udp"), self.bound("udp", "::1"), self.bound("unixgram")]
        return [*others, (Target("unixgram", name), abstract)]


class AskDatagramTests(DatagramCase):
    """
    Tests for L{askDatagram}.
    """

    def test_sizes(self) -> None:
        """
        Datagrams from the shortest to the longest arrive whole, both ways.
        """
        for number, (target, remote) in enumerate(self.everyKind()):
            for size in (0, 1, 1473, MAX_UDP6 if number == 1 else MAX_UDP4):
                message = os.urandom(size)
                reply = askDatagram(target.address, message, reactor=self.reactor)
                datagram, source = self.receivedDatagram(remote)
                self.assertTrue(datagram == message)
                remote.sendto(message[::-1], source)
                self.assertTrue(self.wait(reply) == message[::-1])
        tooLong = askDatagram(self.bound("udp", "::1")[0].address, bytes(MAX_UDP6 + 1), reactor=self.reactor)
        self.assertFails(tooLong, Verdict.USAGE)

    def test_ownEchoService(self) -> None:
        """
        The project's echo service answers on every kind of datagram socket.
        """
        name = f"@sockservices-echo-{os.getpid()}"
        bindings: list[Binding] = [InetBinding(Transport.UDP, 0), InetBinding(Transport.UDP, 0, "::1")]
        bindings += [UnixBinding(Transport.UNIXGRAM, path) for path in (str(self.folder / "echo"), name)]
        for binding in bindings:
            protocol = DatagramResponder(Echo, clock=self.reactor)
            port: Any = self.wait(DatagramEndpoint(self.reactor, binding).listen(protocol))
            host = port.getHost()
            address = binding.path if isinstance(binding, UnixBinding) else (host.host, host.port)
            message = os.urandom(MAX_UDP4)
            self.assertTrue(self.wait(askDatagram(address, message, reactor=self.reactor, expect=message)) == message)
            self.wait(port.stopListening())

    def test_wrongSourceFirst(self) -> None:
        """
        Datagrams from a wrong source do not end the wait for the reply, nor change its verdict.
        """
        for host in ("127.0.0.1", "::1"):
            for sent, verdict in ((b"DATA", Verdict.OK), (b"data", Verdict.CORRUPT)):
                target, remote = self.bound("udp", host)
                _, other = self.bound("udp", host)
                reply = askDatagram(target.address, b"data", reactor=self.reactor, expect=b"DATA")
                _, source = self.receivedDatagram(remote)
                for _ in range(3):
                    other.sendto(b"DATA", source)
                self.turn(3)
                self.assertNoResult(reply)
                remote.sendto(sent, source)
                if verdict is Verdict.OK:
                    self.assertEqual(self.wait(reply), sent)
                else:
                    self.assertFails(reply, verdict)

    def test_cancel(self) -> None:
        """
        A cancellation stays a L{CancelledError}, and closes the sockets.
        """
        for target, remote in self.everyKind():
            reply = askDatagram(target.address, b"data", reactor=self.reactor)
            self.receivedDatagram(remote)
            reply.cancel()
            self.assertRaises(CancelledError, self.wait, reply)
            self.assertQuiet()

    def test_closesSockets(self) -> None:
        """
        Every failure closes the sockets, and leaves nothing in the reactor.
        """
        target, remote = self.bound("udp")
        before = descriptors()
        for request in (
            askDatagram(target.address, reactor=self.reactor, timeout=SHORT_TIMEOUT),
            askDatagram(target.address, bytes(MAX_UDP4 + 1), reactor=self.reactor),
            askDatagram(("127.255.255.255", 8007), reactor=self.reactor),
            askDatagram(str(self.folder / "none"), reactor=self.reactor),
            askDatagram("x" * 200, reactor=self.reactor),
        ):
            self.assertRaises(RequestFailed, self.wait, request)
        # The datagram of the request that timed out.
        self.receivedDatagram(remote)
        for sent, expect in ((b"DATA", b"DATA"), (b"data", b"DATA"), (b"", b"DATA")):
            reply = askDatagram(target.address, b"data", reactor=self.reactor, expect=expect)
            remote.sendto(sent, self.receivedDatagram(remote)[1])
            self.wait(reply.addErrback(lambda failure: failure.trap(RequestFailed)))
        self.assertQuiet()
        self.assertEqual(descriptors(), before)


class NameTests(DatagramCase):
    """
    Tests for host names.
    """

    def setUp(self) -> None:
        """
        Install the resolver.
        """
        super().setUp()
        self.resolver = SlowResolver()
        self.reactor.installNameResolver(self.resolver)

    def askHost(self, host: str, target: Target) -> Deferred[bytes]:
        """
        Send a request to a host, on the port of a target.
        """
        return askDatagram((host, int(target.address[1])), reactor=self.reactor)

    def test_prefersIPv4(self) -> None:
        """
        Of several addresses, the client uses the first IPv4 address.
        """
        target, remote = self.bound("udp")
        reply = self.askHost("a.name", target)
        self.resolver.complete(
            IPv6Address("UDP", "::1", 0), IPv4Address("UDP", "127.0.0.1", 0), IPv4Address("UDP", "127.0.0.3", 0)
        )
        remote.sendto(b"DATA", self.receivedDatagram(remote)[1])
        self.assertEqual(self.wait(reply), b"DATA")

    def test_addresses(self) -> None:
        """
        IP addresses are not resolved.
        """
        for host in ("127.0.0.1", "::1"):
            target, remote = self.bound("udp", host)
            reply = self.askHost(host, target)
            remote.sendto(b"DATA", self.receivedDatagram(remote)[1])
            self.assertEqual(self.wait(reply), b"DATA")
        self.assertEqual(self.resolver.names, [])

    def test_slowResolver(self) -> None:
        """
        The timeout and a cancellation apply to name resolution too. A late address is ignored. C{open()} has a timeout
        of its own.
        """
        reply = askDatagram(("a.name", 8007), reactor=self.reactor, timeout=SHORT_TIMEOUT)
        self.assertFails(reply, Verdict.TIMEOUT)
        self.resolver.complete(IPv4Address("UDP", "127.0.0.1", 0))
        reply = askDatagram(("a.name", 8007), reactor=self.reactor)
        reply.cancel()
        self.assertRaises(CancelledError, self.wait, reply)
        self.resolver.complete(IPv4Address("UDP", "127.0.0.1", 0))
        client = DatagramClient(("a.name", 8007), reactor=self.reactor)
        self.assertFails(Deferred.fromCoroutine(client.open(SHORT_TIMEOUT)), Verdict.TIMEOUT)
        self.assertQuiet()


class DatagramClientTests(DatagramCase):
    """
    Tests for L{DatagramClient}, on an epoll reactor.
    """

    def test_interface(self) -> None:
        """
        The reactor watches one socket for the peer and one for wrong sources.
        """
        client = self.opened(self.bound("udp")[0])
        client.receive().addErrback(lambda failure: failure.trap(CancelledError))
        readers = set(self.reactor.getReaders()) - self.reactor._internalReaders
        self.assertEqual(len(readers), 2)
        for reader in readers:
            self.assertTrue(IReadDescriptor.providedBy(reader) and reader.logPrefix())

    def test_sendAndReceive(self) -> None:
        """
        Datagrams wait in the kernel, in order, until they are received. The client has its local address.
        """
        for target, remote in self.everyKind():
            client = self.opened(target)
            for message in (b"one", b"two"):
                client.send(message)
            (one, source), (two, _) = self.receivedDatagram(remote), self.receivedDatagram(remote)
            self.assertEqual((one, two), (b"one", b"two"))
            if not target.transport.startswith("unix"):
                self.assertEqual(client.host, source[:2])
            for message in (b"ONE", b"", b"TWO"):
                remote.sendto(message, source)
            self.assertQuiet()
            self.assertEqual([self.wait(client.receive()) for _ in range(3)], [b"ONE", b"", b"TWO"])

    def test_receiveInCallback(self) -> None:
        """
        A callback of one receive may start the next.
        """
        target, remote = self.bound("udp")
        client = self.opened(target)
        received: list[bytes] = []

        def receiveNext(datagram: bytes) -> None:
            received.append(datagram)
            client.receive().addCallbacks(receiveNext, lambda failure: failure.trap(CancelledError))

        client.receive().addCallback(receiveNext)
        source = self.exchanged(remote, client)
        for message in (b"one", b"two", b"three"):
            remote.sendto(message, source)
        self.until(lambda: len(received) == 3)
        self.assertEqual(received, [b"one", b"two", b"three"])

    def test_timeoutAndCancel(self) -> None:
        """
        After a timeout or a cancellation, the client can receive again. Two receives at the same time are an error of
        the caller.
        """
        target, remote = self.bound("udp")
        client = self.opened(target)
        source = self.exchanged(remote, client)
        self.assertFails(client.receive(SHORT_TIMEOUT), Verdict.TIMEOUT)
        received = client.receive(10)
        self.assertRaises(AssertionError, client.receive)
        received.cancel()
        self.failureResultOf(received, CancelledError)
        self.assertQuiet()
        remote.sendto(b"late", source)
        self.assertEqual(self.wait(client.receive(10)), b"late")

    def test_refused(self) -> None:
        """
        A refusal fails a waiting receive, or else the next send or receive. After it, the client works again.
        """
        target = self.refusing()
        client = self.opened(target)
        received = client.receive()
        client.send(b"data")
        self.assertFails(received, Verdict.REFUSED)
        client.send(b"data")
        failure = self.assertRaises(RequestFailed, client.send, b"data")
        assert isinstance(failure, RequestFailed)
        self.assertIs(failure.verdict, Verdict.REFUSED)
        client.send(b"data")
        self.assertFails(client.receive(), Verdict.REFUSED)
        remote = self.rebound(target)
        remote.sendto(b"DATA", self.exchanged(remote, client))
        self.assertEqual(self.wait(client.receive()), b"DATA")

    def test_refusalTakenBySend(self) -> None:
        """
        A receive goes on when a send takes the error that made the socket readable.
        """
        targets = [self.refusing(), self.refusing()]
        clients = [self.opened(target) for target in targets]
        woken: list[int] = []

        def sendFromOther(_: object, number: int) -> None:
            woken.append(number)
            self.assertRaises(RequestFailed, clients[1 - number].send, b"more")

        received = [client.receive() for client in clients]
        for number in (0, 1):
            # The reactor reports both sockets in one turn. The first takes the error of the second.
            received[number].addErrback(sendFromOther, number)
            clients[number].send(b"data")
        self.turn(2)
        (first,) = woken
        second = 1 - first
        remote = self.rebound(targets[second])
        self.assertNoResult(received[second])
        remote.sendto(b"DATA", self.exchanged(remote, clients[second]))
        self.assertEqual(self.wait(received[second]), b"DATA")

    def test_wrongSource(self) -> None:
        """
        During a receive, datagrams from wrong sources are counted, and the client has the address of the last source.
        A refusal that follows them is reported.
        """
        target, remote = self.bound("udp")
        otherTarget, other = self.bound("udp")
        client = self.opened(target)
        source = self.exchanged(remote, client)
        received = client.receive()
        for number in (1, 2):
            other.sendto(b"data", source)
            self.turn(2)
            self.assertEqual(client.wrongSourceCount, number)
        self.assertEqual(client.lastWrongSource, str(otherTarget)[6:])
        remote.sendto(b"reply", source)
        self.assertEqual(self.wait(received), b"reply")
        received = client.receive()
        remote.close()
        client.send(b"more")
        self.assertFails(received, Verdict.REFUSED)

    def test_unixRejectsOtherSenders(self) -> None:
        """
        Only the peer may send to a connected Unix socket (unix(7)).
        """
        target, remote = self.bound("unixgram")
        _, other = self.bound("unixgram")
        source = self.exchanged(remote, self.opened(target))
        self.assertRaises(PermissionError, other.sendto, b"data", source)

    def test_distinctPorts(self) -> None:
        """
        No two clients share a port, although their sockets set SO_REUSEADDR.
        """
        target, remote = self.bound("udp")
        self.assertEqual(len({self.exchanged(remote, self.opened(target)) for _ in range(400)}), 400)

    def test_fullQueue(self) -> None:
        """
        A full queue loses datagrams without an error.
        """
        target, remote = self.bound("unixgram")
        client = self.opened(target)
        for _ in range(10_000):
            client.send(b"data")
        self.assertEqual(self.receivedDatagram(remote)[0], b"data")

    def test_failedOpen(self) -> None:
        """
        A client that cannot be opened has no open socket.
        """
        before = descriptors()
        client = DatagramClient("/no/such/socket", reactor=self.reactor)
        self.assertFails(Deferred.fromCoroutine(client.open()), Verdict.UNREACHABLE)
        self.assertEqual(descriptors(), before)
        client.close()

    def test_close(self) -> None:
        """
        A client may be closed before it is open, and twice. Closing cancels a waiting receive.
        """
        target, _ = self.bound("udp")
        DatagramClient(target.address, reactor=self.reactor).close()
        client = self.opened(target)
        received = client.receive(10)
        client.close()
        client.close()
        self.failureResultOf(received, CancelledError)
        self.assertQuiet()


class PollTests(DatagramClientTests):
    """
    The same tests on a poll reactor.
    """

    def makeReactor(self) -> Any:
        """
        Make the reactor.
        """
        return PollReactor()


class SelectTests(DatagramClientTests):
    """
    The same tests on a select reactor.
    """

    def makeReactor(self) -> Any:
        """
        Make the reactor.
        """
        return SelectReactor()

    def test_distinctPorts(self) -> None:
        """
        Skip: C{select()} takes no descriptor above 1023.
        """
