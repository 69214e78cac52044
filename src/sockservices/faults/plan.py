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

__all__ = ["FaultPlan"]


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
        """
        if clock is None:
            from twisted.internet import reactor

            clock = IReactorTime(reactor)
        self.seed = randomSeed() if seed is None else seed
        self.clock = clock
        self.counts: Counter[str] = Counter() if counts is None else counts
        self._draws = Draws(self.seed, listener)
        self.faults = tuple(faults)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """
        The faults. New faults apply from the next conversation on, which gets the number 1.
        """
        return self._faults

    @faults.setter
    def faults(self, faults: Iterable[Fault]) -> None:
        chosen = tuple(faults)
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
