"""
Faults around the protocols of any factory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from twisted.internet.interfaces import IProtocolFactory, IReactorTime
from zope.interface import implementer

from sockservices.faults.applied import Applied
from sockservices.faults.fault import Fault
from sockservices.faults.plan import FaultPlan
from sockservices.faults.stream import FaultyStream
from sockservices.transports.layered_factory import layered

__all__ = ["FaultyFactory", "StreamFaults"]


class StreamFaults(FaultPlan):
    """
    Makes the layer of each connection of a listener. A connection that no fault meets gets none.
    """

    onStreams = True

    def __call__(self, protocol: Any) -> Any:
        """
        Put the faults of the next connection around its protocol.
        """
        faults = [(fault, draws.of(self.number)) for fault, draws in map(self.drawn.__getitem__, self.next())]
        return FaultyStream(protocol, faults, self.clock, Applied(self.counts)) if faults else protocol


@implementer(IProtocolFactory)
class FaultyFactory(StreamFaults):
    """
    A protocol factory whose connections have faults. C{factory.faults} may be set; C{factory.counts} counts how often
    each fault was applied.
    """

    noisy = False

    def __init__(
        self,
        factory: Any,
        faults: Iterable[Fault],
        *,
        seed: int | None = None,
        clock: IReactorTime | None = None,
        listener: str = "",
        counts: Counter[str] | None = None,
    ) -> None:
        """
        @param factory: any L{IProtocolFactory}.
        @see: L{FaultPlan} for the other parameters and the exceptions.
        """
        super().__init__(faults, seed=seed, clock=clock, listener=listener, counts=counts)
        self.buildProtocol = layered(factory, [self]).buildProtocol
        self.doStart, self.doStop = factory.doStart, factory.doStop
