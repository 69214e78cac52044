"""
Scripts in conversations in memory.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sockservices import Outcome
from sockservices.scripting.script import Script
from sockservices.testing import converse, segmentations

Load = Callable[[str], Script]

SMTP = r"""
[[step]]
send = "220 ready\r\n"

[[step]]
match = 'HELO (\S+)\r\n'
wait = 0.25
send = "250 hello\r\n"

[[step]]
expect = "QUIT\r\n"
send = "221 bye\r\n"
finish = true

[[step]]
expect-end = true
"""


def test_steps(load: Load) -> None:
    """
    The steps are done in their order, however the peer cuts its lines.
    """
    script = load(SMTP)
    for segments in segmentations(b"HELO me\r\n"):
        peer = converse(script)
        assert peer.heard == b"220 ready\r\n"
        assert peer.say(*segments) == b""
        assert peer.wait(0.25) == b"250 hello\r\n"
        assert peer.say(b"QUIT\r\n") == b"221 bye\r\n"
        assert peer.outcome is None
        peer.end()
        assert peer.outcome is Outcome.DONE
        assert peer.visits[0].service == "smtp"


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        (SMTP, b"EHLO me\r\n"),
        ("[[step]]\nexpect-end = true", b"x"),
        ("[[rule]]\nmatch = 'PING'", b"PONG"),
        ("[[rule]]\nmatch = 'A'\ntimes = 1", b"AA"),
        ("framing = 'line'\n[[rule]]\nmatch = 'PING'", b"PINGS\n"),
        ("framing = 'line'\n[[rule]]\nmatch = 'PING'\ntimes = 1", b"PING\nPING\n"),
        ("framing = {length = 4, order = 'big'}\n[[rule]]\nmatch = '.*'", b"\x00\x01\x00\x01"),
        ("framing = {delimiter = ';'}\n[[rule]]\nmatch = '.*'", bytes(65536)),
    ],
)
def test_mismatch(text: str, sent: bytes, load: Load) -> None:
    """
    What matches no step and no rule resets the connection.
    """
    peer = converse(load(text))
    peer.say(sent)
    assert peer.outcome is Outcome.MISMATCH


def test_mismatchText(load: Load) -> None:
    """
    The message of a mismatch shows the patterns of all rules, and what the peer sent.
    """
    peer = converse(load("framing = 'line'\n[[rule]]\nmatch = 'PING'\n[[rule]]\nexpect = 'QUIT'"))
    peer.say(b"PONG\r\n")
    assert str(peer.exception) == (
        "different from byte 1 on; no rule matches\n    expected: a match of b'PING|QUIT'\n    received: b'PONG'"
    )


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_lines(end: bytes, load: Load) -> None:
    """
    A rule for lines matches a whole line without its end. The first rule that matches applies.
    """
    script = load("framing = 'line'\n[[rule]]\nmatch = 'A+'\nsend = '1'\n[[rule]]\nmatch = '.*'\nsend = '2'")
    for segments in segmentations(b"AA" + end + b"AB" + end + end):
        peer = converse(script)
        assert peer.say(*segments) == b"122"
        peer.end()
        assert peer.outcome is Outcome.DONE


@pytest.mark.parametrize(
    ("framing", "stream"),
    [
        ('{delimiter = "\\u0000"}', b"ab\0\0"),
        ("{length = 1}", b"\x02ab\x00"),
        ('{length = 2, order = "big"}', b"\x00\x02ab\x00\x00"),
        ('{length = 4, order = "little"}', b"\x02\x00\x00\x00ab\x00\x00\x00\x00"),
    ],
)
def test_framing(framing: str, stream: bytes, load: Load) -> None:
    """
    Rules match a whole message without its frame. What is sent has no frame but its own.
    """
    script = load(f"framing = {framing}\n[[rule]]\nexpect = 'ab'\nsend = '1'\n[[rule]]\nexpect = ''\nsend = '2'")
    for segments in segmentations(stream):
        assert converse(script).say(*segments) == b"12"


def test_fixed(load: Load) -> None:
    """
    Messages of a fixed length.
    """
    script = load("framing = {fixed = 2}\n[[rule]]\nexpect = 'ab'\nsend = '1'\n[[rule]]\nmatch = '..'\nsend = '2'")
    for segments in segmentations(b"abcdab"):
        assert converse(script).say(*segments) == b"121"


def test_rulesOnStream(load: Load) -> None:
    """
    Without a framing, a rule matches what has come, and what comes after the match is the next message.
    """
    script = load("[[rule]]\nmatch = '(?s)GET .'\nsend = '1'\n[[rule]]\nexpect = 'GO'\nsend = '2'")
    for segments in segmentations(b"GET GGOGET\x20\n"):
        peer = converse(script)
        assert peer.say(*segments) == b"121"
        peer.end()
        assert peer.outcome is Outcome.DONE


@pytest.mark.parametrize("framing", ["", "framing = 'line'", "framing = {fixed = 4}", "framing = {delimiter = ';'}"])
def test_incomplete(framing: str, load: Load) -> None:
    """
    An end in the middle of a message is a mismatch.
    """
    peer = converse(load(f"{framing}\n[[rule]]\nmatch = 'PING'"))
    peer.say(b"PIN")
    peer.end()
    assert peer.outcome is Outcome.MISMATCH


def test_times(load: Load) -> None:
    """
    A rule with C{times} applies so many times, counted over all conversations; then the next rule does.
    """
    script = load("[[rule]]\nmatch = 'A'\nreset = true\ntimes = 1\n[[rule]]\nmatch = 'A'\nsend = 'b'")
    first, second = converse(script), converse(script)
    first.say(b"A")
    assert first.outcome is Outcome.FINISHED
    assert second.say(b"AA") == b"bb"


@pytest.mark.parametrize("end", ["finish", "reset"])
def test_ruleEnds(end: str, load: Load) -> None:
    """
    After a rule with C{finish} or C{reset}, no rule applies.
    """
    peer = converse(load(f"[[rule]]\nmatch = 'Q'\nwait = 1\nsend = 'bye'\n{end} = true"))
    assert peer.say(b"QQ") == b""
    assert peer.wait(1) == b"bye"
    assert peer.outcome is Outcome.FINISHED
    assert peer.transport.disconnected is (end == "reset")


def test_repeat(load: Load) -> None:
    """
    C{repeat} does a step several times: a slow drip.
    """
    peer = converse(load("[[step]]\nwait = 0.5\nsend = '.'\nrepeat = 3\n[[step]]\nsend = '!'"))
    assert [peer.wait(0.5) for _ in range(3)] == [b".", b".", b".!"]
    assert peer.outcome is Outcome.FINISHED


def test_forever(load: Load) -> None:
    """
    A step is repeated until the peer ends.
    """
    peer = converse(load("[[step]]\nmatch = '.'\nsend = 'a'\nrepeat = 'forever'"))
    assert peer.say(b"123") == b"aaa"
    peer.end()
    assert peer.visits


def test_stepsBeforeRules(load: Load) -> None:
    """
    The steps come first; then the rules apply.
    """
    peer = converse(load("[[rule]]\nmatch = 'A'\nsend = 'b'\n[[step]]\nsend = 'hello'"))
    assert peer.heard == b"hello"
    assert peer.say(b"A") == b"b"


@pytest.mark.parametrize("framing", ["", "framing = 'datagram'"])
def test_datagrams(framing: str, load: Load) -> None:
    """
    A rule matches a whole datagram. A datagram that no rule matches, and a rule without C{send}, have no reply.
    """
    rules = "[[rule]]\nexpect = 'A'\nsend = 'b'\n[[rule]]\nexpect = 'E'\nsend = ''\n[[rule]]\nmatch = 'B+'"
    peer = converse(load(f"{framing}\n{rules}"), transport="udp")
    assert [peer.say(each) for each in (b"A", b"BB", b"E", b"AA")] == [b"b", None, b"", None]
    assert peer.outcome is Outcome.MISMATCH


def test_datagramSteps(load: Load) -> None:
    """
    The steps are done for each datagram.
    """
    peer = converse(load("[[step]]\nmatch = 'A.'\nwait = 1\nsend = 'b'"), transport="udp")
    assert peer.say(b"A1") is None
    peer.wait(1)
    assert peer.heard == [b"b"]


def test_segments(load: Load) -> None:
    """
    On a connection, the framing C{datagram} takes each segment for a message.
    """
    peer = converse(load("framing = 'datagram'\n[[rule]]\nmatch = 'A+'\nsend = 'b'"))
    assert peer.say(b"A", b"AA") == b"bb"
    peer.end()
    assert peer.outcome is Outcome.DONE
