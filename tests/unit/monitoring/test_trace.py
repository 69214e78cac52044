"""
Lines of the log that quote the messages of peers.
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
    L{quoted}.
    """

    def test_quoted(self) -> None:
        """
        A message is quoted as by C{repr}, and cut at 80 characters.
        """
        for message, text in (
            (b"hi~", "b'hi~'"),
            (b"it's\r\n\x1b[31m\0\xff", 'b"it\'s\\r\\n\\x1b[31m\\x00\\xff"'),
            (b"", "b''"),
            (b"x" * 77, "b'" + "x" * 77 + "'"),
            (b"x" * 78, "b'" + "x" * 75 + "..."),
            (b"x" * 100_000, "b'" + "x" * 75 + "..."),
            (b"\0" * 20, "b'" + "\\x00" * 18 + "\\x0..."),
        ):
            self.assertEqual(quoted(message), text)

    @settings(deadline=None)
    @given(message=st.binary(max_size=200))
    def test_onePrintableLine(self, message: bytes) -> None:
        """
        Any message is one printable line of at most 80 characters.
        """
        text = quoted(message)
        self.assertTrue(text.isascii() and text.isprintable() and len(text) <= 80, text)


class StreamTraceTests(StreamCase):
    """
    L{StreamTrace}.
    """

    def traced(self, responder: type[Responder], peer: Any = PEER) -> tuple[Any, Any]:
        """
        A traced connection.

        @return: the trace, connected, and its transport.
        """
        transport = StringTransport(HOST, peer)
        protocol: Any = self.factory(responder).buildProtocol(peer)
        trace = StreamTrace(protocol, responder.name)
        trace.makeConnection(transport)
        return trace, transport

    def test_lines(self) -> None:
        """
        The log has a line for the connection and one for each segment. Observers of Twisted's legacy log change the
        events that they get; the line keeps its text.
        """
        events: list[dict[str, Any]] = []
        addObserver(events.append)
        self.addCleanup(removeObserver, events.append)
        trace, transport = self.traced(Echo)
        self.assertEqual(self.lines(), ["echo: connected: 192.0.2.7:40000"])
        trace.dataReceived(b"hi~")
        trace.dataReceived(b"\r\n\x1b[31m")
        self.assertEqual(self.lines(), ["echo: 192.0.2.7:40000: b'hi~'", "echo: 192.0.2.7:40000: b'\\r\\n\\x1b[31m'"])
        self.assertEqual(textFromEventDict(events[-2]), "echo: 192.0.2.7:40000: b'hi~'")
        self.assertEqual(transport.value(), b"hi~\r\n\x1b[31m")

    def test_peers(self) -> None:
        """
        A peer without an address is a dash. The text that a transport reports as the peer's host cannot forge a line.
        """
        self.traced(Discard, UNIXAddress(None))
        self.assertEqual(self.lines(), ["discard: connected: -"])
        self.traced(Echo, type("Address", (), {"host": "192.0.2.7\n2026-11-21 forged\x1b", "port": 1})())
        (line,) = self.lines()
        self.assertTrue(line.isprintable(), line)

    def test_emptyMessage(self) -> None:
        """
        The reply to a peer that ends without a byte has no line for a message.
        """
        trace, transport = self.traced(Welcome)
        trace.readConnectionLost()
        self.assertEqual(transport.value(), b"please go out!")
        self.assertEqual(self.lines(), ["welcome: connected: 192.0.2.7:40000"])

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
        The transport paces endless output as without a trace.
        """
        _, transport = self.traced(Chargen)
        for _ in range(3):
            transport.producer.resumeProducing()
        self.assertGreaterEqual(len(transport.value()), 3 * 65536)
        transport.producer.pauseProducing()
        self.assertEqual(transport.producerState, "paused")


class DatagramTraceTests(StreamCase):
    """
    L{DatagramTrace}.
    """

    def test_lines(self) -> None:
        """
        The log has a line for each datagram, empty ones included, whether the reply depends on it or not. The source of
        a Unix datagram is its path as printable text, or a dash.
        """
        for responder, addr, source, replies in (
            *((responder, ("127.0.0.1", 40000), "127.0.0.1:40000", 2) for responder in (Echo, Greet, Quote)),
            (Discard, "/tmp/\r\nforged\x1b[31m", "/tmp/\\r\\nforged\\x1b[31m", 0),
            (Discard, b"\0abstract", "@abstract", 0),
            (Discard, None, "-", 0),
        ):
            transport: Any = FakeDatagramTransport()
            trace = DatagramTrace(DatagramResponder(responder, clock=self.clock), responder.name)
            trace.makeConnection(transport)
            for datagram in (b"hi~\n", b""):
                trace.datagramReceived(datagram, addr)
            lines = [f"{responder.name}: {source}: {quoted(datagram)}" for datagram in (b"hi~\n", b"")]
            self.assertEqual((self.lines(), len(transport.written)), (lines, replies))
