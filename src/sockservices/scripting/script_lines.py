"""
Finds the line of a key in a script file, for an error message. C{tomllib} gives the lines of syntax errors only.
"""

from __future__ import annotations

import re
from collections import Counter

__all__ = ["lineOf"]

#: Strings and comments (TOML 1.0), which may contain text that looks like a table or a key.
STRING_OR_COMMENT = re.compile(
    r'''(?sx) """(?: \\. | "{1,2}(?!") | [^"\\] )*+ "{3,5}
            | \'\'\'(?: '{1,2}(?!') | [^'] )*+ '{3,5}
            | "(?: \\. | [^"\\] )*+"
            | '[^']*'
            | \#[^\n]*'''
)

#: The header of a table, or a key. Without strings, no line of an array looks like one of these.
HEADER_OR_KEY = re.compile(r"(?am)^[ \t]*(?:\[\[?[ \t]*([\w-]+)[ \t]*\]|([\w-]+)[ \t]*[.=])")


def lineOf(text: str, key: str, table: str = "", number: int = 0) -> int | None:
    """
    Find the line of a key in a valid TOML document.

    @param key: the key; C{""} for the table itself.
    @param table: the name of the array of tables that the key is in; C{""} for a key of the document.
    @param number: the number of the table in its array, from 1 on.
    @return: the line of the key, from 1 on. If the key is not found, because it is missing, quoted or in an inline
        table, it is the line of the table; L{None} if that is not found either.
    """
    text = STRING_OR_COMMENT.sub(lambda match: '""' + "\n" * match[0].count("\n"), text)
    counts = Counter[str]()
    current = ""
    start = None
    for match in HEADER_OR_KEY.finditer(text):
        header, name = match.groups()
        if header:
            current = header
            counts[header] += 1
        inTable = (current, counts[current]) == (table, number)
        if (inTable and name == key) or (header == key and not table):
            start = match.start()
            break
        if start is None and ((inTable and header) or name == table):
            start = match.start()
    return None if start is None else text.count("\n", 0, start) + 1
