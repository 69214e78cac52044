"""
Reads a script file. The file C{script.schema.json} describes the same format for editors.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from sockservices.scripting.script import Action, Script
from sockservices.scripting.script_lines import lineOf
from sockservices.scripting.script_values import FILE_KEYS, RULE_KEYS, STEP_KEYS, Table, WrongKeyError, convert

__all__ = ["SUFFIX", "ScriptError", "loadScript", "toScript"]

#: How the name of every script file ends.
SUFFIX = ".toml"


class ScriptError(ValueError):
    """
    A script file is wrong. The text is one line with the file, the line, the key, the value, and what is expected.
    """


def loadScript(path: str | os.PathLike[str]) -> Script:
    """
    Read a script file, whose name ends with C{.toml}.

    @return: a service: it is taken where a responder class is.
    @raise ScriptError: if it cannot be read, or is wrong.
    """
    path = Path(path)
    text = ""
    try:
        if path.suffix != SUFFIX:
            raise ValueError(f"expected a file name that ends with {SUFFIX}")
        text = path.read_bytes().decode()
        return toScript(tomllib.loads(text), _toDefaultName(path.stem))
    except OSError as error:
        raise ScriptError(f"{path}: {error.strerror}: expected a script file") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ScriptError(f"{path}:{line}: expected UTF-8; write other bytes as hex:") from None
    except tomllib.TOMLDecodeError as error:
        problem, _, place = str(error).rpartition(" (at ")
        place = ":".join(re.findall(r"\d+", place)) or str(text.count("\n") + 1)
        raise ScriptError(f'{path}:{place}: {problem}; expected TOML, such as send = "220 ready\\r\\n"') from None
    except WrongKeyError as error:
        found = lineOf(text, error.key, *error.table)
        raise ScriptError(f"{path}{'' if found is None else f':{found}'}: {error}") from None
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
            raise WrongKeyError(Table(), key, f"expected [[{key}]], in double brackets")
    if not any(tables.values()):
        raise ValueError("expected a [[step]] or a [[rule]]")
    values = convert(document, FILE_KEYS, Table(), known=tables)
    if "framing" in values and not tables["rule"]:
        raise WrongKeyError(Table(), "framing", "expected a [[rule]] that it is for")
    steps = [_toStep(step, Table("step", number)) for number, step in enumerate(tables["step"], 1)]
    framed = "framing" in values
    rules = [_toRule(rule, Table("rule", number), framed) for number, rule in enumerate(tables["rule"], 1)]
    _checkOrder(steps, rules)
    return Script(values.get("name", name), values.get("port", 0), steps, rules, values.get("framing"))


def _toAction(values: dict[str, Any], count: int | None) -> Action:
    names = {"expect-end": "expectEnd", "repeat": "count", "times": "count"}
    return Action(**{"count": count, **{names.get(key, key): value for key, value in values.items()}})


def _toStep(step: Mapping[str, Any], table: Table) -> Action:
    values = convert(step, STEP_KEYS, table)
    if not values.keys() - {"repeat"}:
        raise WrongKeyError(table, "", f"expected one of {', '.join(STEP_KEYS)}")
    _checkInput(values, table)
    _checkGroups(values, table)
    if "repeat" in values:
        if values.keys() & {"finish", "reset", "expect-end"}:
            raise WrongKeyError(table, "repeat", "expected no finish, reset or expect-end beside it")
        if not any(values.get(key) for key in ("expect", "match", "wait", "send")):
            raise WrongKeyError(table, "repeat", "expected a step that receives, waits or sends a byte")
    return _toAction(values, 1)


def _toRule(rule: Mapping[str, Any], table: Table, framed: bool) -> Action:
    values = convert(rule, RULE_KEYS, table)
    if not values.keys() & {"expect", "match"}:
        raise WrongKeyError(table, "", "expected match or expect")
    if not framed:
        _checkInput(values, table)
    _checkGroups(values, table)
    return _toAction(values, None)


def _checkInput(values: Mapping[str, Any], table: Table) -> None:
    """
    Reject what no byte has to come for: it would be received again and again.
    """
    if values.get("expect") == b"":
        raise WrongKeyError(table, "expect", "expected at least one byte")
    pattern = values.get("match")
    if pattern is not None and not _parser.parse(pattern.pattern).getwidth()[0]:
        raise WrongKeyError(table, "match", "expected a pattern that does not match without a byte")


def _checkGroups(values: Mapping[str, Any], table: Table) -> None:
    """
    Reject groups that the pattern does not have.
    """
    pattern: re.Pattern[bytes] | None = values.get("match")
    groups = [] if pattern is None else [*range(pattern.groups + 1), *pattern.groupindex]
    for piece in values.get("send", ()):
        if not isinstance(piece, bytes) and piece not in groups:
            known = f"a group of match: {', '.join(map(repr, groups))}" if groups else f"match in the same {table.name}"
            raise WrongKeyError(table, "send", f"group {piece!a}: expected {known}")


def _checkOrder(steps: list[Action], rules: list[Action]) -> None:
    """
    Reject actions that can never be done.
    """
    finished = 0
    for number, step in enumerate(steps, 1):
        table = Table("step", number)
        if finished and (step.send is not None or step.finish):
            key = "finish" if step.send is None else "send"
            raise WrongKeyError(table, key, f"expected no {key} after the finish of step {finished}")
        if (step.reset or step.count is None) and (number < len(steps) or rules):
            raise WrongKeyError(table, "reset" if step.reset else "repeat", "expected no step and no rule after it")
        finished = number if step.finish else finished
    if finished and rules:
        raise WrongKeyError(Table("step", finished), "finish", "expected no [[rule]], which could not reply after it")
