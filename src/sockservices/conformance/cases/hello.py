"""
Cases for C{hello}.
"""

from __future__ import annotations

from sockservices.conformance.cases.anydatagram import answersAnyDatagram
from sockservices.conformance.cases.mirror import staysOpen
from sockservices.conformance.datagrams import FarDatagrams
from sockservices.conformance.service import Service
from sockservices.conformance.stream import FarStream

__all__ = ["hello"]

hello = Service("hello", "tutorial")

HELLO = b"hello"


@hello.tcp("says hello to a message, and ends when we do")
async def message(far: FarStream) -> None:
    (await far.ask(b"hi~")).only(HELLO)


staysOpen(hello, b"hi~", HELLO)
answersAnyDatagram(hello)


@hello.udp("says hello to any datagram")
async def datagram(far: FarDatagrams) -> None:
    for heard in [*await far.replies(), await far.ask(b"hi~")]:
        heard.only(HELLO)
