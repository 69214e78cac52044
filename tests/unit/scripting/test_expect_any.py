"""
C{expectAny}.
"""

from __future__ import annotations

import re

import pytest

from sockservices import Outcome
from sockservices.scripting import RemotePeer
from sockservices.testing import converse, segmentations


async def commands(peer: RemotePeer) -> None:
    """
    Send back the pattern that each message matches, until C{QUIT}.
    """
    pattern = b""
    while pattern != b"QUIT":
        match = await peer.expectAny([b"GET .", re.compile(b"get", re.I), b"QUIT"])
        pattern = match.re.pattern
        await peer.send(pattern + b";")


def test_firstMatch() -> None:
    """
    The first pattern counts that matches what has come, however it is cut. The bytes after the match come next.
    """
    for segments in segmentations(b"gEtgetQUIT"):
        peer = converse(commands)
        assert peer.say(*segments) == b"get;get;QUIT;"
        assert peer.outcome is Outcome.FINISHED


@pytest.mark.parametrize(("sent", "offset"), [(b"X", 0), (b"gX", 1), (b"QUX", 2)])
def test_mismatch(sent: bytes, offset: int) -> None:
    """
    It is a mismatch as soon as no pattern can match. The message shows all patterns, and the byte that none allows.
    """
    peer = converse(commands)
    peer.say(sent[:-1])
    assert peer.outcome is None
    peer.say(sent[-1:])
    assert peer.outcome is Outcome.MISMATCH
    assert str(peer.exception) == (
        f"different from byte {offset} on\n    expected: a match of b'GET .|get|QUIT'\n    received: {sent!r}"
    )


def test_noPattern() -> None:
    """
    Nothing matches no pattern.
    """

    async def nothing(peer: RemotePeer) -> None:
        await peer.expectAny([])

    assert converse(nothing).outcome is Outcome.MISMATCH
