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
from sockservices.responders import (
    Chargen,
    Daytime,
    Discard,
    Echo,
    Greet,
    Hello,
    Quote,
    Time,
    Upper,
    Users,
    Welcome,
    Whoami,
)
from tests.support.peer import LogCase, fixedEnvironment

HOST = IPv4Address("UDP", "127.0.0.1", 8007)

#: A peer on this host, which is exempt from the rate by default, and a peer elsewhere.
LOCAL, REMOTE = ("127.0.0.1", 40000), ("192.0.2.7", 40000)

#: The maximum number of bytes of a datagram over IPv4, and over IPv6.
MAX_IPV4, MAX_IPV6 = 65507, 65527


class Transport(FakeDatagramTransport):
    """
    A transport that records the written datagrams.

    @ivar destination: the address that the next datagram was sent to, if it is known.
    @ivar error: an exception that C{write} raises.
    """

    maxPacketSize = 8192
    destination: str | None = None
    error: Exception | None = None

    def __init__(self, host: IAddress = HOST) -> None:
        super().__init__()
        self.getHost = lambda: host

    def write(self, packet: bytes, addr: Any = None) -> None:
        """
        Record the datagram, or raise.
        """
        if self.error is not None:
            raise self.error
        self.written.append((packet, addr))


class DatagramCase(LogCase):
    """
    A test of datagrams. After it, each datagram has been counted once, and recorded once.
    """

    def setUp(self) -> None:
        """
        Make a clock and a census.
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

    def replies(self, responder: MakeResponder, *datagrams: bytes, addr: Any = LOCAL, **limits: Any) -> list[bytes]:
        """
        The replies to some datagrams. Each is sent to the source of its datagram.
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
        The outcomes of the datagrams, in their order.
        """
        return [visit.outcome for visit in self.visits]

    def tearDown(self) -> None:
        """
        Compare the counters with the visits.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.census.outcomes, {outcome: self.outcomes.count(outcome) for outcome in self.outcomes})
        super().tearDown()


