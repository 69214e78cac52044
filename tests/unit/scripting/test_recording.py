"""
Recordings as scripts.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from sockservices import Outcome
from sockservices.scripting import loadScript, recording
from sockservices.scripting.recording import DatagramRecording, Recording, StreamRecording
from sockservices.scripting.script import Script
from sockservices.testing import converse

Load = Callable[[str], Script]

#: Events, each after a quarter of a second.
Events = list[tuple[str, bytes | None]]

SMTP: Events = [
    ("send", b"220 ready\r\n"),
    ("expect", b"HELO "),
    ("expect", b"me\r\n"),
    ("send", b"250-hello\r\n"),
    ("send", b"250 \xff\r\n"),
    ("expect-end", None),
    ("finish", None),
]


def recorded(kind: type[Recording], events: Events, timing: bool = False) -> str:
    """
    The script of events.
    """
    clock = Clock()
    made = kind(clock.seconds, timing)
    for key, data in events:
        clock.advance(0.25)
        made.add(key, data)
    return made.toToml()


def steps(events: Events, timing: bool = False) -> Any:
    """
    The steps of a connection.
    """
    return tomllib.loads(recorded(StreamRecording, events, timing)).get("step")


def rules(events: Events, timing: bool = False) -> Any:
    """
    The rules of datagrams.
    """
    return tomllib.loads(recorded(DatagramRecording, events, timing)).get("rule")


def test_steps() -> None:
    """
    What the client sends is expected, what the server sends is sent, and successive bytes are one value.
    """
    assert steps(SMTP) == [
        {"send": "220 ready\r\n"},
        {"expect": "HELO me\r\n", "send": ["250-hello\r\n", "hex:32353020ff0d0a"]},
        {"expect-end": True, "finish": True},
    ]


def test_timing() -> None:
    """
    With its times, the server waits before each of its events, since the event before.
    """
    assert steps(SMTP, timing=True) == [
        {"wait": 0.25, "send": "220 ready\r\n"},
        {"expect": "HELO me\r\n", "wait": 0.25, "send": "250-hello\r\n"},
        {"wait": 0.25, "send": "hex:32353020ff0d0a"},
        {"expect-end": True, "wait": 0.25, "finish": True},
    ]


@pytest.mark.parametrize("timing", [False, True])
def test_replay(timing: bool, load: Load) -> None:
    """
    The script sends the same bytes, in their order and with their times.
    """
    peer = converse(load(recorded(StreamRecording, SMTP, timing)))
    peer.wait(0.25)
    assert peer.heard == b"220 ready\r\n"
    peer.say(b"HELO me\r\n")
    peer.wait(0.25)
    assert peer.heard.endswith(b"250-hello\r\n") is timing
    peer.wait(0.25)
    assert peer.heard == b"220 ready\r\n250-hello\r\n250 \xff\r\n"
    peer.end()
    peer.wait(0.25)
    assert peer.visits


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], None),
        ([("reset", None)], [{"reset": True}]),
        ([("send", b"a"), ("reset", None)], [{"send": "a", "reset": True}]),
        (
            [("send", b"a"), ("finish", None), ("expect", b"b"), ("expect-end", None)],
            [{"send": "a", "finish": True}, {"expect": "b"}, {"expect-end": True}],
        ),
        (
            [("expect", b"a"), ("expect-end", None), ("send", b"b")],
            [{"expect": "a"}, {"expect-end": True, "send": "b"}],
        ),
    ],
)
def test_ends(events: Events, expected: Any, load: Load) -> None:
    """
    Each end is a step, in its order.
    """
    assert steps(events) == expected
    if expected:
        load(recorded(StreamRecording, events))


@given(
    st.lists(st.tuples(st.sampled_from(["expect", "send"]), st.binary(min_size=1, max_size=80)), min_size=1),
    st.booleans(),
)
def test_anyReplay(exchanged: list[tuple[str, bytes]], timing: bool) -> None:
    """
    Whatever both sides send, in whatever order, is replayed.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "any.toml"
        path.write_text(recorded(StreamRecording, [*exchanged], timing))
        peer = converse(loadScript(path))
    sent = b""
    for key, data in exchanged:
        if key == "expect":
            peer.say(data)
        else:
            peer.wait(0.25)
            sent += data
            assert peer.heard[: len(sent)] == sent
    assert peer.outcome in (None, Outcome.FINISHED)
    assert peer.heard == sent


def test_datagrams() -> None:
    """
    Each different datagram of the client is a rule. A further reply to it is omitted, and so is one before all of them.
    """
    events: Events = [("send", b"?"), ("expect", b"a"), ("send", b"1"), ("send", b"!"), ("expect", b"\xff")]
    assert rules(events) == [{"expect": "a", "send": "1"}, {"expect": "hex:ff"}]
    assert rules(events, timing=True)[0] == {"expect": "a", "wait": 0.25, "send": "1"}


def test_differentReplies(load: Load) -> None:
    """
    Replies that differ come in their order; the last one stays.
    """
    replies = [b"1", b"1", None, b"2", b"2"]
    events: Events = []
    for reply in replies:
        events += [("expect", b"a")] if reply is None else [("expect", b"a"), ("send", reply)]
    peer = converse(load(recorded(DatagramRecording, events)), transport="udp")
    assert [peer.say(b"a") for _ in range(6)] == [*replies, b"2"]


def test_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A recording keeps so many bytes, and counts the others.
    """
    monkeypatch.setattr(recording, "MAX_RECORDED", 3)
    made = StreamRecording(Clock().seconds, False)
    for data in (b"abc", b"d", b"ef"):
        made.add("send", data)
    assert made.toToml() == '[[step]]\nsend = "abc"\n\n'
    assert made.omitted == 3
