"""
The totals of a server: counts by service and outcome, and bytes.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import FakeDatagramTransport, StringTransport
from twisted.logger import capturedLogs, formatEvent

from sockservices import Census, DatagramResponder, Policy, StreamFactory
from sockservices.conversation.responder import MakeResponder
from sockservices.monitoring.log import jsonLine
from sockservices.monitoring.totals import logTotals
from sockservices.responders import Discard, Echo, Upper

PEER = IPv4Address("TCP", "192.0.2.7", 40000)


def stream(census: Census, responder: MakeResponder, data: bytes, **limits: Any) -> None:
    """
    Serve one connection that sends data and ends.
    """
    factory = StreamFactory(responder, Policy(**limits), lambda visit: None, Clock(), census)
    protocol: Any = factory.buildProtocol(PEER)
    if protocol is not None:
        protocol.makeConnection(StringTransport())
        protocol.dataReceived(data)
        protocol.connectionLost()


def datagrams(census: Census, responder: MakeResponder, *data: bytes, record: Any = None) -> None:
    """
    Serve datagrams of one source, whose rate allows two.
    """
    protocol = DatagramResponder(responder, Policy(udpRate=1), record, Clock(), census)
    protocol.makeConnection(FakeDatagramTransport())
    for datagram in data:
        protocol.datagramReceived(datagram, ("192.0.2.7", 40000))


def logged(census: Census) -> tuple[str, Any]:
    """
    Log the totals.

    @return: the text of the one line, and its JSON object.
    """
    with capturedLogs() as events:
        logTotals(census)
    (event,) = events
    return formatEvent(event), json.loads(jsonLine(event))["totals"]


def test_noConversations() -> None:
    """
    A server without conversations has a line, too.
    """
    empty: dict[str, Any] = {"conversations": {}, "datagrams": {}}
    assert logged(Census()) == ("totals: no conversations", empty)


def test_conversations() -> None:
    """
    Connections are counted by service and outcome, refused ones included, with their bytes.
    """
    census = Census()
    stream(census, Echo, b"hello")
    stream(census, Upper, b"hi")
    stream(census, Echo, b"hi")
    census.connections = 1
    stream(census, Echo, b"refused", maxConnections=1)
    text, totals = logged(census)
    assert text == (
        "totals: echo 3 conversations (2 done, 1 refused), 7 bytes received, 7 sent; "
        "upper 1 conversation (1 done), 2 bytes received, 2 sent"
    )
    assert totals["conversations"] == {
        "echo": {"outcomes": {"done": 2, "refused": 1}, "received": 7, "sent": 7},
        "upper": {"outcomes": {"done": 1}, "received": 2, "sent": 2},
    }


def test_datagrams() -> None:
    """
    Datagrams are counted as answered, or by the reason for which they were dropped. It makes no difference whether
    their visits are recorded.
    """
    for record in (None, lambda visit: None):
        census = Census()
        datagrams(census, Echo, b"1", b"22", b"333", b"4444", record=record)
        datagrams(census, Discard, b"55555", record=record)
        text, totals = logged(census)
        assert text == (
            "totals: echo 4 datagrams (2 answered, 2 over the rate), 10 bytes received, 3 sent; "
            "discard 1 datagram (1 answered), 5 bytes received, 0 sent"
        )
        assert totals["datagrams"] == {
            "echo": {"outcomes": {"answered": 2, "over the rate": 2}, "received": 10, "sent": 3},
            "discard": {"outcomes": {"answered": 1}, "received": 5, "sent": 0},
        }