class ReplyTests(DatagramCase):
    """
    The content of replies.
    """

    def test_everyService(self) -> None:
        """
        Each service answers a datagram as it answers a stream with this one message. C{b""} is an empty datagram, and
        L{None} is no reply.
        """
        for responder, replies in (
            (Echo, {b"hi~": b"hi~", b"\0\xff": b"\0\xff"}),
            (Upper, {b"Hello \xc3\xa4": b"HELLO \xc3\xa4"}),
            (Discard, {b"hi~": None, b"": None}),
            (Hello, {b"hi~": b"hello", b"": b"hello"}),
            (Greet, {b"hi~": b"connected", b"": b"connected"}),
            (Welcome, dict.fromkeys((b"1", b"1\n", b"1\r\n"), b"welcome to server!")),
            (Welcome, dict.fromkeys((b"2", b"", b"11", b"1 ", b" 1", b"1\r", b"1\n\n", b"\n"), b"please go out!")),
            (Welcome, dict.fromkeys((b"one", "\uff11".encode(), bytes(9000)), b"please go out!")),
            (Daytime, {b"": b"Sat Nov 21 00:26:40 2026\r\n"}),
            (Time, {b"": (1795220800 + 2208988800).to_bytes(4, "big")}),
            (Users, {b"who?": b"ada\r\n"}),
            (type("Both", (Echo,), {"greeting": lambda _: b"received: "}), {b"hi~": b"received: hi~"}),
            (type("Alone", (Discard,), {"greeting": lambda _: b"received: "}), {b"hi~": b"received: "}),
            (type("Empty", (Echo,), {"answer": lambda *_: b""}), {b"hi~": b""}),
            (type("Finished", (Echo,), {"finished": True}), {b"hi~": None}),
        ):
            for datagram, reply in replies.items():
                self.assertEqual(self.replies(responder, datagram), [] if reply is None else [reply], responder)
                self.assertEqual((self.visits[-1].sent, self.outcomes[-1]), (len(reply or b""), Outcome.DONE))

    def test_datagramAnsweredWhole(self) -> None:
        """
        A datagram of any length, 0 to 65,507 bytes or 65,527 over IPv6, gets one reply.
        """
        for addr, maximum in ((LOCAL, MAX_IPV4), (("::1", 40000), MAX_IPV6)):
            datagrams = [os.urandom(size) for size in (0, 1, 512, 8192, 8193, maximum)]
            for rfcSize in (False, True):
                self.assertTrue(self.replies(Echo, *datagrams, addr=addr, udpRfcSize=rfcSize) == datagrams)

    def test_responderKnowsTheDatagram(self) -> None:
        """
        The responder knows the peer, the host and the serial number. No state is kept between datagrams.
        """
        conversations: list[tuple[Any, ...]] = []

        def make(conversation: Conversation) -> Responder:
            conversations.append((conversation.transport, conversation.peer, conversation.host, conversation.serial))
            return Echo(conversation)

        self.replies(make, b"1", b"2")
        self.replies(make, b"3", addr=("::1", 40000))
        peers = [IPv4Address("UDP", *LOCAL)] * 2, [IPv6Address("UDP", "::1", 40000)]
        expected = [("udp", peer, HOST, serial) for serial, peer in enumerate([*peers[0], *peers[1]], 1)]
        self.assertEqual(conversations, expected)

    def test_unixDatagrams(self) -> None:
        """
        The reply to a Unix datagram goes to its source path and may have any length.
        """
        protocol, transport = self.listen(Whoami, UNIXAddress("/run/whoami.sock"))
        for serial, (path, peer) in enumerate({"/tmp/client": "/tmp/client", b"\0abstract": "@abstract"}.items(), 1):
            protocol.datagramReceived(b"", path)
            ((reply, to),) = transport.written
            transport.written.clear()
            expected = {"peer": peer, "host": "/run/whoami.sock", "transport": "unixgram", "serial": serial}
            self.assertEqual((json.loads(reply), to), (expected | {"server": "h"}, path))
            self.assertEqual(self.visits[-1].transport, "unixgram")
        self.assertEqual(self.visits[0].peer, UNIXAddress("/tmp/client"))

    def test_fakeDatagramTransport(self) -> None:
        """
        The protocol works with Twisted's fake transport, which has no address.
        """
        transport, protocol = FakeDatagramTransport(), DatagramResponder(Whoami, Policy(udpRfcSize=True))
        protocol.makeConnection(transport)
        protocol.datagramReceived(b"", LOCAL)
        protocol.doStop()
        ((reply, addr),) = transport.written
        self.assertEqual((json.loads(reply)["host"], addr), (None, LOCAL))
        self.assertEqual(protocol.census.outcomes, {Outcome.DONE: 1})


