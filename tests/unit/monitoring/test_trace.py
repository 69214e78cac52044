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

from sockservices import DatagramResponder, Outcome, Responder
from sockservices.monitoring.trace import DatagramTrace, StreamTrace, quoted
from sockservices.responders import Chargen, Discard, Echo, Greet, Quote, Welcome
from tests.support.peer import HOST, PEER, StreamCase


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


class TraceTests(StreamCase):
    """
    Tests for L{StreamTrace} and L{DatagramTrace}.
    """

    def traced(self, responder: type[Responder], transport: StringTransport | None = None) -> tuple[Any, Any]:
        """
        A traced connection.

        @return: the trace, connected, and its transport.
        """
        transport = StringTransport(HOST, PEER) if transport is None else transport
        protocol: Any = self.factory(responder).buildProtocol(transport.getPeer())
        trace = StreamTrace(protocol, responder.name)
        trace.makeConnection(transport)
        return trace, transport

    def datagrams(self, responder: type[Responder]) -> tuple[DatagramTrace, Any]:
        """
        A traced datagram protocol, and its transport.
        """
        transport: Any = FakeDatagramTransport()
        trace = DatagramTrace(DatagramResponder(responder, clock=self.clock), responder.name)
        trace.makeConnection(transport)
        return trace, transport

    def test_stream(self) -> None:
        """
        The log has a line for the connection and one for each segment.
        """
        trace, transport = self.traced(Echo)
        self.assertEqual(self.lines(), ["echo: connected: 192.0.2.7:40000"])
        trace.dataReceived(b"hi~")
        trace.dataReceived(b"\r\n\x1b[31m")
        self.assertEqual(self.lines(), ["echo: 192.0.2.7:40000: b'hi~'", "echo: 192.0.2.7:40000: b'\\r\\n\\x1b[31m'"])
        self.assertEqual(transport.value(), b"hi~\r\n\x1b[31m")

    def test_unix(self) -> None:
        """
        A peer without an address is a dash.
        """
        self.traced(Discard, StringTransport(UNIXAddress("/run/discard.sock"), UNIXAddress(None)))
        self.assertEqual(self.lines(), ["discard: connected: -"])

    def test_olderLog(self) -> None:
        """
        Observers of Twisted's older log change the events that they get. The line keeps its text.
        """
        older: list[dict[str, Any]] = []
        addObserver(older.append)
        self.addCleanup(removeObserver, older.append)
        self.traced(Echo)[0].dataReceived(b"hi~")
        self.assertEqual(self.lines()[1:], ["echo: 192.0.2.7:40000: b'hi~'"])
        self.assertEqual(textFromEventDict(older[-1]), "echo: 192.0.2.7:40000: b'hi~'")

    def test_theEndIsNoMessage(self) -> None:
        """
        The reply to a peer that ends without a byte has no line for a message.
        """
        trace, transport = self.traced(Welcome)
        trace.readConnectionLost()
        self.assertEqual(
            (transport.value(), self.lines()), (b"please go out!", ["welcome: connected: 192.0.2.7:40000"])
        )

    def test_deadline(self) -> None:
        """
        Deadlines and the name in the visit are those of the service.
        """
        trace, transport = self.traced(Welcome)
        self.clock.advance(5)
        self.assertTrue(transport.disconnecting)
        trace.connectionLost()
        self.assertEqual([(visit.service, visit.outcome) for visit in self.visits], [("welcome", Outcome.TIMED_OUT)])

    def test_generatedOutput(self) -> None:
        """
        Endless output is paced by the transport as without a trace.
        """
        _, transport = self.traced(Chargen)
        for _ in range(3):
            transport.producer.resumeProducing()
        self.assertGreaterEqual(len(transport.value()), 3 * 65536)
        transport.producer.pauseProducing()
        self.assertEqual(transport.producerState, "paused")

    def test_datagrams(self) -> None:
        """
        The log has a line for each datagram, empty ones included, whether the reply depends on it or not.
        """
        for responder in (Echo, Greet, Quote):
            trace, transport = self.datagrams(responder)
            for datagram in (b"hi~\n", b""):
                trace.datagramReceived(datagram, ("127.0.0.1", 40000))
            messages = [f"{responder.name}: 127.0.0.1:40000: {quoted(datagram)}" for datagram in (b"hi~\n", b"")]
            self.assertEqual((self.lines(), len(transport.written)), (messages, 2))

    def test_unixDatagrams(self) -> None:
        """
        The source of a Unix datagram is its path as printable text, or a dash.
        """
        trace, _ = self.datagrams(Discard)
        for path in ("/tmp/\r\nforged\x1b[31m", b"\0abstract", None):
            trace.datagramReceived(b"hi~", path)
        self.assertEqual(
            self.lines(),
            ["discard: /tmp/\\r\\nforged\\x1b[31m: b'hi~'", "discard: @abstract: b'hi~'", "discard: -: b'hi~'"],
        )

    def test_proxiedPeer(self) -> None:
        """
        A transport may report any text as the peer's host: it cannot forge a line.
        """
        forged: Any = type("Address", (), {"host": "192.0.2.7\n2026-11-21 forged\x1b", "port": 1})()
        self.traced(Echo, StringTransport(HOST, forged))
        (line,) = self.lines()
        self.assertTrue(line.isprintable(), line)
