"""
What the services have in common that say something, whatever they are told, and hang up.
"""

from __future__ import annotations

from sockservices.conformance.cases.anydatagram import answersAnyDatagram
from sockservices.conformance.datagrams import PADDED
from sockservices.conformance.deviation import Deviation
from sockservices.conformance.heard import Heard
from sockservices.conformance.service import Service
from sockservices.conformance.stream import FarStream

__all__ = ["speaksOnce"]

#: What is sent comes now before the server closes the connection, now after; only the former shows whether it resets.
TIMES = 8


def speaksOnce(service: Service, *, maybeNothing: bool = False, anyDatagram: bool = True) -> None:
    """
    Declare that it does so.

    @param maybeNothing: whether it may have nothing to say.
    @param anyDatagram: whether its reply fits where the datagram is empty.
    """

    def said(heard: Heard) -> None:
        heard.ended()
        if not (heard.words or maybeNothing):
            raise Deviation(str(heard), "its words, then an end")

    @service.tcp("speaks without being asked, and ends")
    async def unasked(far: FarStream) -> None:
        said(await far.ask(finish=False))

    @service.tcp("drops what it is sent, and ends as cleanly")
    async def drops(far: FarStream) -> None:
        for _ in range(TIMES):
            said(await far.ask(PADDED))

    if anyDatagram:
        answersAnyDatagram(service)
