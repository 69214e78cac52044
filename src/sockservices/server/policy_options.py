"""
The options for limits: one for each number in a policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from twisted.python.usage import UsageError

from sockservices.conversation.policy import MAX_LIMIT, Policy, optionName

__all__ = ["policyOf", "policyParameters"]


def policyParameters() -> Iterator[list[Any]]:
    """
    The rows of C{optParameters}.
    """
    for limit in fields(Policy):
        if limit.metadata:
            default = None if limit.default is None else f"{limit.default:g}"
            yield [optionName(limit.name)[2:], None, default, f"{limit.metadata['unit']} {limit.metadata['text']}"]


def policyOf(options: Mapping[str, Any]) -> Policy:
    """
    The policy that the options configure.

    @raise UsageError: naming the option, the value and the expected values.
    """
    limits: dict[str, Any] = {"udpRfcSize": bool(options["udp-rfc-size"])}
    for limit in fields(Policy):
        option = optionName(limit.name)[2:]
        if not limit.metadata or options[option] is None:
            continue
        whole, unit = limit.metadata["whole"], limit.metadata["unit"]
        try:
            limits[limit.name] = (int if whole else float)(options[option])
            Policy(**limits)
        except ValueError:
            expected = f"expected {'an integer' if whole else 'a number'} of {unit} from 0 to {MAX_LIMIT}"
            raise UsageError(f"--{option} {options[option]}: {expected}") from None
    return Policy(**limits)
