"""
Which faults meet which conversation of a listener.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import ClassVar

from twisted.internet.interfaces import IReactorTime

from sockservices.faults.draws import Draws, randomSeed
from sockservices.faults.fault import Fault

__all__ = ["FaultPlan", "faultsFrom"]


class FaultPlan:
    """
    The faults of one listener, and the number of its next conversation.

    What happens to a conversation is a function of the seed, the listener and the number of the conversation.

    @cvar onStreams: whether the conversations are connections; else they are datagrams.
    @ivar seed: the seed of all decisions.
    @ivar clock: the clock of all delays.
    @ivar counts: how often each fault was applied, by its word.
    @ivar drawn: the faults, each with its random numbers.
    @ivar number: the number of the latest conversation.
    """

    onStreams: ClassVar[bool]

    def __init__(
        self,
        faults: Iterable[Fault],
        *,
        seed: int | None = None,
        clock: IReactorTime | None = None,
        listener: str = "",
        counts: Counter[str] | None = None,
    ) -> None:
        """
        @param faults: the faults, in the order in which they act.
        @param seed: by default a random one.
        @param clock: the reactor, or a L{twisted.internet.task.Clock}; by default the global reactor.
        @param listener: names the listener. Listeners of different names have different random numbers.
        @param counts: where the faults are counted, such as C{Census.faults}.
        @raise ValueError: for a fault that cannot be on these conversations.
        @raise TypeError: for what is no list of faults.
        """
        if clock is None:
            from twisted.internet import reactor

            clock = IReactorTime(reactor)
        self.seed = randomSeed() if seed is None else seed
        self.clock = clock
        self.counts: Counter[str] = Counter() if counts is None else counts
        self._draws = Draws(self.seed, listener)
        self.faults = faults

    @property
    def faults(self) -> tuple[Fault, ...]:
        """
        The faults. New faults apply from the next conversation on, which gets the number 1.
        """
        return self._faults

    @faults.setter
    def faults(self, faults: Iterable[Fault]) -> None:
        chosen = faultsFrom(faults)
        for fault in chosen:
            if not (fault.streams if self.onStreams else fault.datagrams):
                raise ValueError(f"{fault}: expected a fault for {'connections' if self.onStreams else 'datagrams'}")
        self._faults = chosen
        self.drawn = [(fault, self._draws.of(index, fault.word)) for index, fault in enumerate(chosen)]
        self.number = 0
        self.faultsChanged()

    def faultsChanged(self) -> None:
        """
        Called when there are other faults.
        """

    def next(self) -> list[int]:
        """
        Number the next conversation.

        @return: the indexes of the faults that meet it.
        """
        self.number += 1
        return [index for index, (fault, draws) in enumerate(self.drawn) if fault.meets(self.number, draws)]


def faultsFrom(faults: object) -> tuple[Fault, ...]:
    """
    The faults of a list.

    @raise TypeError: for what is no list of faults.
    """
    if isinstance(faults, (Fault, str)) or not isinstance(faults, Iterable):
        raise TypeError(f"{_text(faults)}: expected a list of faults, such as [Latency(0.1)]")
    chosen = tuple(faults)
    for fault in chosen:
        if not isinstance(fault, Fault):
            raise TypeError(f"{_text(fault)}: expected a fault, such as Latency(0.1)")
    return chosen


def _text(given: object) -> str:
    if isinstance(given, type):
        return f"the class {given.__name__}"
    return str(given) if isinstance(given, Fault) else repr(given)
