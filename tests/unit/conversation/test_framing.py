"""
Responders of lines, netstrings and strings with a length, over streams and datagrams.
"""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from twisted.internet.defer import Deferred

from sockservices import (
    Int8Responder,
    Int16Responder,
    Int32Responder,
    LineResponder,
    NetstringResponder,
    Outcome,
    Responder,
)
from sockservices.testing import ResponderContract, converse, segmentations


class Reversing:
    """
    Reverses messages. C{quit} ends, and C{none} has no reply.
    """

    finished = False

    def answer(self, message: bytes) -> Any:
        """
        Return the message reversed.
        """
        if message == b"none":
            return None
        if message == b"later":
            return self.later(message)
        self.finished = message == b"quit"
        return message[::-1]

    async def later(self, message: bytes) -> bytes:
        """
        Return the message reversed.
        """
        return message[::-1]


def reversing(base: type[Responder]) -> Any:
    """
    Make the class of reversed messages of up to 20 bytes in a frame.
    """
    return type(f"Reversing{base.__name__}", (Reversing, base), {"MAX_LENGTH": 20})


ReversingLines, ReversingNetstrings = reversing(LineResponder), reversing(NetstringResponder)
ReversingInt8, ReversingInt16, ReversingInt32 = map(reversing, (Int8Responder, Int16Responder, Int32Responder))


#: For each class, messages on a stream and the replies.
EXCHANGES: list[tuple[type[Responder], bytes, bytes]] = [
    (ReversingLines, b"one\r\ntwo\n\nnone\nlater\nab\rc\r\nthree", b"eno\r\nowt\r\n\r\nretal\r\nc\rba\r\n"),
    (ReversingNetstrings, b"3:one,3:two,0:,4:none,5:later,4:thr", b"3:eno,3:owt,0:,5:retal,"),
    (ReversingInt8, b"\x03one\x03two\0\x04none\x05later\x06thr", b"\x03eno\x03owt\0\x05retal"),
    (ReversingInt16, b"\0\x03one\0\0\0\x04none\0\x05later\0\x04thr", b"\0\x03eno\0\0\0\x05retal"),
    (ReversingInt32, b"\0\0\0\x03one\0\0\0\x05later\0\0\0\x04thr", b"\0\0\0\x03eno\0\0\0\x05retal"),
]


@pytest.mark.parametrize(("responder", "sent", "replies"), EXCHANGES)
def test_messages(responder: type[Responder], sent: bytes, replies: bytes) -> None:
    """
    C{answer} gets each whole message without its frame, and returns a reply without one, for any segmentation. A
    message that is not complete at the end has no reply. C{answer} may return an awaitable.
    """
    for segments in segmentations(sent):
        peer = converse(responder)
        assert peer.say(*segments) == replies, segments
        assert (peer.end(), peer.outcome) == (b"", Outcome.DONE)


@pytest.mark.parametrize("responder", [responder for responder, _, _ in EXCHANGES])
def test_datagrams(responder: type[Responder]) -> None:
    """
    A datagram is one message, without a frame, and so is its reply.
    """
    peer = converse(responder, transport="udp")
    assert [peer.say(message) for message in (b"one", b"", b"none")] == [b"eno", b"", None]


@pytest.mark.parametrize(
    ("responder", "sent", "replies"),
    [
        (ReversingLines, b"one\nquit\ntwo\n", b"eno\r\ntiuq\r\n"),
        (ReversingNetstrings, b"4:quit,3:two,", b"4:tiuq,"),
        (ReversingInt8, b"\x04quit\x03two", b"\x04tiuq"),
    ],
)
def test_finished(responder: type[Responder], sent: bytes, replies: bytes) -> None:
    """
    After C{finished} no further message is answered.
    """
    peer = converse(responder)
    assert (peer.say(sent), peer.outcome) == (replies, Outcome.FINISHED)


@pytest.mark.parametrize(
    ("responder", "sent", "replies"),
    [
        (ReversingLines, b"ab\n" + bytes(20) + b"\n", b"ba\r\n" + bytes(20) + b"\r\n"),
        (ReversingNetstrings, b"20:" + bytes(20) + b",", b"20:" + bytes(20) + b","),
        (ReversingInt8, b"\x14" + bytes(20), b"\x14" + bytes(20)),
    ],
)
def test_longestMessage(responder: type[Responder], sent: bytes, replies: bytes) -> None:
    """
    A message may have C{MAX_LENGTH} bytes.
    """
    peer = converse(responder)
    assert (peer.say(sent), peer.outcome) == (replies, None)


