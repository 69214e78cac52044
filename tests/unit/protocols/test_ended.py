"""
A responder gets the outcome when its conversation is over: once, over every transport.
"""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from sockservices import Outcome, Policy, Responder
from sockservices.protocols.datagram import DatagramResponder
from sockservices.testing import converse


class Noting(Responder):
    """
    Notes each end, and which data its conversation had.
    """

    name = "noting"
    ends: ClassVar[list[tuple[bytes, Outcome]]] = []
    data = b""

    def answer(self, message: bytes) -> Any:
        """
        Return the message, or end, raise or wait if the message is that command.
        """
        self.data += message
        if message == b"raise":
            raise ValueError(message)
        if message == b"wait":
            return Deferred()
        self.finished = message == b"finish"
        return bytes(200) if message == b"long" else message

    def ended(self, outcome: Outcome) -> None:
        """
        Note the outcome.
        """
        self.ends.append((self.data, outcome))


@pytest.fixture(autouse=True)
def ends() -> list[tuple[bytes, Outcome]]:
    """
    The ends of this test.
    """
    Noting.ends = []
    return Noting.ends


MAKERS: list[Any] = [Noting, lambda conversation: Noting(conversation)]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("message", "end", "outcome"),
    [
        (b"hello", lambda peer: peer.end(), Outcome.DONE),
        (b"hello", lambda peer: peer.reset(), Outcome.RESET),
        (b"hello", lambda peer: peer.wait(1000), Outcome.IDLE),
        (b"finish", lambda peer: peer.end(), Outcome.FINISHED),
        (b"raise", lambda peer: peer.end(), Outcome.ERROR),
        (b"wait", lambda peer: peer.reset(), Outcome.RESET),
    ],
)
def test_streams(make: Any, message: bytes, end: Any, outcome: Outcome, ends: list[tuple[bytes, Outcome]]) -> None:
    """
    The end of a connection has the outcome of its visit.
    """
    for transport in ("tcp", "unix"):
        ends.clear()
        peer: Any = converse(make, transport=transport)
        peer.say(message)
        end(peer)
        assert ends == [(message, outcome)]
        assert peer.outcome is outcome


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        (b"hello", Outcome.DONE),
        (b"finish", Outcome.DONE),
        (b"raise", Outcome.ERROR),
        (b"long", Outcome.WITHHELD),
    ],
)
def test_datagrams(make: Any, message: bytes, outcome: Outcome, ends: list[tuple[bytes, Outcome]]) -> None:
    """
    C{ended} is called once for each datagram, with the outcome of its reply.
    """
    peer = converse(make, transport="udp")
    for _ in range(3):
        peer.say(message)
    assert ends == [(message, outcome)] * 3


def test_overRate(ends: list[tuple[bytes, Outcome]]) -> None:
    """
    A datagram whose reply is not sent has the reason. One that is dropped before it reaches a responder has no end.
    """
    peer = converse(Noting, transport="udp", policy=Policy(udpRate=1, udpMax=10))
    for message in (b"1", b"2", b"3", bytes(11)):
        peer.say(message)
    assert ends == [(b"1", Outcome.DONE), (b"2", Outcome.DONE), (b"3", Outcome.OVER_RATE)]


def test_awaitedDatagram(ends: list[tuple[bytes, Outcome]]) -> None:
    """
    A datagram whose reply is still awaited when the port closes has its end then.
    """
    peer = converse(Noting, transport="udp")
    peer.say(b"wait")
    assert ends == []
    protocol: DatagramResponder = peer.protocol
    protocol.doStop()
    assert ends == [(b"wait", Outcome.UNSENT)]


def test_withoutRecorder(ends: list[tuple[bytes, Outcome]]) -> None:
    """
    The end comes whether visits are recorded or not.
    """
    peer = converse(Noting, transport="udp")
    peer.protocol.record = None
    peer.say(b"hello")
    assert ends == [(b"hello", Outcome.DONE)]


def test_makerThatRaises(ends: list[tuple[bytes, Outcome]]) -> None:
    """
    Without a responder, C{ended} is not called; and it is not called again on an earlier responder.
    """
    responders: list[Any] = [Noting]

    def make(conversation: Any) -> Responder:
        responder: Responder = responders.pop()(conversation)
        return responder

    peer = converse(make, transport="udp")
    for _ in range(3):
        peer.say(b"hello")
    assert ends == [(b"hello", Outcome.DONE)]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_exceptionInEnded(transport: Any) -> None:
    """
    What it raises is logged, and changes nothing else.
    """

    class Failing(Noting):
        def ended(self, outcome: Outcome) -> None:
            raise ValueError("too late")

    peer: Any = converse(Failing, transport=transport)
    with capturedLogs() as events:
        assert peer.say(b"hello") == b"hello"
        if transport == "tcp":
            peer.end()
    assert peer.outcome is Outcome.DONE
    (line,) = [formatEvent(event) for event in events]
    assert line.startswith("noting raised ValueError('too late')")
    assert "after conversation 1 with 127.0.0.1:40000" in line


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_noEnded(transport: Any) -> None:
    """
    A class with the other methods of a responder needs no method C{ended}.
    """
    members = {
        name: value for name, value in vars(Responder).items() if name not in ("__dict__", "__weakref__", "ended")
    }
    similar: Any = type("Similar", (), members)
    peer: Any = converse(similar, transport=transport)
    peer.say(b"hello")
    if transport == "tcp":
        peer.end()
    assert peer.outcome is Outcome.DONE
