"""
The base class of faults: a fault as a value, and the conversations that it meets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, ClassVar

from sockservices.faults.draws import Draws
from sockservices.faults.keys import Key, share, whole
from sockservices.faults.stage import End, Stage

__all__ = ["Fault", "keysOf"]


@dataclass(frozen=True)
class Fault:
    """
    One fault, as an immutable value. Each kind is a subclass.

    @cvar word: the word of the kind on the command line, in the log, in a visit and in a census.
    @cvar streams: whether it can be on connections.
    @cvar datagrams: whether it can be on datagrams.
    @cvar side: the direction that it acts on, unless its key C{direction} gives one.
    @ivar share: the share of the conversations that it meets, from 0 to 1.
    @ivar first: how many conversations it can meet, counted after C{skip}; L{None} for all.
    @ivar skip: how many conversations pass before it meets one.
    @ivar every: 1 for every conversation, 2 for every second one, and so on, counted after C{skip}.
    @raise ValueError: for a value out of range. The message gives fault, key, value, and the expected values.
    """

    word: ClassVar[str]
    streams: ClassVar[bool] = True
    datagrams: ClassVar[bool] = True
    side: ClassVar[str] = "out"

    _: KW_ONLY
    share: float = share(1.0)
    first: int | None = whole("conversations", None)
    skip: int = whole("conversations", 0)
    every: int = whole("conversations", 1, minimum=1)

    def __post_init__(self) -> None:
        """
        Check each value.
        """
        for name, (key, default) in keysOf(type(self)).items():
            value = getattr(self, name)
            if not (key.allows(value) or (value is None and default is None)):
                raise ValueError(f"{self.word}: {name}={_text(value)}: expected {key.expected}")

    def __str__(self) -> str:
        """
        The fault as the command line takes it.
        """
        values = ((name, getattr(self, name), default) for name, (_, default) in keysOf(type(self)).items())
        return ",".join([self.word, *(f"{name}={_text(value)}" for name, value, default in values if value != default)])

    def meets(self, number: int, draws: Draws) -> bool:
        """
        Whether the fault meets a conversation.

        @param number: the number of the conversation at its listener, from 1.
        """
        number -= self.skip
        if number < 1 or (self.first is not None and number > self.first) or number % self.every:
            return False
        return self.share >= 1 or draws.uniform("share", number) < self.share

    def stageOf(self, direction: str, draws: Draws, ordered: bool) -> Stage | None:
        """
        Make the stage of the fault in one direction.

        @param direction: C{"in"} from the peer, C{"out"} to the peer.
        @param draws: the random numbers of the fault: of one connection, or of all datagrams of a listener.
        @param ordered: whether the pieces are those of a connection, and stay in order.
        @return: L{None} if the fault does nothing in this direction.
        """
        if getattr(self, "direction", self.side) in ("both", direction):
            return self.stage(draws.of(direction), ordered)
        return None

    def stage(self, draws: Draws, ordered: bool) -> Stage | None:
        """
        Make the stage of the fault in a direction that it acts on.
        """
        return None

    def trigger(self) -> tuple[float, End] | None:
        """
        The seconds after which the fault ends a connection, and how; L{None} if it ends none by time.
        """
        return None


def _text(value: object) -> str:
    """
    A value as the user writes it: C{20000000} for the number 20000000.0.
    """
    return f"{value:.17g}" if isinstance(value, float) and value.is_integer() else str(value)


def keysOf(kind: type[Fault]) -> Mapping[str, tuple[Key, Any]]:
    """
    The keys of a kind of fault by name, each with its default; C{MISSING} where there is none. Those that every kind
    has are last.
    """
    ownFirst = sorted(fields(kind), key=lambda each: bool(each.kw_only))
    return {each.name: (each.metadata["key"], each.default) for each in ownFirst}
