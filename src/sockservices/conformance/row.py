"""
One row of the table of results.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

__all__ = ["Result", "Row"]


class Result(StrEnum):
    """
    The result of a case, as text for users.
    """

    PASS = "pass"  #: the service conforms
    FAIL = "fail"  #: the service deviates
    LIMITED = "limited"  #: a size rule withholds the reply: sensible against reflection, but not the RFC
    NOT_OFFERED = "not offered"  #: there is no such service


class Row(NamedTuple):
    """
    One case and its result. A service that is not offered has one row per transport in place of its cases.

    @ivar service: the service's name.
    @ivar transport: C{"tcp"} or C{"udp"}.
    @ivar source: the origin of the requirement: an RFC, C{"tutorial"}, or C{"this project"}.
    @ivar sentence: the behaviour of a conforming service.
    @ivar seen: how the service deviates; if it is not offered, the verdict (C{refused}, C{timeout}, ...).
    @ivar expected: the behaviour of a conforming service in place of C{seen}.
    """

    service: str
    transport: str
    port: int
    source: str
    sentence: str
    result: Result
    seen: str = ""
    expected: str = ""
