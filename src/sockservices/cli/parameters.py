"""
What the commands have in common on their command lines.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ulp
from typing import Any, TypeVar

import click

from sockservices.client import Target, target
from sockservices.conversation.policy import MAX_LIMIT

__all__ = ["COUNT", "INTERVAL", "SECONDS", "TARGET", "timeout"]


# Not generic before click 8.4.
class _Target(click.ParamType):  # type: ignore[type-arg]
    """
    A URL of a service.
    """

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Target:
        """
        Read it.
        """
        if isinstance(value, Target):
            return value
        try:
            return target(value)
        except ValueError as fault:
            self.fail(str(fault), param, ctx)


TARGET = _Target()


class _Number(click.ParamType):  # type: ignore[type-arg]
    """
    A number within limits. Those of click would let C{nan} pass, and times that no clock has.
    """

    name = "number"

    def __init__(self, kind: type[int] | type[float], wanted: str, least: float = 0.0) -> None:
        self._kind = kind
        self._wanted = wanted
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """
        Read it.
        """
        try:
            number = self._kind(value)
        except ValueError:
            number = self._kind(-1)
        if not self._least <= number <= MAX_LIMIT:
            self.fail(f"{value!r}: {self._wanted}, up to {MAX_LIMIT}, is wanted", param, ctx)
        return number


COUNT = _Number(int, "a whole number from 1", 1)

INTERVAL = _Number(float, "a number of seconds from 0")

#: A time that is no instant.
SECONDS = _Number(float, "a number of seconds above 0", ulp(0.0))


F = TypeVar("F", bound=Callable[..., Any])


def timeout(default: float, text: str) -> Callable[[F], F]:
    """
    The option C{--timeout}.
    """
    return click.option("--timeout", type=SECONDS, metavar="SECONDS", default=default, show_default=True, help=text)
