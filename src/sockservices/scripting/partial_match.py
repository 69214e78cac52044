"""
Finds out that no match of a pattern can begin with the bytes that have come, before the rest of them comes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

__all__ = ["firstImpossible"]

#: What a category of a bytes pattern matches.
CATEGORIES = {
    ops.CATEGORY_DIGIT: re.compile(rb"\d"),
    ops.CATEGORY_NOT_DIGIT: re.compile(rb"\D"),
    ops.CATEGORY_SPACE: re.compile(rb"\s"),
    ops.CATEGORY_NOT_SPACE: re.compile(rb"\S"),
    ops.CATEGORY_WORD: re.compile(rb"\w"),
    ops.CATEGORY_NOT_WORD: re.compile(rb"\W"),
}

REPEATS = {ops.MAX_REPEAT, ops.MIN_REPEAT, getattr(ops, "POSSESSIVE_REPEAT", None)}


def firstImpossible(pattern: re.Pattern[bytes], data: bytes) -> int | None:
    """
    The offset of the first byte that no match can have there, if more bytes cannot make the data match; else L{None}.

    Lookaround, references to groups and flags of a group are not followed: then the answer is L{None}.
    """
    walk = _Walk(data, pattern.flags)
    walk.sequence(parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE), {0})
    return None if walk.undecided else walk.furthest


class _Walk:
    """
    Follows all ways through a parsed pattern at once.

    @ivar undecided: whether a way has reached the end of the data, or what is not followed.
    @ivar furthest: the greatest offset that a way has reached.
    """

    def __init__(self, data: bytes, flags: int) -> None:
        self._data = data
        self._flags = flags
        self.undecided = False
        self.furthest = 0

    def sequence(self, items: Iterable[tuple[Any, Any]], starts: set[int]) -> set[int]:
        """
        Follow items from each of these offsets.

        @return: the offsets after them.
        """
        for op, argument in items:
            if not starts:
                break
            starts = self._item(op, argument, starts)
            self.furthest = max([self.furthest, *starts])
        return starts

    def _item(self, op: Any, argument: Any, starts: set[int]) -> set[int]:
        if op in REPEATS:
            return self._repeat(argument, starts)
        if op is ops.SUBPATTERN and not (argument[1] or argument[2]):
            return self.sequence(argument[3], starts)
        if op is ops.BRANCH:
            return set().union(*(self.sequence(branch, starts) for branch in argument[1]))
        if op is ops.AT:
            return starts
        if op in (ops.LITERAL, ops.NOT_LITERAL, ops.ANY, ops.IN):
            return self._byte(op, argument, starts)
        self.undecided = True
        return set()

    def _repeat(self, argument: tuple[int, Any, Any], starts: set[int]) -> set[int]:
        least, most, items = argument
        ends = set(starts) if least == 0 else set()
        seen: set[int] = set()
        count = 0
        while starts and (most is ops.MAXREPEAT or count < most):
            count += 1
            starts = self.sequence(items, starts)
            if count >= least:
                ends |= starts
                starts = starts - seen
                seen |= starts
        return ends

    def _byte(self, op: Any, argument: Any, starts: set[int]) -> set[int]:
        size = len(self._data)
        self.undecided = self.undecided or size in starts
        return {start + 1 for start in starts if start < size and self._matches(op, argument, self._data[start])}

    def _matches(self, op: Any, argument: Any, byte: int) -> bool:
        if op is ops.ANY:
            return bool(self._flags & re.DOTALL) or byte != 10
        values = {byte}
        if self._flags & re.IGNORECASE:
            values |= {*bytes([byte]).lower(), *bytes([byte]).upper()}
        if op is ops.LITERAL:
            return argument in values
        if op is ops.NOT_LITERAL:
            return argument not in values
        return any(_inSet(argument, value) for value in values)


def _inSet(members: list[tuple[Any, Any]], byte: int) -> bool:
    negate = members[0][0] is ops.NEGATE
    for op, argument in members:
        if op is ops.LITERAL:
            found = argument == byte
        elif op is ops.RANGE:
            found = argument[0] <= byte <= argument[1]
        else:
            found = op is ops.CATEGORY and CATEGORIES[argument].match(bytes([byte])) is not None
        if found:
            return not negate
    return negate
