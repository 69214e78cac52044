"""
The types of the commands' options and arguments, and the option C{--timeout}.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ulp
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from sockservices.cli.completion import completeUrl
from sockservices.client import target, targets
from sockservices.conversation.policy import MAX_LIMIT
from sockservices.text.values import quoted

__all__ = ["COUNT", "INTERVAL", "PARALLEL", "SECONDS", "TARGET", "TARGETS", "UrlType", "timeoutOption"]

#: The maximum of --parallel: each probe has one or two descriptors, and the usual limit is 1024.
MAX_PARALLEL = 400


# ParamType is generic only from click 8.4 on.
class UrlType(click.ParamType):  # type: ignore[type-arg]
    """
    The URL of a service.
    """

    name = "url"

    def __init__(self, parse: Callable[[str], Any]) -> None:
        """
        @param parse: raises L{ValueError} for text that is no such URL.
        """
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """
        Parse the URL, unless click has done so already.
        """
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """
        Complete schemes, and ports of services.
        """
        return completeUrl(incomplete)


#: One L{Target<sockservices.client.Target>}.
TARGET = UrlType(target)

#: A list of targets: that of the URL, or one on each port of its range.
TARGETS = UrlType(targets)


# ParamType is generic only from click 8.4 on.
class _NumberType(click.ParamType):  # type: ignore[type-arg]
    """
    A number in a range. The ranges of click accept C{nan}, and numbers of seconds that no timer takes.
    """

    name = "number"

    def __init__(
        self, kind: type[int] | type[float], expected: str, minimum: float = 0.0, maximum: float = MAX_LIMIT
    ) -> None:
        """
        @param expected: the description of the range, without its maximum.
        """
        self._kind = kind
        self._expected = f"expected {expected} {maximum}"
        self._minimum = minimum
        self._maximum = maximum

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """
        Parse the number.
        """
        try:
            number = self._kind(value)
        except ValueError:
            number = self._kind(-1)
        if not self._minimum <= number <= self._maximum:
            self.fail(f"{quoted(str(value))}: {self._expected}", param, ctx)
        return number


COUNT = _NumberType(int, "a whole number from 1 to", 1)

PARALLEL = _NumberType(int, "a whole number from 1 to", 1, MAX_PARALLEL)

INTERVAL = _NumberType(float, "a number of seconds from 0 to")

SECONDS = _NumberType(float, "a number of seconds above 0, up to", ulp(0.0))


F = TypeVar("F", bound=Callable[..., Any])


def timeoutOption(default: float, text: str) -> Callable[[F], F]:
    """
    Add the option C{--timeout} to a command.

    @param default: seconds.
    @param text: its help.
    """
    return click.option("--timeout", type=SECONDS, metavar="SECONDS", default=default, show_default=True, help=text)
