"""
Scripts that send groups of what they have matched.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockservices import Policy
from sockservices.scripting import loadScript
from sockservices.scripting.script import Script
from sockservices.scripting.script_bytes import toToml
from sockservices.testing import converse, segmentations

Load = Callable[[str], Script]

PATTERN = r"match = '(?s)(?P<id>.)(?P<sign>[+-])?([^;]*);'"

#: Of C{send}, and what it sends after C{"7+ab;"} and after C{"\xff;"}.
SENDS = [
    ("{group = 1}", b"7", b"\xff"),
    ('{group = "id"}', b"7", b"\xff"),
    ("[{group = 0}]", b"7+ab;", b"\xff;"),
    ('["<", {group = 3}, ">", {group = 3}]', b"<ab>ab", b"<>"),
    (
        '["hex:00 ff", {group = "sign"}, "{group = 1} {1} $1 \\\\1 \\\\g<1>"]',
        b"\0\xff+{group = 1} {1} $1 \\1 \\g<1>",
        None,
    ),
    ("{group = 2}", b"+", b""),
]


@pytest.mark.parametrize(("send", "first", "second"), SENDS)
@pytest.mark.parametrize("table", ["step", "rule"])
def test_groups(table: str, send: str, first: bytes, second: bytes | None, load: Load) -> None:
    """
    A group stands for the bytes that it has matched in the same step or rule, by number or by name, and for none if it
    took no part in the match. Braces, dollars and backslashes in strings stand for themselves.
    """
    repeat = "repeat = 2" if table == "step" else ""
    script = load(f"[[{table}]]\n{PATTERN}\nsend = {send}\n{repeat}")
    for segments in segmentations(b"7+ab;"):
        peer = converse(script)
        assert peer.say(*segments) == first
        assert second is None or peer.say(b"\xff;") == second


def test_framedMessages(load: Load) -> None:
    """
    Group 0 is the whole message without its frame.
    """
    script = load("framing = 'line'\n[[rule]]\nmatch = '.*'\nsend = ['<', {group = 0}, '>']")
    assert converse(script).say(b"ab\r\n\n") == b"<ab><>"


def test_datagrams(load: Load) -> None:
    """
    Groups of a datagram. Repeated groups do not make the reply longer than the limit.
    """
    doubled = "match = '(?s).*'\nsend = [{group = 0}, {group = 0}]"
    script = load(
        f"framing = 'datagram'\n[[rule]]\nmatch = '(?s)(..)a'\nsend = [{{group = 1}}, '!']\n[[rule]]\n{doubled}"
    )
    peer = converse(script, transport="udp", policy=Policy(udpRate=0))
    assert [peer.say(each) for each in (b"\x00\xffa", b"", bytes(20), bytes(21))] == [
        b"\x00\xff!",
        b"",
        bytes(40),
        None,
    ]


parts = st.lists(st.binary(max_size=9) | st.integers(0, 2), min_size=1)


@given(parts, st.binary(max_size=99), st.binary(max_size=99))
def test_anyBytes(parts: list[bytes | int], first: bytes, second: bytes) -> None:
    """
    All bytes of a group, and all bytes between groups, are sent unchanged.
    """
    groups = (first + second, first, second)
    pieces = [f"{{group = {part}}}" if isinstance(part, int) else toToml(part).strip("[],\n ") for part in parts]
    pattern = f"(?s)(.{{{len(first)}}})(.*)"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "any.toml")
        path.write_text(f"framing = 'datagram'\n[[rule]]\nmatch = '{pattern}'\nsend = [{','.join(pieces)}]")
        script = loadScript(path)
    peer = converse(script, transport="unixgram")
    expected = b"".join(groups[part] if isinstance(part, int) else part for part in parts)
    assert peer.say(first + second) == expected
