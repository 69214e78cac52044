"""
Conversations of one datagram and its reply.
"""

from __future__ import annotations

import errno
import json
import os
import socket
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import InvalidAddressError, MessageLengthError
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock
from twisted.internet.testing import FakeDatagramTransport

from sockservices import Census, Conversation, DatagramResponder, Outcome, Policy, Responder, Visit
from sockservices.conversation.responder import MakeResponder
from sockservices.registry import find, names
from sockservices.responders import Chargen, Daytime, Discard, Echo, Greet, Hello, Quote, Upper, Users, Welcome, Whoami
from tests.support.peer import LogCase, fixedEnvironment

HOST = IPv4Address("UDP", "127.0.0.1", 8007)

#: A peer on this host, which is exempt from the rate by default, and one elsewhere.
HERE, THERE = ("127.0.0.1", 40000), ("192.0.2.7", 40000)

#: The longest datagrams of IPv4, and of IPv6.
LONGEST, LONGEST6 = 65507, 65527


class Transport:
    """
    All that is asked of a transport.

    @ivar destination: what the next datagram was sent to, as far as that is known.
    @ivar fault: what writing raises.
    """

    maxPacketSize = 8192
    destination: str | None = None
    fault: Exception | None = None

    def __init__(self, host: IAddress = HOST) -> None:
        self.written: list[tuple[bytes, Any]] = []
        self._host = host

    def getHost(self) -> IAddress:
        """
        The address it is bound to.
        """
        return self._host

    def write(self, datagram: bytes, addr: Any) -> None:
        """
        Keep the datagram, or raise.
        """
        if self.fault is not None:
            raise self.fault
        self.written.append((datagram, addr))


