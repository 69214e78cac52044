"""
What became of a case.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

__all__ = ["Result", "Row"]


class Result(Enum):
    """
    How a case ended, in words for people.
    """

    PASS = "pass"  #: as it should be
    FAIL = "fail"  #: not so
    LIMITED = "limited"  #: no reply where a rule on sizes withholds it: prudent, but not the RFC
    NOT_OFFERED = "not offered"  #: there is no such service


class Row(NamedTuple):
    """
    One case and its result; of a service that is not offered, one row for all its cases on a transport.

    @ivar source: who says so: an RFC, C{"tutorial"}, or C{"this project"}.
    @ivar sentence: what the service does, if it is right.
    @ivar seen: what it did, where that was not it; the verdict's word, where it is not offered.
    @ivar expected: what it should have done.
    """

    service: str
    transport: str
    port: int
    source: str
    sentence: str
    result: Result
    seen: str = ""
    expected: str = ""
