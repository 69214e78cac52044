"""
Bytes in a script file: a TOML string, which stands for its UTF-8, or C{"hex:..."}; or an array of these. Where a script
sends bytes, C{{group = 1}} in place of a string stands for what a group of the pattern has matched.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

__all__ = ["Template", "expand", "toBytes", "toTemplate", "toToml"]

#: Bytes, and numbers and names of groups, which stand for the bytes that these have matched.
Template: TypeAlias = tuple[bytes | int | str, ...]

HEX = "hex:"

#: The bytes of a line in hexadecimal, when a script is written.
HEX_LINE = 32

#: The escapes of a basic string (TOML 1.0).
ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def toBytes(value: Any) -> bytes:
    """
    The bytes that a value of a script file stands for.

    @raise ValueError: with what is expected.
    """
    if isinstance(value, list) and value and not any(isinstance(each, list) for each in value):
        return b"".join(map(toBytes, value))
    if not isinstance(value, str):
        raise ValueError("expected a string, or an array of strings")
    if not value.startswith(HEX):
        return value.encode()
    try:
        return bytes.fromhex(value[len(HEX) :])
    except ValueError:
        raise ValueError("expected pairs of hexadecimal digits after hex:") from None


def toTemplate(value: Any) -> Template:
    """
    The template that a value of a script file stands for.

    @raise ValueError: with what is expected.
    """
    pieces = value if isinstance(value, list) and value else [value]
    return tuple(piece for piece in map(_toPiece, pieces) if piece != b"")


def _toPiece(value: Any) -> bytes | int | str:
    match value:
        case str():
            return toBytes(value)
        case {"group": str(name), **rest} if not rest:
            return name
        case {"group": int(number), **rest} if not rest and type(number) is int and number >= 0:
            return number
    raise ValueError("expected a string, {group = NUMBER}, {group = 'NAME'}, or an array of these")


def expand(template: Template, match: re.Match[bytes] | None) -> bytes:
    """
    Replace the groups of a template by what they have matched. A group that took no part in the match has no bytes.

    @param match: L{None} for a template without groups.
    """
    return b"".join(piece if isinstance(piece, bytes) else match[piece] or b"" for piece in template)  # type: ignore[index]


def toToml(data: bytes) -> str:
    """
    Write bytes as a value of a script file: a string for each line of text, and C{hex:} for bytes that are no text.
    """
    pieces = [piece for line in data.splitlines(keepends=True) for piece in _pieces(line)]
    if len(pieces) < 2:
        return "".join(pieces) or '""'
    return "".join(["[\n", *(f"    {piece},\n" for piece in pieces), "]"])


def _pieces(line: bytes) -> list[str]:
    # A surrogate, which stands for a byte that is no UTF-8, is not printable.
    text = line.decode(errors="surrogateescape")
    if text.startswith(HEX) or not re.sub(r"[\r\n\t]", "", text).isprintable():
        return [f'"{HEX}{line[at : at + HEX_LINE].hex()}"' for at in range(0, len(line), HEX_LINE)]
    return ['"' + "".join(ESCAPES.get(each, each) for each in text) + '"']
