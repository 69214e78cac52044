"""
The values of a script file: their conversion, and the error of a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from sockservices.conversation.policy import MAX_LIMIT
from sockservices.scripting.script_bytes import toBytes, toTemplate
from sockservices.scripting.script_framing import toFraming

__all__ = ["FILE_KEYS", "RULE_KEYS", "STEP_KEYS", "Table", "WrongKeyError", "convert"]

#: The longest excerpt of a wrong value in a message.
MAX_EXCERPT = 60

Convert = Callable[[Any], Any]


class Table(NamedTuple):
    """
    A table of a script file.

    @ivar name: the name of its array, C{"step"} or C{"rule"}; C{""} for the document.
    @ivar number: its number in the array, from 1 on.
    """

    name: str = ""
    number: int = 0


class WrongKeyError(ValueError):
    """
    A key of a script file is wrong, or missing. The text has the table, the key and what is expected.
    """

    def __init__(self, table: Table, key: str, expected: str) -> None:
        """
        @param key: the key; C{""} if one is missing.
        @param expected: what is expected, after the wrong value.
        """
        place = f"{table.name} {table.number}" if table.name else ""
        name = key if re.fullmatch(r"[\w-]*", key, re.ASCII) else ascii(key)
        super().__init__(f"{place}{', ' if place and name else ''}{name}: {expected}")
        self.table = table
        self.key = key


def _toName(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(r"\w[\w.-]*", value, re.ASCII) and value != "all":
        return value
    raise ValueError("expected letters, digits, dots, hyphens and underscores, and not 'all'")


def _integer(least: int, most: int) -> Convert:
    def convert(value: Any) -> int:
        if type(value) is int and least <= value <= most:
            return value
        raise ValueError(f"expected an integer from {least} to {most}")

    return convert


def _toRepeat(value: Any) -> int | None:
    try:
        return None if value == "forever" else int(_integer(1, MAX_LIMIT)(value))
    except ValueError as error:
        raise ValueError(f'{error}, or "forever"') from None


def _toSeconds(value: Any) -> float:
    if type(value) in (int, float) and 0 <= value <= MAX_LIMIT:
        return float(value)
    raise ValueError(f"expected a number of seconds from 0 to {MAX_LIMIT}")


def _toTrue(value: Any) -> bool:
    if value is True:
        return True
    raise ValueError("expected true, or no such key")


def _toPattern(value: Any) -> re.Pattern[bytes]:
    if not isinstance(value, str) or not value.isascii():
        raise ValueError(r"expected a regular expression in ASCII; write a byte above 127 as \xHH in single quotes")
    try:
        return re.compile(value.encode())
    except re.error as error:
        raise ValueError(f"expected a regular expression of Python: {error}") from None


ACTION_KEYS: dict[str, Convert] = {
    "expect": toBytes,
    "match": _toPattern,
    "wait": _toSeconds,
    "send": toTemplate,
    "finish": _toTrue,
    "reset": _toTrue,
}
STEP_KEYS = {**ACTION_KEYS, "expect-end": _toTrue, "repeat": _toRepeat}
RULE_KEYS = {**ACTION_KEYS, "times": _integer(1, MAX_LIMIT)}
FILE_KEYS: dict[str, Convert] = {"name": _toName, "port": _integer(0, 65535), "framing": toFraming}

#: Keys that exclude each other.
ALTERNATIVES = (("expect", "match", "expect-end"), ("finish", "reset"))


def convert(
    mapping: Mapping[str, Any], converters: Mapping[str, Convert], table: Table, known: Collection[str] = ()
) -> dict[str, Any]:
    """
    Convert the values of a table.

    @param mapping: the keys and values of the table.
    @param known: further keys of the table.
    @raise WrongKeyError: for an unknown key, a wrong value, or keys that exclude each other.
    """
    values = {}
    for key, value in mapping.items():
        if key in known:
            continue
        if key not in converters:
            raise WrongKeyError(table, key, f"expected one of {', '.join([*converters, *known])}")
        try:
            values[key] = converters[key](value)
        except ValueError as error:
            excerpt = ascii(value)
            excerpt = excerpt if len(excerpt) <= MAX_EXCERPT else f"{excerpt[:MAX_EXCERPT]}..."
            raise WrongKeyError(table, key, f"{excerpt}: {error}") from None
    for keys in ALTERNATIVES:
        if len(given := [key for key in keys if key in values]) > 1:
            raise WrongKeyError(table, given[1], f"expected no {given[0]} beside it")
    return values
