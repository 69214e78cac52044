"""
The type of the reactors that this project accepts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall

__all__ = ["Reactor"]


class Reactor(Protocol):
    """
    The methods of a reactor that this project calls. Twisted's POSIX reactors and its reactors for tests have them.

    L{IReactorTime<twisted.internet.interfaces.IReactorTime>} and L{IReactorFDSet
    <twisted.internet.interfaces.IReactorFDSet>} declare most of them, but the type of a parameter cannot be two
    interfaces.
    """

    def seconds(self) -> float:
        """
        The reactor's time in seconds.
        """

    def callLater(self, delay: float, callable: Callable[..., Any], /, *args: Any, **kw: Any) -> IDelayedCall:
        """
        Call a function after a delay in seconds.
        """

    def callWhenRunning(self, callable: Callable[..., Any], /, *args: Any, **kw: Any) -> Any:
        """
        Call a function when the reactor starts, or at once if it is running.
        """

    def addReader(self, reader: Any, /) -> None:
        """
        Start watching a descriptor for input.
        """

    def removeReader(self, reader: Any, /) -> Any:
        """
        Stop watching a descriptor for input.
        """
