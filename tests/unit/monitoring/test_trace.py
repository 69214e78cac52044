"""
What peers say, in the log.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import UNIXAddress
from twisted.internet.testing import FakeDatagramTransport, StringTransport
from twisted.python.log import addObserver, removeObserver, textFromEventDict
from twisted.trial.unittest import SynchronousTestCase

from sockservices import Conversation, DatagramResponder, Outcome, Policy
from sockservices.monitoring.trace import Show, quoted
from sockservices.registry import find, names
from sockservices.responders import Chargen, Discard, Echo, Greet, Quote, Welcome
from tests.support.contract import conversation, reply, speech
from tests.support.peer import PEER, StreamCase


class QuotedTests(SynchronousTestCase):
    """
    Tests for L{quoted}.
    """

    def test_asBytes(self) -> None:
        """
        A message is shown as Python would write it.
        """
        self.assertEqual(quoted(b"hi~"), "b'hi~'")
        self.assertEqual(quoted(b"it's\r\n\x1b[31m\0\xff"), 'b"it\'s\\r\\n\\x1b[31m\\x00\\xff"')
        self.assertEqual(quoted(b""), "b''")

    def test_cut(self) -> None:
        """
        What has more than 80 characters in this form is cut there, and shown to be.
        """
        self.assertEqual(quoted(b"x" * 77), "b'" + "x" * 77 + "'")
        self.assertEqual(quoted(b"x" * 78), "b'" + "x" * 75 + "...")
        self.assertEqual(quoted(b"x" * 100_000), "b'" + "x" * 75 + "...")
        self.assertEqual(quoted(b"\0" * 20), "b'" + "\\x00" * 18 + "\\x0...")

    @settings(deadline=None)
    @given(message=st.binary(max_size=200))
    def test_onePrintableLine(self, message: bytes) -> None:
        """
        Whatever is in it, it is one printable line of at most 80 characters.
        """
        text = quoted(message)
        self.assertTrue(text.isascii() and text.isprintable() and len(text) <= 80, text)


class ShowTests(StreamCase):
    """
    Tests for L{Show}.
    """

    def test_stream(self) -> None:
        """
        Who connects is shown, and each segment.
        """
        protocol, transport = self.connect(Show(Echo))
        self.assertEqual(self.lines(), ["echo: connected: 192.0.2.7:40000"])
        protocol.dataReceived(b"hi~")
        protocol.dataReceived(b"\r\n\x1b[31m")
        self.assertEqual(self.lines(), ["echo: 192.0.2.7:40000: b'hi~'", "echo: 192.0.2.7:40000: b'\\r\\n\\x1b[31m'"])
        self.assertEqual(transport.value(), b"hi~\r\n\x1b[31m")

    def test_unix(self) -> None:
        """
        A peer without an address is shown as a dash.
        """
        self.connect(Show(Discard), StringTransport(UNIXAddress("/run/discard.sock"), UNIXAddress(None)))
        self.assertEqual(self.lines(), ["discard: connected: -"])

    def test_olderLog(self) -> None:
        """
        Observers of Twisted's older log, which edit the events that they are given, take nothing away.
        """
        older: list[dict[str, Any]] = []
        addObserver(older.append)
        self.addCleanup(removeObserver, older.append)
        Show(Echo)(conversation()).answer(b"hi~")
        self.assertEqual(self.lines(), ["echo: 192.0.2.7:40000: b'hi~'"])
        self.assertEqual(textFromEventDict(older[-1]), "echo: 192.0.2.7:40000: b'hi~'")

    def test_theEndIsNoMessage(self) -> None:
        """
        That a peer ends without a byte is answered, but not shown as a message.
        """
        peer = self.peer(Show(Welcome))
        peer.end()
        self.assertEqual((peer.read(), self.lines()), (b"please go out!", ["welcome: connected: 192.0.2.7:40000"]))

    def test_deadline(self) -> None:
        """
        The responder keeps its name and its deadline.
        """
        peer = self.peer(Show(Welcome))
        self.wait(5)
        self.assertTrue(peer.sawEnd)
        peer.end()
        self.assertEqual([(visit.service, visit.outcome) for visit in self.visits], [("welcome", Outcome.TIMED_OUT)])

    def test_talk(self) -> None:
        """
        An endless talk goes on.
        """
        peer = self.peer(Show(Chargen), room=1000)
        self.assertEqual(len(peer.read(200_000)), 200_000)
        peer.reset()

    def test_datagrams(self) -> None:
        """
        Each datagram is shown, to responders too whose words do not depend on it, and empty ones.
        """
        transport: Any = FakeDatagramTransport()
        for responder in (Echo, Greet, Quote):
            protocol = DatagramResponder(Show(responder), Policy(), clock=self.clock)
            protocol.makeConnection(transport)
            for datagram in (b"hi~\n", b""):
                protocol.datagramReceived(datagram, ("127.0.0.1", 40000))
            messages = [f"{responder.name}: 127.0.0.1:40000: {quoted(datagram)}" for datagram in (b"hi~\n", b"")]
            self.assertEqual(self.lines(), messages)
        self.assertEqual(len(transport.written), 6)

    def test_unixDatagrams(self) -> None:
        """
        So is one by a Unix socket, with the path that it came from as text.
        """
        transport: Any = FakeDatagramTransport()
        protocol = DatagramResponder(Show(Discard), Policy(), clock=self.clock)
        protocol.makeConnection(transport)
        for path in ("/tmp/\r\nforged\x1b[31m", b"\0abstract", None):
            protocol.datagramReceived(b"hi~", path)
        self.assertEqual(
            self.lines(),
            [
                "discard: /tmp/\\r\\nforged\\x1b[31m: b'hi~'",
                "discard: @abstract: b'hi~'",
                "discard: -: b'hi~'",
            ],
        )

    def test_proxiedPeer(self) -> None:
        """
        A transport may report any text as the peer's host: it cannot forge a line either.
        """
        forged: Any = type("Address", (), {"host": "192.0.2.7\n2026-11-21 forged\x1b", "port": 1})()
        responder = Show(Echo)(Conversation("tcp", forged))
        responder.greeting()
        (line,) = self.lines()
        self.assertTrue(line.isprintable(), line)

    def test_sameWords(self) -> None:
        """
        Every service says what it says unshown.
        """
        for name in names():
            service, shown = find(name), Show(find(name))
            for segments in ((b"1",), (b"1", b"2"), ()):
                self.assertEqual(list(speech(shown, segments)), list(speech(service, segments)), name)
            for datagram in (b"", b"1", bytes(600)):
                said, unshown = reply(shown, datagram, 600), reply(service, datagram, 600)
                self.assertEqual(said or None, unshown or None, name)
                self.assertEqual(said is None, unshown is None, name)
        self.lines()

    def test_finished(self) -> None:
        """
        It ends when the responder does: on streams with the opening already, on datagrams after the message was shown.
        """
        both = type("Both", (Greet,), {"answer": lambda *_: b"never asked"})
        stream, datagram = (Show(both)(conversation(transport)) for transport in ("tcp", "udp"))
        for responder, after in ((stream, True), (datagram, False)):
            self.assertEqual(responder.greeting(), b"connected")
            self.assertEqual(responder.finished, after)
            self.assertIsNone(responder.answer(b"hi~"))
            self.assertTrue(responder.finished)

    def test_aResponderThatIsCalled(self) -> None:
        """
        What makes responders may be no class, and has no name then before it has made one.
        """
        shown = Show(lambda conversation: Echo(conversation))
        self.assertEqual((shown.name, shown(Conversation(peer=PEER)).name), ("-", "echo"))
        self.assertEqual(Show(Echo).name, "echo")
