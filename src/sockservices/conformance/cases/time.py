"""
Cases for C{time} (RFC 868).
"""

from __future__ import annotations

from sockservices.conformance.cases.once import speaksOnce
from sockservices.conformance.deviation import Deviation
from sockservices.conformance.heard import Heard
from sockservices.conformance.service import Service

__all__ = ["time"]

time = Service("time", "RFC 868")
speaksOnce(time)

#: Seconds from 1900-01-01 to 1970-01-01, both 00:00 UTC.
EPOCH = 2208988800

#: How many seconds the clocks may differ.
TOLERANCE = 60


@time.answer("says four bytes")
def four(heard: Heard) -> None:
    """
    No more, and no fewer.
    """
    if len(heard.words) != 4:
        raise Deviation(str(heard), "4 bytes")


@time.answer("counts the seconds since 1900, unsigned, within a minute of ours")
def since1900(heard: Heard) -> None:
    """
    Big-endian; from 2036 on it counts from zero again.
    """
    theirs = int.from_bytes(heard.words[:4], "big")
    ours = (int(heard.at) + EPOCH) % 2**32
    if len(heard.words) != 4 or _apart(theirs, ours) > TOLERANCE:
        remark = f"{theirs} in {heard}"
        if _apart(theirs + EPOCH, ours) <= TOLERANCE:
            remark = f"{theirs}: it counts from 1970"
        raise Deviation(remark, str(ours))


def _apart(one: int, other: int) -> int:
    apart = (one - other) % 2**32
    return min(apart, 2**32 - apart)
