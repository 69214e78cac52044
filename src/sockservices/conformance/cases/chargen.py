"""
Cases for C{chargen} (RFC 864).
"""

from __future__ import annotations

from sockservices.conformance.cases.anydatagram import answersAnyDatagram
from sockservices.conformance.cases.printing import printing
from sockservices.conformance.datagrams import PADDED, FarDatagrams
from sockservices.conformance.deviation import Deviation, shown
from sockservices.conformance.heard import End, Heard
from sockservices.conformance.service import Service
from sockservices.conformance.stream import FarStream

__all__ = ["chargen"]

chargen = Service("chargen", "RFC 864")

#: The 95 printing characters of ASCII, each once, space to tilde.
RING = bytes(range(0x20, 0x7F))

#: How many of them are on a line.
WIDTH = 72

#: Enough to see the ring begin anew, in bytes.
ROUND = 2 * len(RING) * (WIDTH + 2)

#: As much as may be on its way before our words are heard, in bytes.
LONG = 2**21

#: The most characters of a datagram.
MOST = 512

#: How many datagrams are looked at: chance may well give the same length twice.
SAMPLES = 5


@chargen.tcp("talks without being asked")
async def unasked(far: FarStream) -> None:
    async with far.talk() as talk:
        _goesOn(await talk.hear(1))


@chargen.tcp("drops what it is sent, and talks on unchanged")
async def drops(far: FarStream) -> None:
    undisturbed = await _talk(far, b"")
    heard = await _talk(far, PADDED)
    if PADDED[:WIDTH] in heard.words:
        raise Deviation(f"what it was sent, at byte {heard.words.index(PADDED[:WIDTH])}", "none of it")
    period = _period(undisturbed.words)
    if period:
        Heard(heard.words[period:]).says(heard.words[:-period])


async def _talk(far: FarStream, said: bytes) -> Heard:
    async with far.talk() as talk:
        talk.say(said)
        heard = await talk.hear(LONG)
    _goesOn(heard)
    return heard


@chargen.tcp("says 72 characters of the ring of 95 and CR LF a line, each from one further on")
async def pattern(far: FarStream) -> None:
    async with far.talk() as talk:
        heard = await talk.hear(ROUND)
    # The last line is cut.
    *lines, _ = heard.words.split(b"\r\n")
    if not lines:
        raise Deviation(str(heard), f"lines of {WIDTH} characters and CR LF")
    for line in lines:
        if len(line) != WIDTH:
            raise Deviation(f"a line of {len(line)}: {shown(line)}", f"lines of {WIDTH} characters")
    missing = bytes(sorted(set(RING) - set(b"".join(lines))))
    if missing:
        raise Deviation(f"no {shown(missing)} in any line", "all 95 printing characters")
    start = RING.find(lines[0][:1])
    for number, line in enumerate(lines, start):
        Heard(line).says((RING * 2)[number % len(RING) :][:WIDTH])


@chargen.tcp("still talks when others have cut it off")
async def cutOff(far: FarStream) -> None:
    for _ in range(3):
        async with far.talk() as talk:
            _goesOn(await talk.hear(ROUND))


def _goesOn(heard: Heard) -> None:
    if heard.end is not End.MORE:
        raise Deviation(str(heard), "talk without end")


def _period(words: bytes) -> int:
    """
    After how many bytes the words begin anew, again and again; 0 if they do not.
    """
    start = words[:ROUND]
    period = next((at for at in range(1, len(start) - WIDTH) if start.startswith(start[at:])), 0)
    return period if words.startswith(words[period:]) else 0


answersAnyDatagram(chargen)


@chargen.udp("replies with 512 characters at most")
async def size(far: FarDatagrams) -> None:
    for heard in await far.replies(SAMPLES):
        if len(heard.words) > MOST:
            raise Deviation(f"{len(heard.words)} characters", f"0 to {MOST}")


@chargen.udp("replies with a number of characters left to chance")
async def chance(far: FarDatagrams) -> None:
    lengths = {len(heard.words) for heard in await far.replies(SAMPLES)}
    if len(lengths) == 1:
        raise Deviation(f"{lengths.pop()} characters each time", f"a number from 0 to {MOST}, each time another")


@chargen.udp("replies with printing ASCII and line ends")
async def ascii_(far: FarDatagrams) -> None:
    for heard in await far.replies(SAMPLES):
        printing(heard)