class SizeTests(DatagramCase):
    """
    The limits on sizes.
    """

    def test_repliesAreCutToFit(self) -> None:
        """
        Generated output is cut at any byte, a list after a line, and a quote is chosen that fits. With C{udpRfcSize}
        replies have the size of the RFCs.
        """
        self.census = Census(fixedEnvironment(users=lambda: ["ada", "grace", "x" * 40]))
        lines = b"ada\r\ngrace\r\n"
        self.assertEqual(self.replies(Users, b"", bytes(100)), [lines, lines + b"x" * 40 + b"\r\n"])
        for responder, request, rfcSize, maximum, exceeded in (
            (Quote, b"", False, 40, 0),
            (Quote, b"", True, 511, 40),
            (Chargen, b"", False, 40, 20),
            (Chargen, b"", True, 512, 40),
            (Chargen, bytes(1000), False, 512, 40),
        ):
            sizes = [len(reply) for reply in self.replies(responder, *[request] * 100, udpRfcSize=rfcSize)]
            self.assertEqual((len(sizes), exceeded < max(sizes) <= maximum), (100, True), (responder, rfcSize))
            self.assertTrue(responder is Chargen or min(sizes) > 0)

    def test_replyThatDoesNotFitIsNotSent(self) -> None:
        """
        A reply that does not fit and cannot be cut is not sent, except with C{udpRfcSize}.
        """
        self.assertEqual(self.replies(Whoami, b""), [])
        self.assertEqual((self.visits[0].sent, self.outcomes), (0, [Outcome.WITHHELD]))
        self.assertEqual(len(self.replies(Whoami, bytes(200))), 1)
        self.assertEqual(len(self.replies(Whoami, b"", udpRfcSize=True)), 1)

    def test_requestOverTheLimitIsDropped(self) -> None:
        """
        A request over C{udpMax} is dropped. The transport reads one byte more than the limit to recognise it.
        """
        self.assertEqual(self.replies(Echo, bytes(10), bytes(11), udpMax=10), [bytes(10)])
        self.assertEqual(self.replies(Echo, bytes(11), addr=("192.0.2.7", 7), udpMax=10), [])
        self.assertEqual(self.outcomes, [Outcome.DONE, Outcome.TOO_LONG, Outcome.PRIVILEGED])
        self.assertEqual(len(self.replies(Echo, bytes(70_000), udpMax=0)), 1)
        self.assertEqual(self.listen(Echo)[1].maxPacketSize, MAX_IPV6 + 1)
        self.assertEqual(self.listen(Echo, udpMax=10)[1].maxPacketSize, 11)
        self.assertGreater(self.listen(Echo, udpMax=0)[1].maxPacketSize, MAX_IPV6)
        self.assertLess(self.listen(Echo, udpMax=10**9)[1].maxPacketSize, 2**20)


