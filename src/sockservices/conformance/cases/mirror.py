"""
What the services have in common that give back what they are sent.
"""

from __future__ import annotations

from collections.abc import Callable

from sockservices.conformance.datagrams import PADDED, FarDatagrams
from sockservices.conformance.deviation import Limited
from sockservices.conformance.service import Service
from sockservices.conformance.stream import FarStream

__all__ = ["givesBack", "staysOpen"]

EVERY_BYTE = bytes(range(256))

#: More than the kernels on the way have room for, and of a length that fits no buffer.
LONG = (bytes(range(251)) * 816)[: 200 * 1024]

#: As many bytes as a datagram over IPv4 can have, and as many as fit into one packet almost everywhere.
LONGEST, USUAL = 65507, 1400


def staysOpen(service: Service, said: bytes, answer: bytes) -> None:
    """
    Declare that it answers, again and again, until its peer ends; and is silent until then.
    """

    @service.tcp("says nothing before it is told something")
    async def quiet(far: FarStream) -> None:
        async with far.talk() as talk:
            (await talk.quiet()).silent()

    @service.tcp("stays open after an answer, and gives another")
    async def another(far: FarStream) -> None:
        async with far.talk() as talk:
            for _ in range(2):
                talk.say(said)
                (await talk.hear(len(answer))).says(answer)
            talk.finish()
            (await talk.hear()).only(b"")


def givesBack(service: Service, changed: Callable[[bytes], bytes] = bytes, how: str = "") -> None:
    """
    Declare that it does so.

    @param changed: what becomes of what is sent.
    @param how: the same in words.
    """

    @service.tcp(f"gives back every byte{how}, all 256 of them")
    async def everyByte(far: FarStream) -> None:
        (await far.ask(EVERY_BYTE)).only(changed(EVERY_BYTE))

    @service.tcp(f"gives back 200 KiB{how} whole, though we end our side at once, and then ends")
    async def whole(far: FarStream) -> None:
        (await far.ask(LONG)).only(changed(LONG))

    staysOpen(service, b"ping", changed(b"ping"))

    @service.udp("replies from the address that was asked")
    async def source(far: FarDatagrams) -> None:
        # A reply from another one is a deviation, whatever is asked.
        await far.both()

    @service.udp(f"gives back a datagram{how}, every byte of it")
    async def datagram(far: FarDatagrams) -> None:
        _, padded = await far.both()
        (padded or await far.ask(PADDED)).only(changed(PADDED))
        (await far.ask(EVERY_BYTE)).only(changed(EVERY_BYTE))

    @service.udp("answers an empty datagram with an empty one")
    async def empty(far: FarDatagrams) -> None:
        none, _ = await far.both()
        (none or await far.ask(b"")).only(b"")

    @service.udp(f"gives back {USUAL:,} bytes{how} in one datagram")
    async def usual(far: FarDatagrams) -> None:
        (await far.ask(LONG[:USUAL])).only(changed(LONG[:USUAL]))

    @service.udp(f"gives back {LONGEST:,} bytes{how}, the most there can be")
    async def longest(far: FarDatagrams) -> None:
        heard = await far.probe(LONG[:LONGEST])
        if heard is None:
            raise Limited("no reply", f"{LONGEST} bytes")
        heard.only(changed(LONG[:LONGEST]))
