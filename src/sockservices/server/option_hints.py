"""
Hints for errors of the command line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["withHint"]


def withHint(error: str, names: Iterable[str]) -> str:
    """
    Add the most similar option to the error of an unknown one.

    @param error: the message of C{getopt}; other messages stay as they are.
    @param names: the names of all options, without hyphens.
    """
    unknown = re.fullmatch(r"option --?(\S+) not recognized", error)
    if unknown is None:
        return error
    similar = get_close_matches(unknown[1], names, 1)
    return f"{error}; did you mean --{similar[0]}?" if similar else f"{error}; see --help"
