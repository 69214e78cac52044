"""
Several targets as one URL: C{tcp://127.0.0.1:8000-8010}.
"""

from __future__ import annotations

import re

from sockservices.client.target import EXPECTED_PORT, Target, target
from sockservices.text.values import quoted

__all__ = ["targets"]


def targets(url: str) -> list[Target]:
    """
    Parse a URL whose port may be a range, both ends included.

    @return: the targets, in the order of their ports.
    @raise ValueError: with one line that gives the URL and the expected form.
    """
    match = re.fullmatch(r"((?:tcp|udp)://.*):([0-9]{1,5})-([0-9]{1,5})/?", url, re.IGNORECASE | re.DOTALL)
    if match is None:
        try:
            return [target(url)]
        except ValueError as error:
            hint = ", or a range such as 20-25" if str(error).endswith(EXPECTED_PORT) else ""
            raise ValueError(f"{error}{hint}") from None
    base, (first, last) = match[1], map(int, match.groups()[1:])
    try:
        for port in (first, last):
            target(f"{base}:{port}")
    except ValueError as error:
        raise ValueError(f"{quoted(url)}: {str(error).removeprefix(quoted(f'{base}:{port}') + ': ')}") from None
    if first > last:
        raise ValueError(f"{quoted(url)}: ports {first}-{last}: expected FIRST-LAST, FIRST at most LAST")
    return [target(f"{base}:{port}") for port in range(first, last + 1)]