@pytest.mark.parametrize(
    ("responder", "sent", "replies"),
    [
        (ReversingLines, b"ab\n" + bytes(21) + b"\n", b"ba\r\n"),
        (ReversingLines, b"ab\n" + bytes(22), b"ba\r\n"),
        (ReversingNetstrings, b"2:ab,21:", b"2:ba,"),
        (ReversingNetstrings, b"2:ab,2ab,", b"2:ba,"),
        (ReversingNetstrings, b"2:ab,2:abc", b"2:ba,"),
        (ReversingNetstrings, b"2:ab,02:ab,", b"2:ba,"),
        (ReversingNetstrings, b"2:ab,-1:,", b"2:ba,"),
        (ReversingNetstrings, b"2:ab," + b"1" * 5000, b"2:ba,"),
        (ReversingInt8, b"\x02ab\x15", b"\x02ba"),
        (ReversingInt32, b"\0\0\0\x02ab\xff\xff\xff\xff", b"\0\0\0\x02ba"),
    ],
)
def test_malformed(responder: type[Responder], sent: bytes, replies: bytes) -> None:
    """
    A malformed or too long message ends the conversation after the replies to the earlier messages.
    """
    for segments in ([sent], [bytes([byte]) for byte in sent]):
        peer = converse(responder)
        assert (peer.say(*segments), peer.outcome) == (replies, Outcome.FINISHED)


def test_lastReply() -> None:
    """
    C{malformed} gets the reason, and may return a last reply.
    """

    class Polite(LineResponder):
        MAX_LENGTH = 5

        def malformed(self, reason: str) -> bytes:
            return f"500 {reason}".encode()

    assert converse(Polite).say(b"too long\n") == b"500 a line of more than 5 bytes\r\n"


def test_greeting() -> None:
    """
    The greeting is a message, too.
    """

    class Greeting(LineResponder):
        def greeting(self) -> bytes:
            return b"220 ready"

    assert converse(Greeting).heard == b"220 ready\r\n"
    assert converse(Greeting, transport="udp").say(b"hello") == b"220 ready"


def test_callableMakesResponder() -> None:
    """
    A callable that returns a message responder is served like the class.
    """
    assert converse(lambda conversation: ReversingLines(conversation)).say(b"one\n") == b"eno\r\n"


def test_wrongTypes() -> None:
    """
    The error of a reply of a wrong type names the class, and not the frame.
    """

    class Wrong(LineResponder):
        def answer(self, message: bytes) -> Any:
            return message.decode()

    peer = converse(Wrong)
    with pytest.raises(TypeError, match=r"^Wrong\.answer\(\) returned str, expected bytes or None$"):
        peer.say(b"hello\n")
    assert peer.visits[0].service == "Wrong"


def test_awaitedReplyOfWrongType() -> None:
    """
    So does the error of a reply that comes later.
    """

    class Later(LineResponder):
        async def answer(self, message: bytes) -> Any:  # type: ignore[override]
            return message.decode()

    with pytest.raises(TypeError, match=r"^Later\.answer\(\) returned str, expected bytes or None$"):
        converse(Later).say(b"hello\n")


def test_awaitedReplies() -> None:
    """
    While a reply is awaited, the next message waits, even if it is in the same segment.
    """
    waiting: list[Deferred[bytes]] = []

    class Later(LineResponder):
        def answer(self, message: bytes) -> Any:
            waiting.append(Deferred())
            return waiting[-1]

    peer = converse(Later)
    assert (peer.say(b"1\n2\n"), peer.say(b"3\n"), len(waiting)) == (b"", b"", 1)
    for reply in (b"one", b"two", b"three"):
        waiting[-1].callback(reply)
    assert peer.heard == b"one\r\ntwo\r\nthree\r\n"


def test_emptyLineAtDeadline() -> None:
    """
    A responder with a deadline gets an empty message when the peer ends without a byte, as every responder does.
    """

    class Expecting(LineResponder):
        deadline: ClassVar[float] = 5.0

        def answer(self, message: bytes) -> bytes:
            return message or b"nothing"

    peer = converse(Expecting)
    assert peer.end() == b"nothing\r\n"


def test_ended() -> None:
    """
    C{ended} is called, and the other attributes are those of the responder.
    """
    ends: list[Outcome] = []

    class Ending(LineResponder):
        name = "ending"

        def ended(self, outcome: Outcome) -> None:
            ends.append(outcome)

    peer = converse(Ending)
    peer.end()
    assert (ends, peer.visits[0].service) == ([Outcome.DONE], "ending")


class ContractLines(LineResponder):
    """
    Sends back each line.

    >>> from sockservices import Conversation
    >>> ContractLines(Conversation()).answer(b"hello")
    b'hello'
    """

    name = "lines"
    port = 8999

    def answer(self, message: bytes) -> bytes:
        """
        Return the line.
        """
        return message


class TestLineContract(ResponderContract):
    """
    A responder of lines keeps the contract.
    """

    responder = ContractLines
    messages = (b"hello\r\n", b"hello", b"a\nb\n")


class ContractStrings(Int16Responder):
    """
    Sends back each string.

    >>> from sockservices import Conversation
    >>> ContractStrings(Conversation()).answer(b"hello")
    b'hello'
    """

    name = "strings"
    port = 8999

    def answer(self, message: bytes) -> bytes:
        """
        Return the string.
        """
        return message


class TestStringContract(ResponderContract):
    """
    A responder of strings with a length keeps the contract.
    """

    responder = ContractStrings
    messages = (b"\0\5hello", b"\0\0")
