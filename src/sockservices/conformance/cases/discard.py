"""
Cases for C{discard} (RFC 863).
"""

from __future__ import annotations

from sockservices.conformance.datagrams import PADDED, FarDatagrams
from sockservices.conformance.deviation import Deviation
from sockservices.conformance.service import Service
from sockservices.conformance.stream import FarStream

__all__ = ["discard"]

discard = Service("discard", "RFC 863")


@discard.tcp("takes 64 KiB without a word, and ends when we do")
async def takes(far: FarStream) -> None:
    (await far.ask(bytes(65536))).only(b"")


@discard.tcp("stays open, and silent, until we end")
async def staysOpen(far: FarStream) -> None:
    async with far.talk() as talk:
        for _ in range(2):
            talk.say(PADDED)
            (await talk.quiet()).silent()
        talk.finish()
        (await talk.hear()).only(b"")


@discard.udp("answers no datagram")
async def noReply(far: FarDatagrams) -> None:
    await _silence(far, b"", PADDED)


@discard.udp("takes the longest datagram there can be, without a reply")
async def longest(far: FarDatagrams) -> None:
    await _silence(far, bytes(65507), PADDED)


async def _silence(far: FarDatagrams, *datagrams: bytes) -> None:
    heard = await far.tell(*datagrams)
    if heard is not None:
        raise Deviation(f"a reply: {heard}", "none")