class DropTests(DatagramCase):
    """
    Datagrams that get no reply.
    """

    def test_sources(self) -> None:
        """
        The source and the destination of a datagram decide whether it is answered, before a responder is made.
        """

        def make(conversation: Conversation) -> Responder:
            raise AssertionError("a responder was made")

        protocol, transport = self.listen(make)
        for addr, transport.destination, outcome in (
            (("192.0.2.7", 0), None, Outcome.NO_PORT),
            (("192.0.2.7", HOST.port), None, Outcome.OWN_PORT),
            (("127.0.0.1", 40000), "192.0.2.1", Outcome.BAD_SOURCE),
            (("fe80::1%2", 40000), "ff02::1", Outcome.BROADCAST),
        ):
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
        for listener, outcome in ((echo, Outcome.OWN_PORT), (again, Outcome.OWN_PORT), (None, Outcome.DONE)):
            other.datagramReceived(b"", ("127.0.0.2", 8007))
            self.assertEqual(self.outcomes[-1], outcome)
            if listener is not None:
                listener.doStop()
        self.assertEqual((len(transport.written), list(self.census.udpPorts)), (1, [8019]))

    def test_ownUnixSockets(self) -> None:
        """
        The socket file of a listener counts as the server's own until the listener stops.
        """
        path = Path(self.enterContext(TemporaryDirectory())) / "socket"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
            bound.bind(str(path))
        status = path.stat()
        protocol, _ = self.listen(Echo, UNIXAddress(os.fsencode(path)))
        self.assertEqual(self.census.unixSockets, {(status.st_dev, status.st_ino)})
        protocol.doStop()
        self.assertEqual(self.census.unixSockets, set())

    def test_unixPeerWithoutAnAddress(self) -> None:
        """
        A Unix peer without an address gets no reply. Its datagram is processed.
        """
        self.assertEqual(self.replies(Echo, b"hi~", addr=None), [])
        self.assertEqual(self.replies(Discard, b"hi~", addr=None), [])
        self.assertEqual(self.outcomes, [Outcome.UNNAMED, Outcome.DONE])
        self.assertIn("echo unixgram - not answered: unnamed source", self.lines()[0])
        self.assertEqual(self.visits[0], Visit("echo", "unixgram", None, 1, 0.0, 3, 0, Outcome.UNNAMED))

    def test_failedSendIsCounted(self) -> None:
        """
        A reply that the kernel rejects is counted as unsent. The next datagram is answered.
        """
        protocol, transport = self.listen(Echo)
        numbers = ("EAGAIN", "ENOBUFS", "EPERM", "ENETUNREACH", "EHOSTUNREACH", "EINVAL", "EMSGSIZE", "ECONNREFUSED")
        errors: list[Exception] = [OSError(getattr(errno, name), name) for name in (*numbers, "ENOENT", "EACCES")]
        errors += [MessageLengthError("too long"), InvalidAddressError("::1", "v6 from v4"), ValueError("no")]
        for error in errors:
            for transport.error in (error, None):
                protocol.datagramReceived(b"hi~", LOCAL)
        self.assertEqual(self.outcomes, [Outcome.UNSENT, Outcome.DONE] * len(errors))
        self.assertEqual([visit.sent for visit in self.visits], [0, 3] * len(errors))

    def test_subclassOfBytes(self) -> None:
        """
        A reply may be of a subclass of bytes, with a greeting and without.
        """
        reply = type("Text", (bytes,), {})(b"hi~")
        answers = {"answer": lambda *_: reply}
        for methods, expected in ((answers, b"hi~"), (answers | {"greeting": lambda _: b"oh "}, b"oh hi~")):
            self.assertEqual(self.replies(type("Subclass", (Echo,), methods), b"x"), [expected])

    def test_responderErrors(self) -> None:
        """
        A responder that raises, or whose reply is not bytes, sends no reply, and one printable line is logged.
        """

        def fail(*_: object) -> None:
            raise SystemExit("on purpose\n\x1b[31m")

        error = r"\Aecho udp 127.0.0.1:40000 not answered: error, "
        for method, function, message in (
            *((name, fail, r"SystemExit.* at .*py:\d+ \(") for name in ("__init__", "greeting", "answer")),
            ("answer", lambda *_: "hi", r"ResponderTypeError.*Wrong.answer\(\) returned str, expected bytes or None"),
        ):
            self.assertEqual(self.replies(type("Wrong", (Echo,), {method: function}), b"hi~"), [])
            (line,) = self.lines()
            self.assertRegex(line, error + message)
            self.assertTrue(line.isprintable())
        self.assertEqual(self.outcomes, [Outcome.ERROR] * 4)


class RateTests(DatagramCase):
    """
    The limit on replies per source.
    """

    def test_rate(self) -> None:
        """
        The default is 20 replies per second after a burst of 40, without a limit for loopback sources and with a larger
        burst for Unix sources. A rate that is given applies to all sources.
        """
        table: list[tuple[float, Any, Any, list[int]]] = [
            (1, REMOTE, {}, [40, 20]),
            (60, REMOTE, {}, [40, 40]),
            (1, LOCAL, {}, [100, 100]),
            (1, "/tmp/client.sock", {}, [100, 100]),
            (2, REMOTE, {"udpRate": 5}, [10, 10]),
            (1, LOCAL, {"udpRate": 20}, [40, 20]),
            (1, "/tmp/client.sock", {"udpRate": 5}, [10, 5]),
        ]
        for seconds, addr, limits, replies in table:
            self.clock.advance(1000)
            counts: list[int] = []
            protocol, transport = self.listen(Echo, **limits)
            for _ in range(2):
                for _ in range(100):
                    protocol.datagramReceived(b"hi~", addr)
                counts.append(len(transport.written) - sum(counts))
                self.clock.advance(seconds)
            self.assertEqual(counts, replies, (addr, limits))
            self.assertEqual(self.outcomes[-200:].count(Outcome.OVER_RATE), 200 - sum(replies))

    def test_unansweredDatagramsDoNotCount(self) -> None:
        """
        Datagrams that get no reply for another reason do not use up the rate.
        """
        self.replies(Discard, *[b"hi~"] * 100, addr=REMOTE)
        self.replies(Whoami, *[b""] * 100, addr=REMOTE)
        self.assertEqual(len(self.replies(Echo, *[b"hi~"] * 100, addr=REMOTE)), 40)