class DatagramCase(LogCase):
    """
    A test of datagrams. When it is over each has been counted once, and recorded once.
    """

    def setUp(self) -> None:
        """
        Nothing has come yet.
        """
        super().setUp()
        self.clock = Clock()
        self.census = Census(fixedEnvironment(server="h"))
        self.visits: list[Visit] = []

    def listen(
        self, responder: MakeResponder, host: IAddress = HOST, **limits: Any
    ) -> tuple[DatagramResponder, Transport]:
        """
        A protocol, connected to a transport.
        """
        transport: Any = Transport(host)
        protocol = DatagramResponder(responder, Policy(**limits), self.visits.append, self.clock, self.census)
        protocol.makeConnection(transport)
        return protocol, transport

    def asked(self, responder: MakeResponder, *datagrams: bytes, addr: Any = HERE, **limits: Any) -> list[bytes]:
        """
        The replies to some datagrams, which go to where these came from.
        """
        protocol, transport = self.listen(responder, **limits)
        for datagram in datagrams:
            protocol.datagramReceived(datagram, addr)
        protocol.doStop()
        self.assertEqual({to for _, to in transport.written} - {addr}, set())
        return [reply for reply, _ in transport.written]

    @property
    def outcomes(self) -> list[Outcome]:
        """
        What became of the datagrams, in their order.
        """
        return [visit.outcome for visit in self.visits]

    def tearDown(self) -> None:
        """
        Compare what was counted with what was recorded.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(sum(self.census.outcomes.values()), len(self.visits))
        for outcome in self.census.outcomes:
            self.assertEqual(self.census.outcomes[outcome], self.outcomes.count(outcome))
        super().tearDown()


class ReplyTests(DatagramCase):
    """
    The content of replies.
    """

    def test_everyService(self) -> None:
        """
        Each service answers a datagram as it answers a stream with this one message.
        """
        self.assertEqual(self.asked(Echo, b"hi~", b"\0\xff"), [b"hi~", b"\0\xff"])
        self.assertEqual(self.asked(Upper, b"Hello \xc3\xa4"), [b"HELLO \xc3\xa4"])
        self.assertEqual(self.asked(Discard, b"hi~", b""), [])
        self.assertEqual(self.asked(Hello, b"hi~", b""), [b"hello", b"hello"])
        self.assertEqual(self.asked(Greet, b"hi~"), [b"connected"])
        self.assertEqual(self.asked(Welcome, b"1", b"2", b""), [b"welcome to server!"] + [b"please go out!"] * 2)
        self.assertEqual(self.asked(Daytime, b""), [b"Sat Nov 21 00:26:40 2026\r\n"])
        self.assertEqual(self.asked(Users, b"who?"), [b"ada\r\n"])
        self.assertEqual(set(self.outcomes), {Outcome.DONE})

    def test_datagramAnsweredWhole(self) -> None:
        """
        A datagram of any length, 0 to 65,507 bytes or 65,527 over IPv6, gets one reply.
        """
        for addr, longest in ((HERE, LONGEST), (("::1", 40000), LONGEST6)):
            datagrams = [os.urandom(size) for size in (0, 1, 512, 8192, 8193, longest)]
            self.assertEqual(self.asked(Echo, *datagrams, addr=addr), datagrams)
            self.assertEqual(self.asked(Echo, *datagrams, addr=addr, udpRfcSize=True), datagrams)

    def test_emptyReply(self) -> None:
        """
        C{b""} is an empty datagram, and L{None} is no reply.
        """
        self.census = Census(fixedEnvironment(users=list))
        self.assertEqual(self.asked(Users, b"who?"), [b""])
        self.assertEqual(self.asked(Discard, b"who?"), [])
        self.assertEqual([(visit.sent, visit.outcome) for visit in self.visits], [(0, Outcome.DONE)] * 2)

    def test_greetingAndAnswerAreOneReply(self) -> None:
        """
        The greeting and the answer are sent in one datagram.
        """

        class Both(Echo):
            def greeting(self) -> bytes:
                return b"you said: "

        class Mute(Both):
            def answer(self, message: bytes) -> None:  # type: ignore[override]
                return None

        self.assertEqual(self.asked(Both, b"hi~"), [b"you said: hi~"])
        self.assertEqual(self.asked(Mute, b"hi~"), [b"you said: "])

    def test_responderKnowsTheDatagram(self) -> None:
        """
        The responder knows the peer, the host and the serial number. No state is kept between datagrams.
        """
        seen: list[tuple[Any, ...]] = []

        def make(conversation: Conversation) -> Responder:
            seen.append((conversation.transport, conversation.peer, conversation.host, conversation.serial))
            return Echo(conversation)

        self.asked(make, b"1", b"2")
        self.asked(make, b"3", addr=("::1", 40000))
        peer = IPv4Address("UDP", *HERE)
        self.assertEqual(seen[:2], [("udp", peer, HOST, 1), ("udp", peer, HOST, 2)])
        self.assertEqual(seen[2][1], IPv6Address("UDP", "::1", 40000))

    def test_unixDatagrams(self) -> None:
        """
        The reply to a Unix datagram goes to its source path and may have any length.
        """
        protocol, transport = self.listen(Whoami, UNIXAddress("/run/whoami.sock"))
        for path in ("/tmp/client.sock", b"\0abstract"):
            protocol.datagramReceived(b"", path)
        (first, _), (second, to) = transport.written
        seen = {"peer": "/tmp/client.sock", "host": "/run/whoami.sock", "transport": "unixgram", "serial": 1}
        self.assertEqual(json.loads(first), {**seen, "server": "h"})
        self.assertEqual((json.loads(second)["peer"], to), ("@abstract", b"\0abstract"))
        self.assertEqual(self.visits[0].peer, UNIXAddress("/tmp/client.sock"))
        self.assertEqual(self.visits[0].transport, "unixgram")

    def test_fakeDatagramTransport(self) -> None:
        """
        The protocol works with Twisted's fake transport, which has no address.
        """
        transport, protocol = FakeDatagramTransport(), DatagramResponder(Whoami, Policy(udpRfcSize=True))
        protocol.makeConnection(transport)
        protocol.datagramReceived(b"", HERE)
        protocol.doStop()
        ((reply, addr),) = transport.written
        self.assertEqual((json.loads(reply)["host"], addr), (None, HERE))
        self.assertEqual(protocol.census.outcomes, {Outcome.DONE: 1})


class SizeTests(DatagramCase):
    """
    The limits on sizes.
    """

    def test_neverLongerThanTheRequest(self) -> None:
        """
        No reply has more bytes than the request, or 40 if that is more, and there is at most one.
        """
        for name in names():
            protocol, transport = self.listen(find(name))
            for size in range(601):
                transport.written.clear()
                protocol.datagramReceived(bytes(size), HERE)
                self.assertLessEqual(len(transport.written), 1)
                for reply, _ in transport.written:
                    self.assertLessEqual(len(reply), max(size, 40), name)

    def test_repliesAreCutToFit(self) -> None:
        """
        Generated output is cut at any byte, a list after a line, and a quote is chosen that fits.
        """
        self.census = Census(fixedEnvironment(users=lambda: ["ada", "grace", "x" * 40]))
        two = b"ada\r\ngrace\r\n"
        self.assertEqual(self.asked(Users, b"", bytes(100)), [two, two + b"x" * 40 + b"\r\n"])
        self.assertTrue(all(0 < len(quote) <= 40 for quote in self.asked(Quote, *[b""] * 50)))
        self.assertEqual({len(talk) > 40 for talk in self.asked(Chargen, *[b""] * 50)}, {False})
        self.assertEqual({len(talk) > 512 for talk in self.asked(Chargen, *[bytes(1000)] * 50)}, {False})

    def test_replyThatDoesNotFitIsNotSent(self) -> None:
        """
        A reply that does not fit and cannot be cut is not sent.
        """
        self.assertEqual(self.asked(Whoami, b""), [])
        self.assertEqual(self.outcomes, [Outcome.WITHHELD])
        self.assertEqual(self.visits[0].sent, 0)
        self.assertEqual(len(self.asked(Whoami, bytes(200))), 1)

    def test_rfcSize(self) -> None:
        """
        With C{udpRfcSize} replies have the size of the RFCs.
        """
        self.assertEqual(len(self.asked(Whoami, b"", udpRfcSize=True)), 1)
        talks = self.asked(Chargen, *[b""] * 100, udpRfcSize=True)
        self.assertTrue(all(len(talk) <= 512 for talk in talks))
        self.assertTrue(any(len(talk) > 40 for talk in talks))
        self.assertTrue(all(len(quote) < 512 for quote in self.asked(Quote, *[b""] * 100, udpRfcSize=True)))

    def test_requestOverTheLimitIsDropped(self) -> None:
        """
        A request over C{udpMax} is dropped.
        """
        self.assertEqual(self.asked(Echo, bytes(10), bytes(11), udpMax=10), [bytes(10)])
        self.assertEqual(self.asked(Echo, bytes(11), addr=("192.0.2.7", 7), udpMax=10), [])
        self.assertEqual(self.outcomes, [Outcome.DONE, Outcome.TOO_LONG, Outcome.PRIVILEGED])
        self.assertEqual(len(self.asked(Echo, bytes(70_000), udpMax=0)), 1)

    def test_maxPacketSize(self) -> None:
        """
        The transport reads one byte more than the limit, so that a request over it is recognised.
        """
        self.assertEqual(self.listen(Echo)[1].maxPacketSize, LONGEST6 + 1)
        self.assertEqual(self.listen(Echo, udpMax=10)[1].maxPacketSize, 11)
        self.assertGreater(self.listen(Echo, udpMax=0)[1].maxPacketSize, LONGEST6)
        self.assertLess(self.listen(Echo, udpMax=10**9)[1].maxPacketSize, 2**20)


class RefusalTests(DatagramCase):
    """
    Datagrams that are not answered.
    """

    def test_sources(self) -> None:
        """
        The source and the destination of a datagram decide whether it is answered.
        """

        def make(conversation: Conversation) -> Responder:
            raise AssertionError("it was asked")

        protocol, transport = self.listen(make)
        table = [
            (("192.0.2.7", 0), None, Outcome.NO_PORT),
            (("192.0.2.7", 53), None, Outcome.PRIVILEGED),
            (("192.0.2.7", 2049), None, Outcome.PRIVILEGED),
            (("192.0.2.7", HOST.port), None, Outcome.OWN_PORT),
            (("0.0.0.0", 40000), None, Outcome.BAD_SOURCE),
            (("224.0.0.1", 40000), None, Outcome.BAD_SOURCE),
            (("::ffff:255.255.255.255", 40000), None, Outcome.BAD_SOURCE),
            (("127.0.0.1", 40000), "192.0.2.1", Outcome.BAD_SOURCE),
            (("192.0.2.7", 40000), "255.255.255.255", Outcome.BROADCAST),
            (("fe80::1%2", 40000), "ff02::1", Outcome.BROADCAST),
        ]
        for addr, transport.destination, outcome in table:
            protocol.datagramReceived(b"hi~", addr)
            self.assertIs(self.outcomes[-1], outcome)
        self.assertEqual(transport.written, [])

    def test_ownPorts(self) -> None:
        """
        A source port that any listener of the server is bound to is not answered. A port that was closed is.
        """
        echo, _ = self.listen(Echo)
        other, transport = self.listen(Chargen, IPv4Address("UDP", "127.0.0.1", 8019))
        again, _ = self.listen(Echo, IPv6Address("UDP", "::1", 8007))
        other.datagramReceived(b"", ("127.0.0.2", 8007))
        echo.doStop()
        other.datagramReceived(b"", ("127.0.0.2", 8007))
        again.doStop()
        other.datagramReceived(b"", ("127.0.0.2", 8007))
        self.assertEqual(self.outcomes, [Outcome.OWN_PORT, Outcome.OWN_PORT, Outcome.DONE])
        self.assertEqual((len(transport.written), list(self.census.udpPorts)), (1, [8019]))

    def test_ownUnixSockets(self) -> None:
        """
        The socket file of a listener counts as the server's own until the listener stops.
        """
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = f"{folder.name}/socket"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
            bound.bind(path)
        status = Path(path).stat()
        protocol, _ = self.listen(Echo, UNIXAddress(path.encode()))
        self.assertEqual(self.census.unixSockets, {(status.st_dev, status.st_ino)})
        protocol.doStop()
        self.assertEqual(self.census.unixSockets, set())

    def test_unixPeerWithoutAnAddress(self) -> None:
        """
        A Unix peer without an address gets no reply. Its datagram is processed.
        """
        self.assertEqual(self.asked(Echo, b"hi~", addr=None), [])
        self.assertEqual(self.asked(Discard, b"hi~", addr=None), [])
        self.assertEqual(self.outcomes, [Outcome.UNNAMED, Outcome.DONE])
        self.assertIn("echo unixgram - not answered: unnamed source", self.lines()[0])
        self.assertEqual(self.visits[0], Visit("echo", "unixgram", None, 1, 0.0, 3, 0, Outcome.UNNAMED))

    def test_failedSendIsCounted(self) -> None:
        """
        A reply that the kernel rejects is counted as unsent. The next datagram is answered.
        """
        protocol, transport = self.listen(Echo)
        numbers = ("EAGAIN", "ENOBUFS", "EPERM", "ENETUNREACH", "EHOSTUNREACH", "EINVAL", "EMSGSIZE", "ECONNREFUSED")
        faults: list[Exception] = [OSError(getattr(errno, name), name) for name in (*numbers, "ENOENT", "EACCES")]
        faults += [MessageLengthError("too long"), InvalidAddressError("::1", "v6 from v4"), ValueError("no")]
        for fault in faults:
            transport.fault = fault
            protocol.datagramReceived(b"hi~", HERE)
            transport.fault = None
            protocol.datagramReceived(b"hi~", HERE)
        self.assertEqual(self.outcomes, [Outcome.UNSENT, Outcome.DONE] * len(faults))
        self.assertEqual([visit.sent for visit in self.visits], [0, 3] * len(faults))

    def test_responderThatRaises(self) -> None:
        """
        A responder that raises sends no reply, and one line is logged.
        """
        for where in ("__init__", "greeting", "answer"):

            def fail(*_: object) -> None:
                raise RuntimeError("as told\n\x1b[31m")

            self.assertEqual(self.asked(type("Faulty", (Echo,), {where: fail}), b"hi~"), [])
            (line,) = self.lines()
            self.assertRegex(line, r"\Aecho udp 127.0.0.1:40000 not answered: error, RuntimeError.* at .*py:\d+ \(")
            self.assertTrue(line.isprintable())
        self.assertEqual(self.outcomes, [Outcome.ERROR] * 3)

    def test_repliesOfTheWrongType(self) -> None:
        """
        A reply that is not bytes is an error of the responder.
        """

        class Strict(Transport):
            def write(self, datagram: bytes, addr: Any) -> None:
                super().write(b"" + datagram, addr)

        transport: Any = Strict()
        responder = type("Mistaken", (Echo,), {"answer": lambda *_: "hi"})
        protocol = DatagramResponder(responder, Policy(), self.visits.append, self.clock, self.census)
        protocol.makeConnection(transport)
        protocol.datagramReceived(b"hi~", HERE)
        self.assertIn("Mistaken.answer() returned str, expected bytes or None", self.lines()[0])
        self.assertEqual(self.outcomes, [Outcome.ERROR])

    def test_recorderThatRaises(self) -> None:
        """
        A recorder that raises does not stop the reply.
        """

        def record(visit: Visit) -> None:
            self.visits.append(visit)
            raise RuntimeError("the disk is full")

        protocol, transport = self.listen(Echo)
        protocol.record = record
        protocol.datagramReceived(b"hi~", HERE)
        self.assertEqual((transport.written, len(self.lines())), ([(b"hi~", HERE)], 1))


class RateTests(DatagramCase):
    """
    The limit on replies per source.
    """

    def answered(self, seconds: float, addr: Any, **limits: Any) -> list[int]:
        """
        How many of a hundred datagrams are answered, at once and again after some seconds.
        """
        protocol, transport = self.listen(Echo, **limits)
        counts: list[int] = []
        for _ in range(2):
            for _ in range(100):
                protocol.datagramReceived(b"hi~", addr)
            counts.append(len(transport.written) - sum(counts))
            self.clock.advance(seconds)
        return counts

    def test_defaultRate(self) -> None:
        """
        The default is 20 replies per second after a burst of 40.
        """
        self.assertEqual(self.answered(1, THERE), [40, 20])
        self.assertEqual(self.outcomes.count(Outcome.OVER_RATE), 140)
        self.assertEqual(self.answered(60, ("192.0.2.8", 40000)), [40, 40])

    def test_loopback(self) -> None:
        """
        Loopback sources are exempt unless a rate is given.
        """
        for addr in (HERE, ("127.0.0.2", 40000), ("::1", 40000), ("::ffff:127.0.0.1", 40000)):
            self.assertEqual(self.answered(1, addr), [100, 100])
        self.assertEqual(self.answered(1, HERE, udpRate=20), [40, 20])

    def test_givenRate(self) -> None:
        """
        A rate that is given applies to all sources; 0 disables the limit.
        """
        self.assertEqual(self.answered(2, THERE, udpRate=5), [10, 10])
        self.assertEqual(self.answered(2, ("192.0.2.8", 40000), udpRate=0), [100, 100])

    def test_whatASourceIs(self) -> None:
        """
        A source is an IPv4 address with all its ports, or an IPv6 /64. Other sources are not limited with it.
        """
        protocol, transport = self.listen(Echo)
        for port in range(40000, 40100):
            protocol.datagramReceived(b"hi~", ("192.0.2.7", port))
            protocol.datagramReceived(b"hi~", (f"2001:db8::{port - 40000}", port))
        self.assertEqual(len(transport.written), 80)
        protocol.datagramReceived(b"hi~", ("192.0.2.8", 40000))
        self.assertEqual(len(transport.written), 81)

    def test_unansweredDatagramsDoNotCount(self) -> None:
        """
        Datagrams that get no reply for another reason do not use up the rate.
        """
        self.asked(Discard, *[b"hi~"] * 100, addr=THERE)
        self.asked(Whoami, *[b""] * 100, addr=THERE)
        self.assertEqual(len(self.asked(Echo, *[b"hi~"] * 100, addr=THERE)), 40)

    def test_unixSources(self) -> None:
        """
        A Unix source has a larger default burst. A rate that is given applies to it too.
        """
        self.assertEqual(self.answered(1, "/tmp/client.sock"), [100, 100])
        self.assertEqual(self.answered(1, "/tmp/client.sock", udpRate=5), [10, 5])


class RecordTests(DatagramCase):
    """
    Counts, visits and log lines.
    """

    def test_oneVisitPerDatagram(self) -> None:
        """
        Each datagram has one visit, answered or not.
        """
        protocol, _ = self.listen(Echo)
        protocol.datagramReceived(b"hi~", HERE)
        protocol.datagramReceived(b"hi~", ("192.0.2.7", 7))
        peers = IPv4Address("UDP", *HERE), IPv4Address("UDP", "192.0.2.7", 7)
        self.assertEqual(
            self.visits,
            [
                Visit("echo", "udp", peers[0], 1, 0.0, 3, 3, Outcome.DONE),
                Visit("echo", "udp", peers[1], 2, 0.0, 3, 0, Outcome.PRIVILEGED),
            ],
        )
        self.assertEqual(self.census.outcomes, {Outcome.DONE: 1, Outcome.PRIVILEGED: 1})

    def test_noRecorder(self) -> None:
        """
        Without a recorder datagrams are counted, and answered ones are not logged.
        """
        transport: Any = Transport()
        protocol = DatagramResponder(Echo, clock=self.clock)
        protocol.makeConnection(transport)
        for _ in range(3):
            protocol.datagramReceived(b"hi~", HERE)
        protocol.datagramReceived(b"hi~", ("127.0.0.1", 0))
        self.assertEqual(protocol.census.outcomes, {Outcome.DONE: 3, Outcome.NO_PORT: 1})
        self.assertEqual(len(self.lines()), 1)

    def test_oneLinePerDropReason(self) -> None:
        """
        One line is logged for each drop reason in ten seconds.
        """
        protocol, _ = self.listen(Echo)
        for _ in range(21):
            for port in (0, 7):
                protocol.datagramReceived(b"hi~", ("192.0.2.7", port))
            self.clock.advance(1)
        lines = self.lines()
        self.assertEqual(len(lines), 6)
        self.assertEqual(
            lines[:2],
            [
                "echo udp 192.0.2.7:0 not answered: source port 0 (at most one such line in 10 s)",
                "echo udp 192.0.2.7:7 not answered: privileged source port (at most one such line in 10 s)",
            ],
        )

    def test_noForgedLine(self) -> None:
        """
        The path of a peer cannot forge a log line.
        """
        path = "/tmp/\r\n2026-11-21 forged\x1b[31m\udcff"
        protocol, transport = self.listen(Echo, UNIXAddress("/run/echo.sock"), udpMax=3)
        protocol.datagramReceived(b"hi~ there", path)
        (line,) = self.lines()
        self.assertTrue(line.isprintable(), line)
        self.assertEqual(transport.written, [])


class ArbitraryTests(LogCase):
    """
    Arbitrary datagrams.
    """

    ADDRESSES = st.one_of(
        st.none(),
        st.tuples(st.ip_addresses().map(str), st.integers(0, 65535)),
        # As the socket module has them: paths as text, names in the abstract namespace as bytes.
        st.binary(min_size=1, max_size=107).map(lambda path: os.fsdecode(path.replace(b"\0", b"/"))),
        st.binary(max_size=107).map(lambda name: b"\0" + name),
    )

    @settings(deadline=None, max_examples=100)
    @given(
        name=st.sampled_from(names()),
        datagrams=st.lists(st.tuples(st.binary(max_size=600), ADDRESSES), max_size=10),
        fault=st.none() | st.builds(OSError, st.integers(1, 120), st.text()),
    )
    def test_anyDatagrams(self, name: str, datagrams: list[tuple[bytes, Any]], fault: Exception | None) -> None:
        """
        Nothing raises, each datagram is counted once, and no reply over IP is longer than allowed.
        """
        visits: list[Visit] = []
        protocol = DatagramResponder(find(name), Policy(), visits.append, Clock(), Census(fixedEnvironment()))
        transport: Any = Transport()
        protocol.makeConnection(transport)
        transport.fault = fault
        for datagram, addr in datagrams:
            before = len(transport.written)
            protocol.datagramReceived(datagram, addr)
            said = transport.written[before:]
            self.assertLessEqual(len(said), 1)
            for reply, to in said:
                self.assertEqual(to, addr)
                if isinstance(addr, tuple):
                    self.assertLessEqual(len(reply), max(len(datagram), 40))
        self.assertEqual(len(visits), len(datagrams))
        self.assertEqual(sum(protocol.census.outcomes.values()), len(datagrams))
        self.assertTrue(all(line.isprintable() for line in self.lines()))
