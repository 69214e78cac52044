"""
Reads a script file. The file C{script.schema.json} describes the same format for editors.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from sockservices.conversation.policy import MAX_LIMIT
from sockservices.scripting.script import Action, Script
from sockservices.scripting.script_bytes import toBytes
from sockservices.scripting.script_framing import toFraming

__all__ = ["SUFFIX", "ScriptError", "loadScript", "toScript"]

#: How the name of every script file ends.
SUFFIX = ".toml"

#: The longest excerpt of a wrong value in a message.
MAX_EXCERPT = 60

Convert = Callable[[Any], Any]


class ScriptError(ValueError):
    """
    A script file is wrong. The text is one line with the file, the line or the key, and what is expected.
    """


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
    "send": toBytes,
    "finish": _toTrue,
    "reset": _toTrue,
}
STEP_KEYS = {**ACTION_KEYS, "expect-end": _toTrue, "repeat": _toRepeat}
RULE_KEYS = {**ACTION_KEYS, "times": _integer(1, MAX_LIMIT)}
FILE_KEYS: dict[str, Convert] = {"name": _toName, "port": _integer(0, 65535), "framing": toFraming}

#: Keys that exclude each other.
ALTERNATIVES = (("expect", "match", "expect-end"), ("finish", "reset"))


def loadScript(path: str | os.PathLike[str]) -> Script:
    """
    Read a script file, whose name ends with C{.toml}.

    @return: a service: it is taken where a responder class is.
    @raise ScriptError: if it cannot be read, or is wrong.
    """
    path = Path(path)
    try:
        if path.suffix != SUFFIX:
            raise ValueError(f"expected a file name that ends with {SUFFIX}")
        return toScript(tomllib.loads(path.read_bytes().decode()), _toDefaultName(path.stem))
    except OSError as error:
        raise ScriptError(f"{path}: {error.strerror}: expected a script file") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ScriptError(f"{path}: line {line}: expected UTF-8; write other bytes as hex:") from None
    except tomllib.TOMLDecodeError as error:
        text, _, place = str(error).rstrip(")").rpartition(" (at ")
        raise ScriptError(f'{path}: {place}: {text}; expected TOML, such as send = "220 ready\\r\\n"') from None
    except ValueError as error:
        raise ScriptError(f"{path}: {error}") from None


def _toDefaultName(stem: str) -> str:
    return re.sub(r"[^\w.-]", "-", stem, flags=re.ASCII).lstrip("-.") or "script"


def toScript(document: Mapping[str, Any], name: str) -> Script:
    """
    Make a script from the values of its file.

    @param name: the name of the service, if the file has none.
    @raise ValueError: with the key, and what is expected.
    """
    tables = {key: document.get(key, []) for key in ("step", "rule")}
    for key, value in tables.items():
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise ValueError(f"{key}: expected [[{key}]], in double brackets")
    if not any(tables.values()):
        raise ValueError("expected a [[step]] or a [[rule]]")
    values = _convert(document, FILE_KEYS, "", known=tables)
    if "framing" in values and not tables["rule"]:
        raise ValueError("framing: expected a [[rule]] that it is for")
    steps = [_toStep(table, f"step {number}, ") for number, table in enumerate(tables["step"], 1)]
    rules = [_toRule(table, f"rule {number}, ", "framing" in values) for number, table in enumerate(tables["rule"], 1)]
    _checkOrder(steps, rules)
    return Script(values.get("name", name), values.get("port", 0), steps, rules, values.get("framing"))


def _convert(
    table: Mapping[str, Any], converters: Mapping[str, Convert], where: str, known: Collection[str] = ()
) -> dict[str, Any]:
    """
    Convert the values of a table.

    @param where: the table, at the start of a message.
    @param known: further keys of the table.
    """
    values = {}
    for key, value in table.items():
        if key in known:
            continue
        if key not in converters:
            raise ValueError(f"{where}{key!a}: expected one of {', '.join([*converters, *known])}")
        try:
            values[key] = converters[key](value)
        except ValueError as error:
            excerpt = ascii(value)
            excerpt = excerpt if len(excerpt) <= MAX_EXCERPT else f"{excerpt[:MAX_EXCERPT]}..."
            raise ValueError(f"{where}{key}: {excerpt}: {error}") from None
    for keys in ALTERNATIVES:
        if len(given := [key for key in keys if key in values]) > 1:
            raise ValueError(f"{where}{given[1]}: expected no {given[0]} beside it")
    return values


def _toAction(values: dict[str, Any], count: int | None) -> Action:
    names = {"expect-end": "expectEnd", "repeat": "count", "times": "count"}
    return Action(**{"count": count, **{names.get(key, key): value for key, value in values.items()}})


def _toStep(table: Mapping[str, Any], where: str) -> Action:
    values = _convert(table, STEP_KEYS, where)
    if not values.keys() - {"repeat"}:
        raise ValueError(f"{where}expected one of {', '.join(STEP_KEYS)}")
    _checkInput(values, where)
    if "repeat" in values:
        if values.keys() & {"finish", "reset", "expect-end"}:
            raise ValueError(f"{where}repeat: expected no finish, reset or expect-end beside it")
        if not any(values.get(key) for key in ("expect", "match", "wait", "send")):
            raise ValueError(f"{where}repeat: expected a step that receives, waits or sends a byte")
    return _toAction(values, 1)


def _toRule(table: Mapping[str, Any], where: str, framed: bool) -> Action:
    values = _convert(table, RULE_KEYS, where)
    if not values.keys() & {"expect", "match"}:
        raise ValueError(f"{where}expected match or expect")
    if not framed:
        _checkInput(values, where)
    return _toAction(values, None)


def _checkInput(values: Mapping[str, Any], where: str) -> None:
    """
    Reject what no byte has to come for: it would be received again and again.
    """
    if values.get("expect") == b"":
        raise ValueError(f"{where}expect: expected at least one byte")
    pattern = values.get("match")
    if pattern is not None and not _parser.parse(pattern.pattern).getwidth()[0]:
        raise ValueError(f"{where}match: expected a pattern that does not match without a byte")


def _checkOrder(steps: list[Action], rules: list[Action]) -> None:
    """
    Reject actions that can never be done.
    """
    finished = ""
    for number, step in enumerate(steps, 1):
        if finished and (step.send is not None or step.finish):
            raise ValueError(f"step {number}: expected no send or finish after the finish of {finished}")
        if (step.reset or step.count is None) and (number < len(steps) or rules):
            raise ValueError(f"step {number}: expected nothing after its {'reset' if step.reset else 'repeat'}")
        finished = f"step {number}" if step.finish else finished
    if finished and rules:
        raise ValueError(f"{finished}, finish: expected no [[rule]], which could not reply after it")
