"""
What is shipped for the tests of others: it does as real sockets do, and a contract that is broken fails.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import unittest
from itertools import count, repeat
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IReactorUDP
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

import sockservices
from sockservices import Conversation, Environment, Outcome, Policy, Responder, datagramService
from sockservices.responders import Chargen, Daytime, Discard, Echo, Greet, Hello, Quote, Upper, Users, Welcome, Whoami
from sockservices.responders.chargen import PATTERN
from sockservices.testing import (
    DatagramMemoryReactor,
    ResponderContract,
    StreamPeer,
    converse,
    segmentations,
)

ROOT = Path(__file__).parents[3]


class Sound(Responder):
    """
    Gives back every byte.

    >>> Sound(Conversation()).answer(b"hi~")
    b'hi~'
    """

    name = "sound"
    port = 1

    def answer(self, message: bytes) -> bytes | None:
        """
        The message.
        """
        return message


def but(**members: Any) -> type[Responder]:
    """
    A sound responder, but for these members.
    """
    return type("Broken", (Sound,), {"__doc__": Sound.__doc__, "__module__": __name__, **members})


def fault(*_: object) -> Any:
    """
    What a faulty responder does.
    """
    raise ValueError("not today")


class StreamPeerTests(SynchronousTestCase):
    """
    Tests for conversations over connections in memory.
    """

    def test_say(self) -> None:
        """
        What is said to a segment is returned, and only that; all of it is kept.
        """
        peer = converse(Echo)
        self.assertEqual([peer.say(b"hi"), peer.say(b"~", b"!"), peer.say()], [b"hi", b"~!", b""])
        self.assertEqual(peer.heard, b"hi~!")
        self.assertIsNone(peer.outcome)

    def test_everySegment(self) -> None:
        """
        Segments come one by one, as they were cut; one without bytes is none.
        """
        self.assertEqual(converse(Hello).say(b"hi~", b"", b"hi~ again"), b"hellohello")

    def test_opening(self) -> None:
        """
        The opening is heard without a word, and the end that follows it is seen.
        """
        peer = converse(Greet)
        self.assertEqual((peer.heard, peer.outcome), (b"connected", Outcome.FINISHED))
        self.assertEqual(peer.say(b"hello?"), b"")

    def test_end(self) -> None:
        """
        A FIN ends the conversation, which is recorded once.
        """
        peer = converse(Upper)
        peer.say(b"hello")
        self.assertEqual((peer.end(), peer.end()), (b"", b""))
        (visit,) = peer.visits
        self.assertEqual((visit.service, visit.transport, visit.outcome), ("upper", "tcp", Outcome.DONE))
        self.assertEqual((visit.received, visit.sent), (5, 5))

    def test_lastWords(self) -> None:
        """
        Who has half-closed is still told what it is owed.
        """
        peer = converse(Welcome)
        self.assertEqual((peer.end(), peer.outcome), (b"please go out!", Outcome.DONE))

    def test_noWordAfterTheEnd(self) -> None:
        """
        A peer that has ended cannot say more: that is an error of the test.
        """
        for left in (StreamPeer.end, StreamPeer.reset):
            peer = converse(Echo)
            left(peer)
            self.assertRaises(RuntimeError, peer.say, b"one more thing")

    def test_reset(self) -> None:
        """
        A reset is told from an end.
        """
        peer = converse(Echo)
        peer.reset()
        peer.reset()
        self.assertEqual([visit.outcome for visit in peer.visits], [Outcome.RESET])

    def test_deadline(self) -> None:
        """
        However long is waited at once, what is due happens at its time.
        """
        peer = converse(Welcome)
        self.assertEqual((peer.wait(4.9), peer.outcome), (b"", None))
        peer.wait(1000)
        self.assertEqual([(visit.outcome, visit.seconds) for visit in peer.visits], [(Outcome.TIMED_OUT, 5.0)])
        self.assertAlmostEqual(peer.clock.seconds(), 1004.9)
        self.assertEqual(peer.clock.getDelayedCalls(), [])

    def test_policy(self) -> None:
        """
        The limits are those of the policy.
        """
        peer = converse(Echo, policy=Policy(idleTimeout=7))
        peer.wait(3)
        peer.say(b"hi")
        peer.wait(100)
        self.assertEqual([(visit.outcome, visit.seconds) for visit in peer.visits], [(Outcome.IDLE, 10.0)])

    def test_fault(self) -> None:
        """
        A responder that raises is reset, and said to have erred.
        """
        peer = converse(but(answer=fault))
        self.assertEqual((peer.say(b"hi"), peer.outcome), (b"", Outcome.ERROR))
        self.assertEqual(repr(peer), "<StreamPeer: error>")

    def test_talk(self) -> None:
        """
        Endless talk goes on as it is read, until the peer ends.
        """
        peer = converse(Chargen)
        self.assertTrue(PATTERN.startswith(peer.heard))
        words = peer.hear() + peer.hear()
        self.assertGreater(len(words), len(PATTERN))
        self.assertEqual(words, (PATTERN * (1 + len(words) // len(PATTERN)))[: len(words)])
        self.assertEqual((peer.end(), peer.hear(), peer.outcome), (b"", b"", Outcome.DONE))

    def test_noTalk(self) -> None:
        """
        Who only answers says nothing by itself, and reads no more than before.
        """
        peer = converse(Echo)
        peer.protocol.pauseProducing()
        self.assertEqual((peer.hear(), peer.transport.producerState), (b"", "paused"))

    def test_drain(self) -> None:
        """
        The protocol and its factory are the real ones: a server that stops ends the conversation.
        """
        peer = converse(Echo)
        drained = peer.protocol.factory.drain(10)
        peer.wait(10)
        self.successResultOf(drained)
        self.assertIs(peer.outcome, Outcome.DRAINED)

    def test_stalled(self) -> None:
        """
        The transport is Twisted's: what it tells its producer ends a conversation as it would over a socket.
        """
        peer = converse(Echo, policy=Policy(stallTimeout=3))
        self.assertIsInstance(peer.transport, StringTransport)
        peer.say(b"hi")
        peer.protocol.pauseProducing()
        peer.wait(10)
        self.assertIs(peer.outcome, Outcome.STALLED)
        self.assertTrue(3 <= peer.visits[0].seconds < 4)

    def test_unix(self) -> None:
        """
        So it is on a Unix socket.
        """
        peer = converse(Whoami, transport="unix")
        self.assertIn(b'"transport": "unix"', peer.heard)
        self.assertEqual((peer.visits[0].transport, peer.visits[0].peer), ("unix", UNIXAddress(None)))

    def test_peer(self) -> None:
        """
        The peer may come from anywhere.
        """
        self.assertIn(b'"peer": "192.0.2.7:5"', converse(Whoami, peer=IPv4Address("TCP", "192.0.2.7", 5)).heard)

    def test_stillWorld(self) -> None:
        """
        Unless told otherwise nothing is left to chance, and time is the clock's.
        """
        for service in (Quote, Users, Whoami):
            self.assertEqual(converse(service).heard, converse(service).heard, service.name)
        clock = Clock()
        clock.advance(20)
        self.assertEqual(converse(Daytime, clock=clock).heard, b"Sat Nov 21 00:27:00 2026\r\n")
        clock.advance(60)
        self.assertEqual(converse(Daytime, clock=clock).heard, b"Sat Nov 21 00:28:00 2026\r\n")

    def test_otherWorld(self) -> None:
        """
        What the responder sees of the world can be given.
        """
        self.assertEqual(converse(Users, environment=Environment(users=lambda: ["grace"])).heard, b"grace\r\n")

    def test_unknownTransport(self) -> None:
        """
        A transport that does not exist is refused by name.
        """
        wrong: Any = "sctp"
        with self.assertRaisesRegex(ValueError, "'sctp'; there are tcp, udp, unix, unixgram"):
            converse(Echo, transport=wrong)


class DatagramPeerTests(SynchronousTestCase):
    """
    Tests for datagrams in memory.
    """

    def test_say(self) -> None:
        """
        Each datagram has its own reply; none at all is told from an empty one.
        """
        peer = converse(Echo, transport="udp")
        self.assertIsNone(peer.outcome)
        self.assertEqual([peer.say(b"hi~"), peer.say(b""), peer.say(bytes(65507))], [b"hi~", b"", bytes(65507)])
        self.assertEqual([visit.outcome for visit in peer.visits], [Outcome.DONE] * 3)
        self.assertEqual(peer.heard, [b"hi~", b"", bytes(65507)])
        self.assertIsNone(converse(Discard, transport="udp").say(b"hi~"))

    def test_limit(self) -> None:
        """
        Why there is no reply is its outcome.
        """
        for responder, datagram, outcome in (
            (but(answer=lambda self, message: b"x" * 41), b"hi", Outcome.WITHHELD),
            (but(answer=fault), b"hi", Outcome.ERROR),
            (Sound, bytes(101), Outcome.TOO_LONG),
        ):
            peer = converse(responder, transport="udp", policy=Policy(udpMax=100))
            self.assertEqual((peer.say(datagram), peer.outcome), (None, outcome))
            self.assertEqual(repr(peer), f"<DatagramPeer: {outcome.value}>")

    def test_rate(self) -> None:
        """
        Any number is answered, unless there is a limit; that is kept by the clock.
        """
        peer = converse(Echo, transport="udp")
        self.assertEqual([peer.say(b"x") for _ in range(200)], [b"x"] * 200)
        peer = converse(Echo, transport="udp", policy=Policy(udpRate=1))
        self.assertEqual([peer.say(b"x") for _ in range(3)], [b"x", b"x", None])
        self.assertIs(peer.outcome, Outcome.OVER_RATE)
        peer.wait(1)
        self.assertEqual(peer.say(b"x"), b"x")

    def test_peer(self) -> None:
        """
        A source that could answer back is not answered.
        """
        peer = converse(Echo, transport="udp", peer=IPv4Address("UDP", "192.0.2.7", 53))
        self.assertEqual((peer.say(b"x"), peer.outcome), (None, Outcome.PRIVILEGED))

    def test_unix(self) -> None:
        """
        Unix datagrams have no limit of their size, but the source must have a name.
        """
        peer = converse(Whoami, transport="unixgram")
        self.assertIn(b'"transport": "unixgram"', peer.say(b"") or b"")
        peer = converse(Whoami, transport="unixgram", peer=UNIXAddress(None))
        self.assertEqual((peer.say(b""), peer.outcome), (None, Outcome.UNNAMED))


class DatagramMemoryReactorTests(SynchronousTestCase):
    """
    Tests for the reactor in memory.
    """

    def test_listenUDP(self) -> None:
        """
        It notes what it is asked, and its port knows where it is, and that it was stopped.
        """
        reactor, protocol = DatagramMemoryReactor(), object()
        self.assertTrue(verifyObject(IReactorUDP, reactor))
        for interface, host in (("", "0.0.0.0"), ("127.0.0.1", "127.0.0.1"), ("::1", "::1")):
            port = reactor.listenUDP(53, protocol, interface)
            self.assertTrue(verifyObject(IListeningPort, port))
            self.assertEqual(port.getHost(), (IPv6Address if ":" in host else IPv4Address)("UDP", host, 53))
            self.assertTrue(port.listening)
            port.stopListening()
            self.assertFalse(port.listening)
        self.assertEqual(reactor.udpServers[1], (53, protocol, "127.0.0.1", 8192))

    def test_listenUNIXDatagram(self) -> None:
        """
        So it does for Unix datagrams.
        """
        reactor, protocol = DatagramMemoryReactor(), object()
        port = reactor.listenUNIXDatagram("/nowhere/socket", protocol, mode=0o600)
        self.assertEqual(port.getHost(), UNIXAddress("/nowhere/socket"))
        self.assertEqual(reactor.unixDatagramServers, [("/nowhere/socket", protocol, 8192, 0o600)])

    def test_service(self) -> None:
        """
        A service listens on it.
        """
        reactor = DatagramMemoryReactor()
        service = datagramService("udp:8007", Echo, reactor=reactor)
        service.startService()
        self.assertEqual([each[::2] for each in reactor.udpServers], [(8007, "127.0.0.1")])
        self.successResultOf(service.stopService())


class SegmentationsTests(SynchronousTestCase):
    """
    Tests for the ways in which a message is cut.
    """

    def test_short(self) -> None:
        """
        A short message is cut in all ways, each once, the uncut one first.
        """
        self.assertEqual(list(segmentations(b"abc")), [[b"abc"], [b"a", b"bc"], [b"ab", b"c"], [b"a", b"b", b"c"]])
        for length in range(1, 11):
            ways = {tuple(segments) for segments in segmentations(bytes(range(length)))}
            self.assertEqual(len(ways), 2 ** (length - 1))

    def test_nothing(self) -> None:
        """
        Nothing can be sent in one way only: by no segment.
        """
        self.assertEqual(list(segmentations(b"")), [[]])

    def test_long(self) -> None:
        """
        A long one is cut in few ways: where programs fail most, and at random.
        """
        message = Random(1).randbytes(5000)
        ways = list(segmentations(message, ways=7))
        self.assertEqual(ways[0], [message])
        self.assertEqual(len(ways), 12)
        self.assertIn([message[:1448], message[1448:2896], message[2896:4344], message[4344:]], ways)
        self.assertIn([bytes([byte]) for byte in message], ways)
        self.assertIn([message[:1], message[1:]], ways)
        self.assertIn([message[:-1], message[-1:]], ways)

    def test_reproducible(self) -> None:
        """
        Chance is injected; without it the ways are the same every time.
        """
        message = bytes(500)
        self.assertEqual(list(segmentations(message)), list(segmentations(message)))
        self.assertEqual(list(segmentations(message, Random(5))), list(segmentations(message, Random(5))))
        self.assertNotEqual(list(segmentations(message, Random(5))), list(segmentations(message, Random(6))))

    @settings(deadline=None, max_examples=50)
    @given(message=st.one_of(st.binary(max_size=12), st.binary(max_size=4000)), seed=st.integers())
    def test_whole(self, message: bytes, seed: int) -> None:
        """
        However it is cut, nothing is lost, and no segment is empty.
        """
        ways = list(segmentations(message, Random(seed)))
        self.assertEqual({b"".join(segments) for segments in ways}, {message})
        self.assertTrue(all(all(segments) for segments in ways))
        self.assertEqual(len({tuple(segments) for segments in ways}), len(ways))


#: Responders that break one promise: the test that must fail for it, and what it must say.
BROKEN: dict[str, tuple[type[Responder], str, str]] = {
    "a name with a space": (but(name="my echo"), "nameAndPort", "its name is a word .*'my echo'"),
    "no name": (type("Broken", (Responder,), {"port": 1}), "nameAndPort", "its name is a word .*None"),
    "no port": (type("Broken", (Responder,), {"name": "broken"}), "nameAndPort", "its port is .*None"),
    "a port of 0": (but(port=0), "nameAndPort", "its port is 1 to 65535, not 0"),
    "messages of its own kind": (but(message="line"), "declarations", '"bytes" or "segment", not \'line\''),
    "a deadline before the beginning": (but(deadline=-1), "declarations", "its deadline is some seconds.*-1"),
    "a deadline in words": (but(deadline="soon"), "declarations", "its deadline is some seconds.*'soon'"),
    "over before it began": (but(finished=True), "declarations", "does not begin with its end"),
    "no docstring": (but(__doc__=None), "example", "its docstring says what it does"),
    "no example": (but(__doc__="Echoes."), "example", "its docstring has an example"),
    "a wrong example": (but(__doc__="Echoes.\n\n>>> 1\n2\n"), "example", "(?s)example is true; but.*Expected:\n    2"),
    "how it is cut": (but(answer=lambda self, message: b"%d " % len(message)), "anyCutting", "how its input is cut"),
    "a first read": (but(answer=lambda self, message: message[:1448]), "longMessage", "how its input is cut"),
    "other words on datagrams": (
        but(answer=lambda self, message: self.conversation.transport.encode()[:1] + message),
        "datagramsSayTheSame",
        r"what it says on streams.*b'u1.*from byte 0 on instead of b't1",
    ),
    "another talk on datagrams": (
        but(generate=lambda self: repeat(b"blah")),
        "datagramsSayTheSame",
        "or the beginning of its talk",
    ),
    "cut, but too long": (
        but(answer=lambda self, message: (message + bytes(99))[: (self.conversation.limit or 999) + 1]),
        "limit",
        "left whole, and so withheld; but to .*, with a limit of 40, it said 41 bytes of 99",
    ),
    "a counter for all": (
        but(served=count(), answer=lambda self, message: b"%d" % next(self.served)),
        "nothingShared",
        "conversations share nothing",
    ),
    "chance of its own": (but(answer=lambda *_: random.randbytes(8)), "nothingShared", "time and chance come from"),
    "raises": (but(answer=fault), "arbitraryInput", r"raises nothing; but on b.*ValueError\('not today'\) at .*:\d+"),
    "raises when it is made": (
        but(__init__=fault),
        "arbitraryInput",
        "raises nothing; but in its greeting: ValueError",
    ),
    "raises in its greeting": (
        but(greeting=fault),
        "arbitraryInput",
        "raises nothing; but in its greeting: ValueError",
    ),
    "text": (
        but(answer=lambda *_: "HELLO"),
        "arbitraryInput",
        r"b.*answer\(\) returned str, expected bytes or None",
    ),
    "a buffer": (
        but(greeting=lambda _: bytearray(1)),
        "arbitraryInput",
        r"in its greeting.*greeting\(\) returned bytearray, expected bytes or None",
    ),
    "hardly finished": (but(finished=None), "arbitraryInput", "finished is True or False, and False at first, but"),
    "output that ends": (but(generate=lambda _: iter([b"the end"])), "generate", "yields does not end"),
    "output of nothing": (but(generate=lambda _: repeat(b"")), "generate", "some bytes each time, but .* b''"),
    "text as output": (
        but(generate=lambda _: repeat("blah")),
        "generate",
        "some bytes each time, but .* 'blah'",
    ),
    "output that fails": (but(generate=lambda _: map(fault, repeat(1))), "generate", "raises nothing; but it raised"),
    "never replies": (but(answer=lambda *_: Deferred()), "arbitraryInput", "TimeoutError.*the reply did not come"),
}


class ContractTests(SynchronousTestCase):
    """
    Tests for the contract: who keeps it passes, and who breaks it fails, by a message that says how.
    """

    def failures(
        self, responder: type[Responder], *tests: str, base: Any = SynchronousTestCase, **members: Any
    ) -> dict[str, str]:
        """
        The tests of a responder that fail, and with what report. No other fault may come up.

        @param tests: only these.
        """
        case = type("Case", (ResponderContract, base), {"responder": responder, **members})
        every = [f"test_{test}" for test in tests] or unittest.defaultTestLoader.getTestCaseNames(case)
        self.assertGreater(len(every), 0)
        result = unittest.TestResult()
        unittest.TestSuite(map(case, every)).run(result)
        self.assertEqual((result.errors, result.testsRun), ([], len(every)))
        return {test.id().rpartition("test_")[2]: report for test, report in result.failures}

    def test_kept(self) -> None:
        """
        A sound responder passes, with trial's test case and with unittest's.
        """
        for base in (SynchronousTestCase, unittest.TestCase):
            self.assertEqual(self.failures(Sound, base=base), {})

    def test_broken(self) -> None:
        """
        For each promise there is a test that fails when it is broken, and says so, and by whom.
        """
        for why, (responder, test, promise) in BROKEN.items():
            for base in (SynchronousTestCase, unittest.TestCase):
                failures = self.failures(responder, test, base=base)
                self.assertIn(test, failures, why)
                self.assertRegex(failures[test], f"Broken: .*{promise}" if promise[:4] != "(?s)" else promise, why)

    def test_everyTestCanFail(self) -> None:
        """
        There is no test that nobody fails.
        """
        tests = set(
            unittest.defaultTestLoader.getTestCaseNames(type("Case", (ResponderContract, unittest.TestCase), {}))
        )
        self.assertEqual({f"test_{test}" for _, test, _ in BROKEN.values()}, tests)

    def test_sharedBetweenTwoThatGoOn(self) -> None:
        """
        What is shared only while both go on is found, by that test alone.
        """
        told: list[bytes] = []

        def begin(self: Responder, conversation: Conversation) -> None:
            Responder.__init__(self, conversation)
            told.clear()

        def answer(self: Responder, message: bytes) -> bytes:
            told.append(message)
            return b"%d" % len(told)

        failures = self.failures(but(__init__=begin, answer=answer, message="segment"))
        self.assertEqual(set(failures), {"nothingShared"})

    def test_segments(self) -> None:
        """
        Who declares that a read is a message need not say the same for any cut.
        """
        responder = but(message="segment", answer=lambda self, message: b"%d " % len(message))
        self.assertEqual(self.failures(responder), {})

    def test_finished(self) -> None:
        """
        Who has finished is not asked again, here as in a conversation.
        """

        def greeting(self: Responder) -> bytes:
            self.finished = True
            return b"bye"

        self.assertEqual(self.failures(but(greeting=greeting, answer=lambda self, message: b"%d" % len(message))), {})

    def test_silentPeer(self) -> None:
        """
        Who has a deadline is asked what it says to a peer that ends without a byte, here as in a conversation.
        """
        for service, said in ((Welcome, b"please go out!"), (Hello, b"")):
            self.assertEqual(type("Case", (ResponderContract,), {"responder": service})().said([]), said)

    def test_exampleWithoutCode(self) -> None:
        """
        An example may use the names of its module, though the class has no code of its own.
        """
        self.assertEqual(self.failures(but(), "example"), {})

    def test_longButWhole(self) -> None:
        """
        A reply may be over the limit, if it is left whole: it will be withheld.
        """
        self.assertEqual(self.failures(but(answer=lambda self, message: b"x" * 41, message="segment")), {})

    def test_ownMessages(self) -> None:
        """
        What only a certain message brings to light is found once that is named.
        """
        quits = but(answer=lambda self, message: b"bye" if message == b"QUIT\r\n" else b"")
        self.assertEqual(self.failures(quits), {})
        failures = self.failures(quits, messages=(b"QUIT\r\n",))
        self.assertEqual(set(failures), {"anyCutting"})
        self.assertIn(r"to [b'Q', b'UIT\r\n'] it said b'' from byte 0 on instead of b'bye'", failures["anyCutting"])

    def test_ownMessagesEverywhere(self) -> None:
        """
        They are among what is said in the other tests, too.
        """
        quits = but(answer=lambda self, message: fault() if message == b"QUIT\r\n" else message)
        for test in ("arbitraryInput", "datagramsSayTheSame", "limit", "nothingShared"):
            self.assertEqual(self.failures(quits, test), {})
            self.assertIn("raises nothing", self.failures(quits, test, messages=(b"QUIT\r\n",))[test])

    def test_same(self) -> None:
        """
        A failure is the same every time.
        """
        faulty = but(answer=lambda self, message: fault() if len(message) > 1000 else message)
        first, second = (self.failures(faulty, "arbitraryInput")["arbitraryInput"] for _ in range(2))
        self.assertEqual(first, second)


#: Somebody's tests.
THEIRS = """
import unittest
from twisted.trial import unittest as trial
from sockservices.responders import Echo, Hello
from sockservices.testing import ResponderContract

