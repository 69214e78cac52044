"""
The ways in which a service fails a case.
"""

from __future__ import annotations

__all__ = ["Deviation", "ReplyWithheld"]


class Deviation(Exception):  # noqa: N818 (the service is wrong, not this program)
    """
    The service deviates from its specification.

    @ivar seen: the observed behaviour.
    @ivar expected: the behaviour that its specification requires.
    """

    def __init__(self, seen: str, expected: str) -> None:
        super().__init__(f"{seen}; expected: {expected}")
        self.seen = seen
        self.expected = expected


class ReplyWithheld(Deviation):
    """
    The service sends no reply where the reply would be longer than a size rule allows.
    """