class RecordTests(DatagramCase):
    """
    Counts, visits and log lines.
    """

    def test_oneVisitPerDatagram(self) -> None:
        """
        Each datagram has one visit, answered or not. A recorder that raises does not stop the reply, and is logged.
        """

        def record(visit: Visit) -> None:
            self.visits.append(visit)
            raise RuntimeError("the disk is full")

        protocol, transport = self.listen(Echo)
        protocol.record = record
        protocol.datagramReceived(b"hi~", LOCAL)
        self.assertEqual((transport.written, len(self.lines())), ([(b"hi~", LOCAL)], 1))
        protocol.datagramReceived(b"hi~", ("192.0.2.7", 7))
        peers = IPv4Address("UDP", *LOCAL), IPv4Address("UDP", "192.0.2.7", 7)
        answered = Visit("echo", "udp", peers[0], 1, 0.0, 3, 3, Outcome.DONE)
        dropped = Visit("echo", "udp", peers[1], 2, 0.0, 3, 0, Outcome.PRIVILEGED)
        self.assertEqual(self.visits, [answered, dropped])

    def test_noRecorder(self) -> None:
        """
        Without a recorder datagrams are counted, and answered ones are not logged.
        """
        transport: Any = Transport()
        protocol = DatagramResponder(Echo, clock=self.clock)
        protocol.makeConnection(transport)
        for addr in (LOCAL, LOCAL, LOCAL, ("127.0.0.1", 0)):
            protocol.datagramReceived(b"hi~", addr)
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
        reasons = {0: "source port 0", 7: "privileged source port"}
        text = "echo udp 192.0.2.7:{} not answered: {} (at most one such line in 10 s)"
        self.assertEqual(self.lines(), [text.format(*reason) for reason in reasons.items()] * 3)

    def test_noForgedLine(self) -> None:
        """
        The path of a peer cannot forge a log line.
        """
        protocol, transport = self.listen(Echo, UNIXAddress("/run/echo.sock"), udpMax=3)
        protocol.datagramReceived(b"too long", "/tmp/\r\n2026-11-21 forged\x1b[31m\udcff")
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
        # The socket module represents paths as text, and abstract names as bytes.
        st.binary(min_size=1, max_size=107).map(lambda path: os.fsdecode(path.replace(b"\0", b"/"))),
        st.binary(max_size=107).map(lambda name: b"\0" + name),
    )

    @settings(deadline=None, max_examples=100)
    @given(
        name=st.sampled_from(names()),
        datagrams=st.lists(st.tuples(st.binary(max_size=600), ADDRESSES), max_size=10),
        error=st.none() | st.builds(OSError, st.integers(1, 120), st.text()),
    )
    def test_anyDatagrams(self, name: str, datagrams: list[tuple[bytes, Any]], error: Exception | None) -> None:
        """
        Nothing raises, each datagram is counted once, and no reply over IP is longer than allowed.
        """
        visits: list[Visit] = []
        protocol = DatagramResponder(find(name), Policy(), visits.append, Clock(), Census(fixedEnvironment()))
        transport: Any = Transport()
        protocol.makeConnection(transport)
        transport.error = error
        for datagram, addr in datagrams:
            transport.written.clear()
            protocol.datagramReceived(datagram, addr)
            self.assertLessEqual(len(transport.written), 1)
            for reply, to in transport.written:
                self.assertEqual(to, addr)
                if isinstance(addr, tuple):
                    self.assertLessEqual(len(reply), max(len(datagram), 40))
        self.assertEqual(len(visits), len(datagrams))
        self.assertEqual(sum(protocol.census.outcomes.values()), len(datagrams))
        self.assertTrue(all(line.isprintable() for line in self.lines()))
