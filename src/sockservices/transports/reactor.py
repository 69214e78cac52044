"""
What this project asks of a reactor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall

__all__ = ["Reactor"]


class Reactor(Protocol):
    """
    The part of a reactor that is used here: each of Twisted's has it, and so have its fakes for tests.

    L{IReactorTime<twisted.internet.interfaces.IReactorTime>} and L{IReactorFDSet
    <twisted.internet.interfaces.IReactorFDSet>} name the same methods; but a parameter cannot have two of Twisted's
    interfaces as its type.
    """

    def seconds(self) -> float:
        """
        The time in seconds.
        """

    def callLater(self, delay: float, callable: Callable[..., Any], /, *args: Any, **kw: Any) -> IDelayedCall:
        """
        Call a function after so many seconds.
        """

    def callWhenRunning(self, callable: Callable[..., Any], /, *args: Any, **kw: Any) -> Any:
        """
        Call a function when the reactor runs: now, if it does.
        """

    def addReader(self, reader: Any, /) -> None:
        """
        Read a descriptor when it has input.
        """

    def removeReader(self, reader: Any, /) -> Any:
        """
        Read a descriptor no more.
        """
