"""
What the services have in common that speak ASCII.
"""

from __future__ import annotations

import re

from sockservices.conformance.deviation import Deviation, shown
from sockservices.conformance.heard import Heard

__all__ = ["printing"]


def printing(heard: Heard) -> None:
    """
    Printing characters of ASCII, and line ends; in order to the end, if it has one.

    @raise Deviation: when there is another.
    """
    other = re.search(rb"[^\r\n\x20-\x7e]", heard.words)
    if other:
        raise Deviation(f"{other[0]!r} in {shown(heard.words)}", "printing ASCII and line ends")
