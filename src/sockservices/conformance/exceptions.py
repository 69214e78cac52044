"""
The ways in which a service fails a case.
"""

from __future__ import annotations

from sockservices.client import Verdict

__all__ = ["Deviation", "NotOffered", "ReplyWithheld"]


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


class NotOffered(Exception):  # noqa: N818 (the service is missing, nothing is wrong here)
    """
    There is no such service on that port.

    @ivar verdict: why: refused, timeout, unreachable.
    """

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.value)
        self.verdict = verdict
