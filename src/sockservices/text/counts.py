"""
Numbers of things as text.
"""

from __future__ import annotations

__all__ = ["counted"]


def counted(count: int, thing: str) -> str:
    """
    The number and the thing, in the plural unless it is one.

    >>> counted(1, "connection"), counted(0, "connection")
    ('1 connection', '0 connections')
    """
    return f"{count} {thing}{'' if count == 1 else 's'}"
