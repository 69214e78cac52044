"""
A responder that returns a wrong type, over every transport.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.logger import capturedLogs, formatEvent

from sockservices import LineResponder, Outcome, Responder
from sockservices.testing import converse


class Slow(Responder):
    """
    Returns text in place of bytes.
    """

    def answer(self, message: bytes) -> Any:
        """
        Return the message as text.
        """
        return message.decode()


class Greeting(Responder):
    """
    Greets with text.
    """

    def greeting(self) -> Any:
        """
        Return text.
        """
        return "welcome"


class Awaited(Responder):
    """
    Returns text later.
    """

    async def answer(self, message: bytes) -> Any:  # type: ignore[override]
        """
        Return the message as text.
        """
        return message.decode()


class Yielding(Responder):
    """
    Generates text.
    """

    def generate(self) -> Any:
        """
        Generate bytes first.
        """
        yield b"bytes"
        yield "text"


class Counted(Responder):
    """
    Returns a number in place of a generator.
    """

    def generate(self) -> Any:
        """
        Return a number.
        """
        return 3


class Malformed(LineResponder):
    """
    Replies to too long a line with text.
    """

    MAX_LENGTH = 2

    def malformed(self, reason: str) -> Any:
        """
        Return the reason.
        """
        return reason


def makeText(conversation: object) -> Any:
    """
    Make no responder.
    """
    return "text"


def framed(responder: type[Responder]) -> type[Responder]:
    """
    The same responder, for lines.
    """
    return type(responder.__name__, (responder, LineResponder), {})


STREAMS, DATAGRAMS = ("tcp", "unix"), ("udp", "unixgram")


@pytest.mark.parametrize(
    ("responder", "transports", "name", "expected"),
    [
        (Slow, STREAMS + DATAGRAMS, "Slow", "Slow.answer() returned str, expected bytes or None"),
        (Greeting, STREAMS + DATAGRAMS, "Greeting", "Greeting.greeting() returned str, expected bytes or None"),
        (Awaited, STREAMS + DATAGRAMS, "Awaited", "Awaited.answer() returned str, expected bytes or None"),
        (Yielding, STREAMS, "Yielding", "Yielding.generate() yielded str, expected bytes"),
        (Counted, STREAMS, "Counted", "Counted.generate() returned int, expected an iterator or None"),
        (makeText, STREAMS + DATAGRAMS, "makeText", "makeText() returned str, expected a Responder"),
        (framed(Slow), STREAMS + DATAGRAMS, "Slow", "Slow.answer() returned str, expected bytes or None"),
        (framed(Greeting), STREAMS + DATAGRAMS, "Greeting", "Greeting.greeting() returned str, expected bytes or None"),
        (framed(Awaited), STREAMS + DATAGRAMS, "Awaited", "Awaited.answer() returned str, expected bytes or None"),
        (framed(Yielding), STREAMS, "Yielding", "Yielding.generate() yielded str, expected bytes"),
        (framed(Counted), STREAMS, "Counted", "Counted.generate() returned int, expected an iterator or None"),
        (Malformed, STREAMS, "Malformed", "Malformed.malformed() returned str, expected bytes or None"),
    ],
)
def test_wrongTypes(responder: Any, transports: tuple[Any, ...], name: str, expected: str) -> None:
    """
    C{converse} raises an error that names the class and the method. The log has the same text.
    """

    def talk(transport: Any) -> None:
        peer: Any = converse(responder, transport=transport)
        peer.say(b"hello\n")
        peer.hear()

    for transport in transports:
        with capturedLogs() as events, pytest.raises(TypeError) as raised:
            talk(transport)
        assert str(raised.value) == expected
        (line,) = [formatEvent(event) for event in events]
        assert line.startswith(name + " ")
        assert expected in line
        assert ".py" not in line


def test_exceptionsOfResponders() -> None:
    """
    An exception that a responder raises is an outcome of the conversation: it stays available, and is not raised again.
    """

    class Failing(Responder):
        def answer(self, message: bytes) -> bytes:
            raise ValueError("no")

    for transport, reply in (("tcp", b""), ("udp", None)):
        peer: Any = converse(Failing, transport=transport)  # type: ignore[call-overload]
        assert peer.exception is None
        assert peer.say(b"hello") == reply
        assert (repr(peer.exception), peer.outcome) == ("ValueError('no')", Outcome.ERROR)


@pytest.mark.parametrize("transport", STREAMS + DATAGRAMS)
def test_visits(transport: Any) -> None:
    """
    The outcome is C{ERROR}, nothing counts as sent, and the visit has the name of the class.
    """
    peer: Any = converse(Slow, transport=transport)
    with pytest.raises(TypeError) as raised:
        peer.say(b"hello")
    (visit,) = peer.visits
    assert (visit.outcome, visit.received, visit.sent, visit.service) == (Outcome.ERROR, 5, 0, "Slow")
    assert peer.exception is raised.value
