"""
Faults on datagrams: a layer between a datagram port and its protocol.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger
from zope.interface import implementer

from sockservices.faults.applied import Applied
from sockservices.faults.fault import Fault
from sockservices.faults.faulty_reply import FaultyReply, ReplyCopy
from sockservices.faults.keys import IN, OUT
from sockservices.faults.plain_datagrams import PlainDatagrams
from sockservices.faults.plan import FaultPlan
from sockservices.faults.stage import MAX_HELD, OVERHEAD, Piece, Stage
from sockservices.transports.datagram_layer import DatagramLayer
from sockservices.transports.interfaces import IReplyRoute, IRequestProtocol

__all__ = ["FaultyDatagrams"]

log = Logger("sockservices")

_Deliver = Callable[[bytes], object]


@implementer(IReplyRoute)
class _FaultyRoute:
    """
    The route of one datagram, with the faults that meet it.

    @ivar applied: counts those that were applied.
    @ivar number: the number of the datagram at its listener.
    @ivar route: the route below.
    @ivar stages: the stages of these faults, by direction.
    """

    __slots__ = ("_layer", "applied", "destination", "number", "peer", "route", "source", "stages")

    def __init__(self, layer: FaultyDatagrams, route: Any, met: list[int]) -> None:
        self._layer, self.route, self.number, self.applied = layer, route, layer.number, Applied(layer.counts)
        # The layer may get other faults before the reply is sent.
        self.stages = {direction: [stages[index] for index in met] for direction, stages in layer.stages.items()}
        self.peer, self.destination = route.peer, route.destination
        self.source: Any = None

    @property
    def faults(self) -> tuple[tuple[str, int], ...]:
        """
        The word of each fault that was applied to the datagram and its reply, and how often.
        """
        return self.applied.faults

    def send(self, datagram: bytes, token: object) -> None:
        """
        Send a reply.
        """
        self._layer.send(self, datagram, token)


class FaultyDatagrams(DatagramLayer, FaultPlan):
    """
    A datagram protocol whose datagrams have faults. Each datagram that comes is a conversation, with its replies.
    """

    onStreams = False

    def __init__(
        self,
        protocol: DatagramProtocol,
        faults: Iterable[Fault],
        *,
        seed: int | None = None,
        clock: IReactorTime | None = None,
        listener: str = "",
        counts: Counter[str] | None = None,
    ) -> None:
        """
        @param protocol: any datagram protocol.
        @see: L{FaultPlan} for the other parameters and the exceptions.
        """
        DatagramLayer.__init__(
            self, protocol if IRequestProtocol.providedBy(protocol) else PlainDatagrams(protocol, self)
        )
        self._held: dict[object, tuple[IDelayedCall, Callable[[], object]]] = {}
        self._heldBytes = 0
        FaultPlan.__init__(self, faults, seed=seed, clock=clock, listener=listener, counts=counts)

    @property
    def pendingReplies(self) -> int:
        """
        The number of datagrams and replies that come later.
        """
        return len(self._held) + super().pendingReplies

    def faultsChanged(self) -> None:
        """
        Make the stages of both directions.
        """
        self.stages: dict[str, list[Stage | None]] = {
            direction: [fault.stageOf(direction, draws, False) for fault, draws in self.drawn]
            for direction in (IN, OUT)
        }

    def routeOf(self, route: Any) -> Any:
        """
        The route of the next datagram: through the faults that meet it.
        """
        met = self.next()
        return _FaultyRoute(self, route, met) if met else route

    def requestReceived(self, datagram: bytes, route: Any) -> None:
        """
        Pass a datagram to the protocol, if and when the faults let it pass.
        """
        faulty = self.routeOf(route)
        if faulty is route:
            self.protocol.requestReceived(datagram, route)
            return

        def deliver(piece: bytes) -> None:
            self.protocol.requestReceived(piece, faulty)

        if not self._pass(IN, datagram, faulty, deliver):
            self.protocol.requestLost(len(datagram), faulty)

    def send(self, route: Any, datagram: bytes, token: object) -> None:
        """
        Send a reply, if and when the faults let it pass.
        """
        reply = FaultyReply(self.protocol, token, len(datagram))

        def deliver(piece: bytes) -> None:
            route.route.send(piece, ReplyCopy(reply, len(piece)))

        reply.passed(self._pass(OUT, datagram, route, deliver))

    def _pass(self, direction: str, datagram: bytes, route: _FaultyRoute, deliver: _Deliver) -> int:
        """
        Pass a datagram through the stages of a direction.

        @param deliver: called with each datagram that goes on.
        @return: how many go on.
        """
        now = self.clock.seconds()
        passing: list[tuple[float, Piece]] = [(now, datagram)]
        for stage in route.stages[direction]:
            if stage is not None:
                passing = [each for at, piece in passing for each in stage(route.number, at, piece, route.applied)]
        kept = 0
        for at, piece in passing:
            assert isinstance(piece, bytes)
            if at <= now:
                deliver(piece)
            elif self._heldBytes + len(piece) + OVERHEAD <= MAX_HELD:
                self._hold(at - now, piece, deliver)
            else:
                route.applied.add("overflow")
                continue
            kept += 1
        return kept

    def _hold(self, seconds: float, piece: bytes, deliver: _Deliver) -> None:
        size, key = len(piece) + OVERHEAD, object()

        def release() -> None:
            self._heldBytes -= size
            del self._held[key]
            deliver(piece)

        self._heldBytes += size
        self._held[key] = self.clock.callLater(seconds, release), release

    def repliesSent(self, tokens: list[Any], failures: list[tuple[Any, Exception]]) -> None:
        """
        Report which replies the kernel has accepted, and which have failed: each once, when all copies are sent.
        """
        unchanged = [token for token in tokens if not isinstance(token, ReplyCopy)]
        failed = [failure for failure in failures if not isinstance(failure[0], ReplyCopy)]
        if unchanged or failed:
            super().repliesSent(unchanged, failed)
        for token in tokens:
            if isinstance(token, ReplyCopy):
                token.reply.copySent(token.size)
        for token, error in failures:
            if isinstance(token, ReplyCopy):
                token.reply.copyFailed(error)

    def doStop(self) -> None:
        """
        The port has stopped: pass on the delayed datagrams, so that each is counted. The protocol may reply once more
        when it stops.
        """
        self._releaseAll()
        super().doStop()
        self._releaseAll()

    def _releaseAll(self) -> None:
        while self._held:
            call, release = next(iter(self._held.values()))
            call.cancel()
            try:
                release()
            except BaseException:
                log.failure("{protocol!r} raised an exception", protocol=self.protocol)
