"""
How cases are declared.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple

from sockservices.conformance.datagrams import FarDatagrams
from sockservices.conformance.heard import Heard
from sockservices.conformance.stream import FarStream

__all__ = ["Case", "Judge", "Service"]

#: Raises a L{Deviation<sockservices.conformance.deviation.Deviation>} when what was heard is not right.
Judge = Callable[[Heard], None]


class Case(NamedTuple):
    """
    One sentence about a service, and how to find out whether it holds.

    @ivar ask: asks a far end, and raises a L{Deviation<sockservices.conformance.deviation.Deviation>} when it does not.
    """

    sentence: str
    ask: Callable[[Any], Coroutine[Any, Any, None]]


class Service:
    """
    A service, and its cases in their order.

    @ivar name: the word for it.
    @ivar source: who says what is right.
    @ivar cases: those for C{"tcp"}, and those for C{"udp"}.
    """

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.source = source
        self.cases: dict[str, list[Case]] = {"tcp": [], "udp": []}

    def tcp(self, sentence: str) -> Callable[[Callable[[FarStream], Awaitable[None]]], None]:
        """
        Declare a case for streams.
        """
        return self._case("tcp", sentence)

    def udp(self, sentence: str) -> Callable[[Callable[[FarDatagrams], Awaitable[None]]], None]:
        """
        Declare a case for datagrams.
        """
        return self._case("udp", sentence)

    def _case(self, transport: str, sentence: str) -> Callable[[Any], None]:
        return lambda ask: self.cases[transport].append(Case(sentence, ask))

    def answer(self, sentence: str) -> Callable[[Judge], None]:
        """
        Declare what the answer is, to anything or nothing: a case for streams, and one for datagrams.
        """

        def declare(judge: Judge) -> None:
            @self.tcp(sentence)
            async def stream(far: FarStream) -> None:
                judge(await far.ask(finish=False))

            @self.udp(sentence)
            async def datagrams(far: FarDatagrams) -> None:
                for heard in await far.replies():
                    judge(heard)

        return declare