class EchoTests(ResponderContract, unittest.TestCase):
    responder = Echo

class HelloTests(ResponderContract, trial.SynchronousTestCase):
    responder = Hello
"""


class RunnersTests(SynchronousTestCase):
    """
    Tests for how the contract is collected.
    """

    def test_everyRunner(self) -> None:
        """
        Each runner collects the two classes, and not the contract that they import.
        """
        tests = [name for name in dir(ResponderContract) if name.startswith("test_")]
        folder = Path(self.enterContext(TemporaryDirectory()))
        (folder / "test_theirs.py").write_text(THEIRS)
        source = str(Path(sockservices.__file__).parents[1])
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}
        for runner, said in (
            (["pytest", "-p", "no:cacheprovider", "test_theirs.py"], r"\b{} passed"),
            (["unittest", "test_theirs"], r"Ran {} tests.*\n\nOK"),
            (["twisted.trial", "test_theirs"], r"successes={}\)"),
        ):
            command = [sys.executable, "-m", *runner]
            result = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
            )
            self.assertRegex(result.stdout + result.stderr, said.format(2 * len(tests)))


class PackageTests(SynchronousTestCase):
    """
    Tests for what it is made of, and what is said of it.
    """

    def test_document(self) -> None:
        """
        What docs/testing.md tells Twisted programmers runs, in order, and its test cases pass.
        """
        _, heading, text = (ROOT / "docs" / "testing.md").read_text().partition("\n## For Twisted programmers\n")
        blocks = re.findall(r"^```python\n(.*?)^```$", re.split(r"(?m)^## ", text)[0], re.M | re.S)
        self.assertTrue(heading and blocks)
        namespace: dict[str, Any] = {"__name__": "document"}
        for block in blocks:
            exec(compile(block, "testing.md", "exec"), namespace)
        cases = [value for name, value in namespace.items() if name.endswith("Tests")]
        self.assertTrue(cases)
        result = unittest.TestResult()
        unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, cases)).run(result)
        self.assertEqual(result.errors + result.failures, [])
        self.assertGreater(result.testsRun, 5)
