"""
The keys of faults: the kinds of their values, how they are checked, and how text becomes a value.
"""

from __future__ import annotations

from dataclasses import MISSING, field
from typing import Any, NamedTuple

__all__ = ["IN", "OUT", "Key", "bothWays", "choice", "number", "seconds", "share", "whole"]

#: The directions: from the peer, and to the peer.
IN, OUT = "in", "out"

#: The largest value of a key in seconds, bytes or conversations.
MAX_VALUE = 10**9


class Key(NamedTuple):
    """
    The values that a key of a fault takes.

    @ivar expected: the values, for the message of an error.
    @ivar choices: the words, for a key that takes words.
    @ivar percent: whether text may give a share as a percentage.
    """

    expected: str
    minimum: float = 0
    maximum: float = MAX_VALUE
    whole: bool = False
    choices: tuple[str, ...] = ()
    percent: bool = False

    def allows(self, value: object) -> bool:
        """
        Whether the key takes a value.
        """
        if self.choices:
            return value in self.choices
        numeric = isinstance(value, int if self.whole else (int, float)) and not isinstance(value, bool)
        return numeric and self.minimum <= value <= self.maximum  # type: ignore[operator]

    def parse(self, text: str) -> Any:
        """
        Convert text to a value.

        @return: a number or a word; the text itself, which L{allows} rejects, if it is neither.
        """
        if self.choices:
            return text
        try:
            if self.percent and text.endswith("%"):
                return float(text[:-1]) / 100
            return (int if self.whole else float)(text)
        except ValueError:
            return text


def _key(key: Key, default: Any) -> Any:
    return field(default=default, metadata={"key": key})


def number(unit: str, default: Any = MISSING, minimum: float = 0) -> Any:
    """
    A key that takes a number of a unit.
    """
    return _key(Key(f"{unit} from {minimum} to {MAX_VALUE}", minimum), default)


def seconds(default: Any = MISSING) -> Any:
    """
    A key that takes seconds.
    """
    return number("seconds", default)


def whole(unit: str, default: Any = MISSING, minimum: int = 0) -> Any:
    """
    A key that takes a whole number of a unit.
    """
    return _key(Key(f"whole {unit} from {minimum} to {MAX_VALUE}", minimum, whole=True), default)


def share(default: Any = MISSING) -> Any:
    """
    A key that takes a share or a probability.
    """
    return _key(Key("0 to 1, or a percentage such as 5%", maximum=1, percent=True), default)


def choice(default: str, *words: str) -> Any:
    """
    A key that takes one of several words.
    """
    return _key(Key(f"{', '.join(words[:-1])} or {words[-1]}", choices=words), default)


def bothWays() -> Any:
    """
    The key for the direction that a fault acts on.
    """
    return choice("both", "both", IN, OUT)
