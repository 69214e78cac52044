"""
L{Policy}: the limits, and their values.
"""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, asdict, fields
from typing import Any

import pytest

from sockservices import Policy

DEFAULTS = {
    "timeout": None,
    "maxConnections": 1024,
    "maxPerSource": None,
    "maxRate": None,
    "idleTimeout": 300.0,
    "stallTimeout": 60.0,
    "closeGrace": 5.0,
    "drain": 10.0,
    "udpRate": None,
    "udpMax": 65527,
    "udpRfcSize": False,
}

NUMBERS = sorted(DEFAULTS.keys() - {"udpRfcSize"})

#: The limits that may be L{None}.
OPTIONAL = {"timeout", "maxPerSource", "maxRate", "udpRate"}

#: The limits in seconds; the others are counts.
SECONDS = {"timeout", "idleTimeout", "stallTimeout", "closeGrace", "drain"}


def limited(name: str, value: Any) -> Any:
    """
    Make a policy with a limit, and return the limit's value.
    """
    limits = {name: value}
    return getattr(Policy(**limits), name)


def test_value() -> None:
    """
    A policy is an immutable value with these defaults. Two policies with the same limits are equal. Limits are
    passed by name.
    """
    assert asdict(Policy()) == DEFAULTS
    assert Policy(drain=1) == Policy(drain=1.0) != Policy()
    assert hash(Policy(drain=1)) == hash(Policy(drain=1))
    for name in DEFAULTS:
        with pytest.raises(FrozenInstanceError):
            setattr(Policy(), name, 1)
    untyped: Any = Policy
    with pytest.raises(TypeError):
        untyped(5)


@pytest.mark.parametrize("name", NUMBERS)
def test_limit(name: str) -> None:
    """
    A limit is a number from 0 to 10**9. Seconds may have a fraction. Some limits may be L{None}. The error for any
    other value is one line with the name, the value, and what is expected.
    """
    valid: list[Any] = [0, 10**9, *([0.25] if name in SECONDS else []), *([None] if name in OPTIONAL else [])]
    assert [limited(name, value) for value in valid] == valid
    invalid: list[Any] = [-1, -0.5, 10**9 + 1, math.nan, math.inf, -math.inf, True, "5", b"5", [5], 5j]
    invalid += [*([] if name in SECONDS else [2.5, 2.0]), *([] if name in OPTIONAL else [None])]
    kind = "number" if name in SECONDS else "whole number"
    for value in invalid:
        with pytest.raises(ValueError, match="expected") as raised:
            limited(name, value)
        assert str(raised.value) == f"{name}={value!r}: expected a {kind} from 0 to 1000000000"


def test_description() -> None:
    """
    Every number has a unit and a description for the command line.
    """
    for limit in fields(Policy):
        if limit.name in NUMBERS:
            assert limit.metadata["text"], limit.name
            assert (limit.metadata["unit"] == "seconds") is (limit.name in SECONDS), limit.name
