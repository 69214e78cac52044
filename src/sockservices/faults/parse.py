"""
Faults as text, as the command line has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING
from typing import Any

from sockservices.faults.content import Corrupt, Truncate
from sockservices.faults.delivery import Duplicate, Loss, Reorder
from sockservices.faults.ending import Hang, Limit, Refuse, Reset
from sockservices.faults.fault import Fault, keysOf
from sockservices.faults.timing import Bandwidth, Latency, Slice

__all__ = ["KINDS", "parseFault"]

#: The kinds of faults by their words.
KINDS: Mapping[str, type[Fault]] = {
    kind.word: kind
    for kind in (
        *(Latency, Bandwidth, Slice, Limit, Reset, Hang, Refuse),
        *(Corrupt, Loss, Duplicate, Reorder, Truncate),
    )
}


def parseFault(text: str) -> Fault:
    """
    Convert C{WORD[,key=value...]} to a fault.

    @raise ValueError: with one line that gives the wrong fault, key or value, and the expected ones.
    """
    word, *pairs = text.split(",")
    kind = KINDS.get(word)
    if kind is None:
        raise ValueError(f"no fault {word!r}: expected {', '.join(sorted(KINDS))}")
    keys = keysOf(kind)
    values: dict[str, Any] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        if name not in keys:
            raise ValueError(f"no key {name!r}: {word} takes {', '.join(keys)}")
        if name in values:
            raise ValueError(f"{name} is given twice")
        values[name] = keys[name][0].parse(value)
    for name, (key, default) in keys.items():
        if default is MISSING and name not in values:
            raise ValueError(f"expected {word},{name}=...: {key.expected}")
    return kind(**values)
