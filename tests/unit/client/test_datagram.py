"""
Datagrams from their client's side.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReadDescriptor, IResolutionReceiver
from twisted.internet.pollreactor import PollReactor
from twisted.internet.selectreactor import SelectReactor

from sockservices import DatagramResponder
from sockservices.client import DatagramClient, Target, Unanswered, Verdict, askDatagram
from sockservices.conversation.transport import Transport
from sockservices.responders import Echo
from sockservices.transports.bindings import Binding, InetBinding, UnixBinding
from sockservices.transports.endpoints import DatagramEndpoint
from tests.support.loop import descriptors
from tests.unit.client.test_verdict import SHORTLY, FarCase, Resolver

TCP, UDP, UNIX, UNIXGRAM = Transport

#: The longest datagram over IPv4, which has 16 bits for the length of all of it.
LONGEST = 65507


class Slow(Resolver):
    """
    Finds names when the test says so.
    """

    receiver: Any = None

    def resolveHostName(self, resolutionReceiver: Any, hostName: str, *_: Any, **__: Any) -> Any:
        """
        Begin.
        """
        IResolutionReceiver(resolutionReceiver).resolutionBegan(self)
        self.receiver = resolutionReceiver
        return self

    def found(self, *addresses: IPv4Address | IPv6Address) -> None:
        """
        Find these, and no more.
        """
        for address in addresses:
            self.receiver.addressResolved(address)
        self.receiver.resolutionComplete()


class DatagramCase(FarCase):
    """
    A test with clients.
    """

    def opened(self, place: Target) -> DatagramClient:
        """
        One that is open.
        """
        client = DatagramClient(place.address, reactor=self.reactor)
        self.addCleanup(client.close)
        self.wait(Deferred.fromCoroutine(client.open()))
        return client

    def refusing(self) -> Target:
        """
        Where nobody is: no one could be given that port of 127.0.0.1 unasked.
        """
        _, held = self.bound("udp", "127.0.0.2")
        return Target("udp", ("127.0.0.1", held.getsockname()[1]))

    def places(self) -> list[tuple[Target, socket.socket]]:
        """
        Who has an address, one of each kind.
        """
        name = f"@sockservices-test-{os.getpid()}"
        abstract = self.far(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        abstract.bind(f"\0{name[1:]}")
        return [
            self.bound("udp"),
            self.bound("udp", "::1"),
            self.bound("unixgram"),
            (Target("unixgram", name), abstract),
        ]


class AskTests(DatagramCase):
    """
    One datagram, and one reply.
    """

    def test_sizes(self) -> None:
        """
        Whole datagrams, of no byte or of as many as there can be, both ways.
        """
        for place, far in self.places():
            for size in (0, 1, 1473, LONGEST):
                words = os.urandom(size)
                asked = askDatagram(place.address, words, reactor=self.reactor)
                datagram, source = self.heardDatagram(far)
                self.assertTrue(datagram == words)
                far.sendto(words[::-1], source)
                self.assertTrue(self.wait(asked) == words[::-1])

    def test_longestOfIPv6(self) -> None:
        """
        IPv6 does not count its own header.
        """
        place, far = self.bound("udp", "::1")
        words = os.urandom(65527)
        asked = askDatagram(place.address, words, reactor=self.reactor)
        datagram, source = self.heardDatagram(far)
        far.sendto(datagram, source)
        self.assertTrue(self.wait(asked) == words)
        self.unanswered(askDatagram(place.address, words + b"!", reactor=self.reactor), Verdict.USAGE)

    def test_ourServices(self) -> None:
        """
        Our own echo answers over all that it is served on.
        """
        path = str(self.folder / "echo")
        name = f"@sockservices-echo-{os.getpid()}"
        bindings: list[Binding] = [InetBinding(UDP, 0), InetBinding(UDP, 0, "::1")]
        for binding in (*bindings, UnixBinding(UNIXGRAM, path), UnixBinding(UNIXGRAM, name)):
            protocol = DatagramResponder(Echo, clock=self.reactor)
            port: Any = self.wait(DatagramEndpoint(self.reactor, binding).listen(protocol))
            host = port.getHost()
            address = binding.path if isinstance(binding, UnixBinding) else (host.host, host.port)
            words = os.urandom(LONGEST)
            self.assertTrue(self.wait(askDatagram(address, words, reactor=self.reactor, expect=words)) == words)
            self.wait(port.stopListening())

    def test_strayFirst(self) -> None:
        """
        What comes from elsewhere is not the reply, nor does it keep the reply from coming.
        """
        for where in ("127.0.0.1", "::1"):
            place, far = self.bound("udp", where)
            _, another = self.bound("udp", where)
            asked = askDatagram(place.address, b"words", reactor=self.reactor)
            _, source = self.heardDatagram(far)
            for _ in range(3):
                another.sendto(b"stray", source)
            self.turn(3)
            self.assertNoResult(asked)
            far.sendto(b"reply", source)
            self.assertEqual(self.wait(asked), b"reply")

    def test_strayAndCorrupt(self) -> None:
        """
        A wrong reply is one, whatever else has come.
        """
        place, far = self.bound("udp")
        _, another = self.bound("udp")
        asked = askDatagram(place.address, b"words", reactor=self.reactor, expect=b"WORDS")
        _, source = self.heardDatagram(far)
        another.sendto(b"WORDS", source)
        self.turn(3)
        far.sendto(b"words", source)
        self.unanswered(asked, Verdict.CORRUPT)

    def test_strayAndRefusal(self) -> None:
        """
        A refusal is one, whatever else has come.
        """
        place, far = self.bound("udp")
        _, another = self.bound("udp")
        client = self.opened(place)
        client.send(b"words")
        _, source = self.heardDatagram(far)
        another.sendto(b"stray", source)
        received = client.receive()
        self.until(lambda: client.strays)
        far.close()
        client.send(b"more")
        self.unanswered(received, Verdict.REFUSED)

    def test_cancel(self) -> None:
        """
        Who cancels is told that, and no verdict; nothing is left.
        """
        for place, far in self.places():
            asked = askDatagram(place.address, b"words", reactor=self.reactor)
            self.heardDatagram(far)
            asked.cancel()
            self.assertRaises(CancelledError, self.wait, asked)
            self.assertQuiet()

    def test_quietAfterEach(self) -> None:
        """
        Whatever comes of it, its sockets are closed and nothing is left in the reactor.
        """
        place, far = self.bound("udp")
        before = descriptors()
        outcomes: list[Any] = [
            askDatagram(place.address, reactor=self.reactor, timeout=SHORTLY),
            askDatagram(place.address, bytes(LONGEST + 1), reactor=self.reactor),
            askDatagram(("127.255.255.255", 8007), reactor=self.reactor),
            askDatagram(str(self.folder / "none"), reactor=self.reactor),
            askDatagram("x" * 200, reactor=self.reactor),
        ]
        for outcome in outcomes:
            self.assertRaises(Unanswered, self.wait, outcome)
        for reply, expect in ((b"WORDS", b"WORDS"), (b"words", b"WORDS"), (b"", b"WORDS")):
            asked = askDatagram(place.address, b"words", reactor=self.reactor, expect=expect)
            while (heard := self.heardDatagram(far))[0] != b"words":
                pass
            far.sendto(reply, heard[1])
            self.wait(asked.addErrback(lambda failure: failure.trap(Unanswered)))
        self.assertQuiet()
        self.assertEqual(descriptors(), before)

    @settings(deadline=None, max_examples=100)
    @given(reply=st.binary(max_size=20), expect=st.none() | st.binary(max_size=20), same=st.booleans())
    def test_anyReply(self, reply: bytes, expect: bytes | None, same: bool) -> None:
        """
        The verdict on any reply to any expectation.
        """
        expect = reply if same else expect
        place, far = self.bound("udp")
        asked = askDatagram(place.address, reactor=self.reactor, expect=expect)
        far.sendto(reply, self.heardDatagram(far)[1])
        if expect is None or reply == expect:
            self.assertEqual(self.wait(asked), reply)
        elif expect.startswith(reply):
            self.assertEqual(self.unanswered(asked, Verdict.SHORT if reply else Verdict.EOF).answer, reply)
        else:
            self.assertEqual(self.unanswered(asked, Verdict.CORRUPT).answer, reply)


class NameTests(DatagramCase):
    """
    Hosts that are given by name.
    """

    def setUp(self) -> None:
        """
        A resolver that waits.
        """
        super().setUp()
        self.resolver = Slow()
        self.reactor.installNameResolver(self.resolver)

    def test_first(self) -> None:
        """
        The first address that a name has is asked, but one of IPv4 before any of IPv6: most servers are there.
        """
        place, far = self.bound("udp")
        asked = askDatagram(("a.name", place.address[1]), reactor=self.reactor)  # type: ignore[arg-type]
        self.resolver.found(IPv6Address("UDP", "::1", 0), IPv4Address("UDP", "127.0.0.1", 0))
        far.sendto(b"WORDS", self.heardDatagram(far)[1])
        self.assertEqual(self.wait(asked), b"WORDS")

    def test_addressesAreNotLookedUp(self) -> None:
        """
        An address needs nobody to find it.
        """
        for host in ("127.0.0.1", "::1"):
            place, far = self.bound("udp", host)
            asked = askDatagram((host, place.address[1]), reactor=self.reactor)  # type: ignore[arg-type]
            far.sendto(b"WORDS", self.heardDatagram(far)[1])
            self.assertEqual(self.wait(asked), b"WORDS")
        self.assertIs(self.resolver.receiver, None)

    def test_givenUp(self) -> None:
        """
        Who looks it up too slowly is not waited for; when the address comes after all, nothing happens.
        """
        asked = askDatagram(("a.name", 8007), reactor=self.reactor, timeout=SHORTLY)
        self.unanswered(asked, Verdict.TIMEOUT)
        self.resolver.found(IPv4Address("UDP", "127.0.0.1", 0))
        asked = askDatagram(("a.name", 8007), reactor=self.reactor)
        asked.cancel()
        self.assertRaises(CancelledError, self.wait, asked)
        self.resolver.found(IPv4Address("UDP", "127.0.0.1", 0))
        self.assertQuiet()


class ClientTests(DatagramCase):
    """
    Many datagrams, on the reactor that is this system's own.
    """

    def test_interface(self) -> None:
        """
        What the reactor watches is what it wants.
        """
        client = self.opened(self.bound("udp")[0])
        client.receive().addErrback(lambda failure: failure.trap(CancelledError))
        readers = set(self.reactor.getReaders()) - self.reactor._internalReaders
        self.assertEqual(len(readers), 2, "one for the peer, one for strays")
        for reader in readers:
            self.assertTrue(IReadDescriptor.providedBy(reader) and reader.logPrefix())

    def test_conversation(self) -> None:
        """
        As many as one likes, in any order; what comes waits until it is asked for.
        """
        for place, far in self.places():
            client = self.opened(place)
            for word in (b"one", b"two"):
                client.send(word)
            (one, source), (two, _) = self.heardDatagram(far), self.heardDatagram(far)
            self.assertEqual((one, two), (b"one", b"two"))
            for word in (b"ONE", b"", b"TWO"):
                far.sendto(word, source)
            self.assertQuiet()
            self.assertEqual([self.wait(client.receive()) for _ in range(3)], [b"ONE", b"", b"TWO"])

    def test_receivesInAnAnswer(self) -> None:
        """
        Who is given one may ask for the next at once.
        """
        place, far = self.bound("udp")
        client = self.opened(place)
        heard: list[bytes] = []

        def again(said: bytes) -> None:
            heard.append(said)
            client.receive().addCallbacks(again, lambda failure: failure.trap(CancelledError))

        client.receive().addCallback(again)
        client.send(b"words")
        _, source = self.heardDatagram(far)
        for word in (b"one", b"two", b"three"):
            far.sendto(word, source)
        self.until(lambda: len(heard) == 3)
        self.assertEqual(heard, [b"one", b"two", b"three"])

    def test_timeout(self) -> None:
        """
        After a timeout one may go on; so after a cancellation.
        """
        place, far = self.bound("udp")
        client = self.opened(place)
        client.send(b"words")
        _, source = self.heardDatagram(far)
        self.unanswered(client.receive(SHORTLY), Verdict.TIMEOUT)
        received = client.receive(10)
        received.cancel()
        self.failureResultOf(received, CancelledError)
        self.assertQuiet()
        far.sendto(b"late", source)
        self.assertEqual(self.wait(client.receive(10)), b"late")

    def test_oneReceives(self) -> None:
        """
        Two at once could not know who gets what.
        """
        client = self.opened(self.bound("udp")[0])
        client.receive().addErrback(lambda failure: failure.trap(CancelledError))
        self.assertRaises(AssertionError, client.receive)

    def test_refused(self) -> None:
        """
        A refusal is heard at once, by who receives or else by who sends next; after that, there may be somebody.
        """
        client = self.opened(self.refusing())
        received = client.receive()
        client.send(b"words")
        self.unanswered(received, Verdict.REFUSED)
        client.send(b"words")
        fault = self.assertRaises(Unanswered, client.send, b"words")
        assert isinstance(fault, Unanswered)
        self.assertIs(fault.verdict, Verdict.REFUSED)
        place = self.refusing()
        client = self.opened(place)
        client.send(b"words")
        self.unanswered(client.receive(), Verdict.REFUSED)
        far = self.far(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        far.bind(place.address)
        client.send(b"words")
        far.sendto(b"WORDS", self.heardDatagram(far)[1])
        self.assertEqual(self.wait(client.receive()), b"WORDS")

    def test_refusalHeardElsewhere(self) -> None:
        """
        Who receives goes on when the refusal that woke it was heard by who sends.
        """
        places = [self.refusing(), self.refusing()]
        clients = [self.opened(place) for place in places]
        woken: list[int] = []

        def sendOther(_: object, number: int) -> None:
            woken.append(number)
            self.assertRaises(Unanswered, clients[1 - number].send, b"more")

        received = [client.receive() for client in clients]
        for number in (0, 1):
            # One of them is woken first, and takes what the other was to be woken for.
            received[number].addErrback(sendOther, number)
            clients[number].send(b"words")
        self.turn(2)
        (first,) = woken
        other = 1 - first
        far = self.far(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        far.bind(places[other].address)
        self.assertNoResult(received[other])
        clients[other].send(b"words")
        far.sendto(b"WORDS", self.heardDatagram(far)[1])
        self.assertEqual(self.wait(received[other]), b"WORDS")

    def test_strays(self) -> None:
        """
        What comes from elsewhere is counted while something is awaited, with where it came from.
        """
        place, far = self.bound("udp")
        other, another = self.bound("udp")
        client = self.opened(place)
        client.send(b"words")
        _, source = self.heardDatagram(far)
        received = client.receive()
        for number in (1, 2):
            another.sendto(b"stray", source)
            self.turn(2)
            self.assertEqual(client.strays, number)
        self.assertEqual(client.stray, str(other)[6:])
        far.sendto(b"reply", source)
        self.assertEqual(self.wait(received), b"reply")

    def test_unixHasNoStrays(self) -> None:
        """
        A connected Unix socket hears nobody else: the kernel tells them so.
        """
        place, far = self.bound("unixgram")
        _, another = self.bound("unixgram")
        client = self.opened(place)
        client.send(b"words")
        _, source = self.heardDatagram(far)
        self.assertRaises(PermissionError, another.sendto, b"stray", source)

    def test_ownPort(self) -> None:
        """
        No two have one port: each would get what is the other's.
        """
        place, far = self.bound("udp")
        sources = set()
        for _ in range(400):
            client = self.opened(place)
            client.send(b"words")
            sources.add(self.heardDatagram(far)[1])
        self.assertEqual(len(sources), 400)

    def test_host(self) -> None:
        """
        It knows where it sends from.
        """
        for place, far in self.places()[:2]:
            client = self.opened(place)
            client.send(b"words")
            self.assertEqual(client.host, self.heardDatagram(far)[1][:2])

    def test_fullQueue(self) -> None:
        """
        What the kernel has no room for is lost, as it may be anywhere on its way.
        """
        place, far = self.bound("unixgram")
        client = self.opened(place)
        for _ in range(10_000):
            client.send(b"words")
        self.assertEqual(self.heardDatagram(far)[0], b"words")

    def test_close(self) -> None:
        """
        It can be closed at any time, and more than once. Who waits is told.
        """
        place, _ = self.bound("udp")
        client = DatagramClient(place.address, reactor=self.reactor)
        client.close()
        client = self.opened(place)
        received = client.receive(10)
        client.close()
        client.close()
        self.failureResultOf(received, CancelledError)
        self.assertQuiet()


class PollTests(ClientTests):
    """
    On another reactor.
    """

    def makeReactor(self) -> Any:
        """
        One that no other test has seen.
        """
        return PollReactor()


class SelectTests(ClientTests):
    """
    On the reactor that is everywhere.
    """

    def makeReactor(self) -> Any:
        """
        One that no other test has seen.
        """
        return SelectReactor()

    def test_ownPort(self) -> None:
        """
        C{select()} knows no descriptor beyond 1023.
        """
