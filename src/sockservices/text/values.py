"""
Users' values in error messages.
"""

from __future__ import annotations

import re

__all__ = ["quoted"]


def quoted(value: str) -> str:
    """
    Give a value for a message: unchanged if it is printable ASCII without blanks, or else quoted and escaped.
    """
    return value if re.fullmatch("[!-~]+", value) else ascii(value)
