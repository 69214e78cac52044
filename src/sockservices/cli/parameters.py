"""
The types of the commands' options and arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from math import ulp
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from sockservices.cli.completion import completeUrl
from sockservices.client import target, targets
from sockservices.conversation.policy import MAX_LIMIT
from sockservices.text.values import quoted

__all__ = ["COUNT", "INTERVAL", "PARALLEL", "TARGET", "TARGETS", "Parsed", "secondsOption"]

#: The maximum of --parallel: each probe has one or two descriptors, and the usual limit is 1024.
MAX_PARALLEL = 400


# ParamType is generic only from click 8.4 on.
class Parsed(click.ParamType):  # type: ignore[type-arg]
    """
    The type of an argument or option whose text a function parses.
    """

    name = "text"

    def __init__(
        self, parse: Callable[[str], Any], complete: Callable[[str], list[CompletionItem]] = lambda incomplete: []
    ) -> None:
        """
        @param parse: raises L{ValueError} with a message that gives the text and what was expected.
        @param complete: gives the completions of incomplete text in a shell.
        """
        self._parse = parse
        self._complete = complete

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """
        Parse text. Return a default, which is no text, as it is.
        """
        try:
            return self._parse(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """
        Complete text in a shell.
        """
        return self._complete(incomplete)


def _number(kind: type[int] | type[float], expected: str, minimum: float = 0.0, maximum: float = MAX_LIMIT) -> Parsed:
    """
    Make the type of a number in a range. The ranges of click accept C{nan}, and numbers of seconds that no timer takes.

    @param expected: the description of the range, without its maximum.
    """

    def parse(text: str) -> float:
        with suppress(ValueError):
            number = kind(text)
            if minimum <= number <= maximum:
                return number
        raise ValueError(f"{quoted(text)}: expected {expected} {maximum}")

    return Parsed(parse)


#: One L{Target<sockservices.client.Target>}.
TARGET = Parsed(target, completeUrl)

#: A list of targets: that of the URL, or one on each port of its range.
TARGETS = Parsed(targets, completeUrl)

COUNT = _number(int, "a whole number from 1 to", 1)

PARALLEL = _number(int, "a whole number from 1 to", 1, MAX_PARALLEL)

INTERVAL = _number(float, "a number of seconds from 0 to")

SECONDS = _number(float, "a number of seconds above 0, up to", ulp(0.0))


F = TypeVar("F", bound=Callable[..., Any])


def secondsOption(name: str, default: float, text: str, kind: Parsed = SECONDS) -> Callable[[F], F]:
    """
    Add an option that takes a number of seconds to a command.

    @param name: such as C{"--timeout"}.
    @param text: its help.
    """
    return click.option(name, type=kind, metavar="SECONDS", default=default, show_default=True, help=text)
