"""
Bytes in a script file: a TOML string, which stands for its UTF-8, or C{"hex:..."}; or an array of these.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["toBytes", "toToml"]

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
