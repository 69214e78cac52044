"""
Tests for conversations over connections in memory: L{converse} and L{StreamPeer}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Environment, Outcome, Policy, Responder
from sockservices.responders import Chargen, Daytime, Echo, Greet, Hello, Quote, Upper, Users, Welcome, Whoami
from sockservices.responders.chargen import PATTERN
from sockservices.testing import StreamPeer, converse


class Failing(Responder):
    """
    Raises ValueError.
    """

    def answer(self, message: bytes) -> bytes:
        """
        Raise ValueError.
        """
        raise ValueError


class StreamPeerTests(SynchronousTestCase):
    """
    Tests for peers on streams.
    """

    def test_say(self) -> None:
        """
        C{say} returns the reply to its segments, each of which is one read of the server. C{heard} has all bytes.
        """
        peer = converse(Echo)
        self.assertEqual([peer.say(b"hi"), peer.say(b"~", b"!"), peer.say()], [b"hi", b"~!", b""])
        self.assertEqual((peer.heard, peer.outcome), (b"hi~!", None))
        self.assertEqual(converse(Hello).say(b"hi~", b"", b"hi~ again"), b"hello" * 2)

    def test_sayText(self) -> None:
        """
        A string in place of bytes is an error of the test, and not of the responder. Nothing of the call is sent.
        """
        wrong: Any = "hello"
        for peer in (converse(Echo), converse(Echo, transport="udp")):
            error = self.assertRaises(TypeError, peer.say, wrong)
            self.assertEqual((str(error), peer.exception), ("say('hello'): expected bytes", None))
        peer = converse(Echo)
        self.assertRaises(TypeError, peer.say, b"hel", wrong)
        self.assertEqual(peer.heard, b"")

    def test_greeting(self) -> None:
        """
        The peer receives the greeting on connection. There is no reply after the server closes.
        """
        peer = converse(Greet)
        self.assertEqual((peer.heard, peer.outcome, peer.say(b"hello?")), (b"connected", Outcome.FINISHED, b""))

    def test_end(self) -> None:
        """
        C{end} ends the conversation, which has one visit, and returns the remaining output.
        """
        peer = converse(Upper)
        peer.say(b"hello")
        self.assertEqual((peer.end(), peer.end()), (b"", b""))
        (visit,) = peer.visits
        self.assertEqual(visit[:2] + visit[5:8], ("upper", "tcp", 5, 5, Outcome.DONE))

        peer = converse(Welcome)
        self.assertEqual((peer.end(), peer.outcome), (b"please go out!", Outcome.DONE))

    def test_reset(self) -> None:
        """
        C{reset} ends the conversation with its own outcome. A second call does nothing. C{say} raises RuntimeError
        after C{end} and C{reset}.
        """
        for close, outcome in ((StreamPeer.end, Outcome.DONE), (StreamPeer.reset, Outcome.RESET)):
            peer = converse(Echo)
            close(peer)
            close(peer)
            self.assertEqual([visit.outcome for visit in peer.visits], [outcome])
            self.assertRaises(RuntimeError, peer.say, b"hello?")

    def test_wait(self) -> None:
        """
        C{wait} advances the clock. Deadlines pass at their own times, and no timer is left.
        """
        peer = converse(Welcome)
        self.assertEqual((peer.wait(4.9), peer.outcome), (b"", None))
        peer.wait(1000)
        self.assertEqual([(visit.outcome, visit.seconds) for visit in peer.visits], [(Outcome.TIMED_OUT, 5.0)])
        self.assertAlmostEqual(peer.clock.seconds(), 1004.9)
        self.assertEqual(peer.clock.getDelayedCalls(), [])

    def test_policy(self) -> None:
        """
        C{policy} sets the limits: here the idle timeout, which a segment restarts.
        """
        peer = converse(Echo, policy=Policy(idleTimeout=7))
        peer.wait(3)
        peer.say(b"hi")
        peer.wait(100)
        self.assertEqual([(visit.outcome, visit.seconds) for visit in peer.visits], [(Outcome.IDLE, 10.0)])

    def test_exceptionOfResponder(self) -> None:
        """
        The outcome is C{ERROR} after the responder raises an exception.
        """
        peer = converse(Failing)
        self.assertEqual((peer.say(b"hi"), peer.outcome, repr(peer)), (b"", Outcome.ERROR, "<StreamPeer: error>"))

    def test_hear(self) -> None:
        """
        C{hear} returns the next bytes of endless output, until the peer ends. Without endless output it does not make
        the server read.
        """
        peer = converse(Chargen)
        self.assertTrue(PATTERN.startswith(peer.heard))
        output = peer.hear() + peer.hear()
        self.assertGreater(len(output), len(PATTERN))
        self.assertEqual(output, (PATTERN * (1 + len(output) // len(PATTERN)))[: len(output)])
        self.assertEqual((peer.end(), peer.hear(), peer.outcome), (b"", b"", Outcome.DONE))
        peer = converse(Echo)
        peer.protocol.pauseProducing()
        self.assertEqual((peer.hear(), peer.transport.producerState), (b"", "paused"))

    def test_drain(self) -> None:
        """
        The protocol has a real factory, whose C{drain} ends the conversation.
        """
        peer = converse(Echo)
        drained = peer.protocol.factory.drain(10)
        peer.wait(10)
        self.successResultOf(drained)
        self.assertIs(peer.outcome, Outcome.DRAINED)

    def test_stall(self) -> None:
        """
        Back-pressure on Twisted's C{StringTransport} leads to the stall timeout.
        """
        peer = converse(Echo, policy=Policy(stallTimeout=3))
        self.assertIsInstance(peer.transport, StringTransport)
        peer.say(b"hi")
        peer.protocol.pauseProducing()
        peer.wait(10)
        self.assertIs(peer.outcome, Outcome.STALLED)
        self.assertTrue(3 <= peer.visits[0].seconds < 4)


class ConverseTests(SynchronousTestCase):
    """
    Tests for the arguments of C{converse}.
    """

    def test_unknownTransport(self) -> None:
        """
        An unknown transport raises ValueError, which lists the transports.
        """
        unknown: Any = "sctp"
        with self.assertRaisesRegex(ValueError, "^no transport 'sctp': expected tcp, udp, unix or unixgram$"):
            converse(Echo, transport=unknown)

    def test_addresses(self) -> None:
        """
        C{peer} is the peer's address. C{transport="unix"} selects a Unix socket, whose peer has no name.
        """
        self.assertIn(b'"peer": "192.0.2.7:5"', converse(Whoami, peer=IPv4Address("TCP", "192.0.2.7", 5)).heard)
        peer = converse(Whoami, transport="unix")
        self.assertIn(b'"transport": "unix"', peer.heard)
        self.assertEqual((peer.visits[0].transport, peer.visits[0].peer), ("unix", UNIXAddress(None)))

    def test_defaultEnvironment(self) -> None:
        """
        The default environment is the same in each conversation. Its time is that of the clock.
        """
        for service in (Quote, Users, Whoami):
            self.assertEqual(converse(service).heard, converse(service).heard, service.name)
        clock = Clock()
        for seconds, time in ((20, b"00:27:00"), (60, b"00:28:00")):
            clock.advance(seconds)
            self.assertEqual(converse(Daytime, clock=clock).heard, b"Sat Nov 21 %b 2026\r\n" % time)

    def test_environment(self) -> None:
        """
        C{environment}, or C{world} as in version 0.1.0, replaces the default environment.
        """
        environment = Environment(users=lambda: ["edsger"])
        self.assertEqual(converse(Users, environment=environment).heard, b"edsger\r\n")
        self.assertEqual(converse(Users, world=environment).heard, b"edsger\r\n")
