"""
Cases for C{welcome}.
"""

from __future__ import annotations

from sockservices.conformance.cases.anydatagram import answersAnyDatagram
from sockservices.conformance.datagrams import FarDatagrams
from sockservices.conformance.service import Service
from sockservices.conformance.stream import FarStream

__all__ = ["welcome"]

welcome = Service("welcome", "tutorial")

WELCOME, GO = b"welcome to server!", b"please go out!"

#: How much of the time it has to bear with silence at least: clocks, and the way there, are not exact.
MOST_OF_IT = 0.8


@welcome.tcp("welcomes who says 1, and ends")
async def one(far: FarStream) -> None:
    (await far.ask(b"1", finish=False)).only(WELCOME)


@welcome.tcp("welcomes who says 1 and CR LF, and ends")
async def oneLine(far: FarStream) -> None:
    (await far.ask(b"1\r\n", finish=False)).only(WELCOME)


@welcome.tcp("sends away who says anything else, and ends")
async def another(far: FarStream) -> None:
    (await far.ask(b"2", finish=False)).only(GO)


@welcome.tcp("sends away who ends without a byte, and ends")
async def noByte(far: FarStream) -> None:
    (await far.ask(b"")).only(GO)


@welcome.tcp("ends after five seconds of silence, cleanly and with nothing said")
async def silence(far: FarStream) -> None:
    async with far.talk() as talk:
        (await talk.hear(silence=far.seconds.silence * MOST_OF_IT)).silent()
        (await talk.hear(silence=far.seconds.silence * (1 - MOST_OF_IT) + far.seconds.answer)).only(b"")


answersAnyDatagram(welcome)


@welcome.udp("welcomes a datagram of 1")
async def oneDatagram(far: FarDatagrams) -> None:
    await far.both()
    for said in (b"1", b"1\r\n"):
        (await far.ask(said)).only(WELCOME)


@welcome.udp("sends away any other datagram")
async def anotherDatagram(far: FarDatagrams) -> None:
    for heard in [*await far.replies(), await far.ask(b"2")]:
        heard.only(GO)
