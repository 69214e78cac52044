"""
The receives of a client that ask for more than the next segment.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from sockservices.client import ClientFactory, RequestFailed, Verdict
from sockservices.testing import segmentations
from sockservices.transports.stream_reader import MAX_BUFFER, TooLong


class ReceivingTests(SynchronousTestCase):
    """
    C{receiveExactly}, C{receiveUntil} and C{receiveLine}.
    """

    def setUp(self) -> None:
        """
        Connect.
        """
        self.clock = Clock()
        self.transport = StringTransport()
        self.connection: Any = ClientFactory(self.clock).buildProtocol(None)
        self.connection.makeConnection(self.transport)

    def test_anySegmentation(self) -> None:
        """
        What is received does not depend on the segmentation, nor on whether data or the receive comes first.
        """
        for early in (False, True):
            for segments in segmentations(b"a\r\nb\nc;d"):
                self.setUp()
                if early:
                    for segment in segments:
                        self.connection.dataReceived(segment)
                first = self.connection.receiveLine()
                if not early:
                    for segment in segments:
                        self.connection.dataReceived(segment)
                self.assertEqual(self.successResultOf(first), b"a")
                self.assertEqual(self.successResultOf(self.connection.receiveUntil(b"\n")), b"b\n")
                self.assertEqual(self.successResultOf(self.connection.receiveExactly(2)), b"c;")
                self.assertEqual(self.successResultOf(self.connection.receive()), b"d")

    def test_end(self) -> None:
        """
        A FIN before all bytes have come fails the receive with the bytes that came, and so does a lost connection.
        """
        for data, verdict in ((b"", Verdict.EOF), (b"ab", Verdict.SHORT)):
            self.setUp()
            received = self.connection.receiveExactly(3)
            self.connection.dataReceived(data)
            self.connection.readConnectionLost()
            failure = self.failureResultOf(received, RequestFailed).value
            self.assertEqual((failure.verdict, failure.answer), (verdict, data))
        self.setUp()
        received = self.connection.receiveLine()
        self.connection.connectionLost(Failure(ConnectionLost()))
        self.assertIs(self.failureResultOf(received, RequestFailed).value.verdict, Verdict.RESET)

    def test_timeout(self) -> None:
        """
        After a timeout, the bytes that have come can still be received.
        """
        received = self.connection.receiveUntil(b";", timeout=2)
        self.connection.dataReceived(b"ab")
        self.clock.advance(2)
        self.assertIn("no b';' within 2 s", str(self.failureResultOf(received, RequestFailed).value))
        self.assertEqual(self.successResultOf(self.connection.receive()), b"ab")

    def test_limit(self) -> None:
        """
        64 KiB without the delimiter fail the receive. Then the transport is paused, until data is received.
        """
        received = self.connection.receiveLine()
        self.connection.dataReceived(bytes(MAX_BUFFER))
        self.failureResultOf(received, TooLong)
        self.assertEqual(self.transport.producerState, "paused")
        self.successResultOf(self.connection.receiveExactly(1))
        self.assertEqual(self.transport.producerState, "producing")
        for wrong in (-1, MAX_BUFFER + 1):
            with self.assertRaises(ValueError):
                self.connection.receiveExactly(wrong)
        with self.assertRaises(ValueError):
            self.connection.receiveUntil(b"")
