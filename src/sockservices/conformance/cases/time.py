"""
The cases of C{time} (RFC 868).
"""

from __future__ import annotations

from sockservices.conformance.cases.shared import declareSendAndClose
from sockservices.conformance.response import Deviation, Response
from sockservices.conformance.suite import Suite

__all__ = ["time"]

time = Suite("time", "RFC 868")
declareSendAndClose(time)

#: Seconds from 1900-01-01 to 1970-01-01, both 00:00 UTC.
UNIX_EPOCH = 2208988800

#: How much the two clocks may differ, in seconds.
TOLERANCE = 60


@time.response("sends four bytes")
def fourBytes(response: Response) -> None:
    response.expect(len(response.data) == 4, "4 bytes")


@time.response("counts the seconds since 1900, unsigned, within a minute of the local clock")
def since1900(response: Response) -> None:
    remote = int.from_bytes(response.data[:4], "big")
    # The number overflows to 0 on 2036-02-07 06:28:16 UTC.
    local = (int(response.time) + UNIX_EPOCH) % 2**32
    if len(response.data) != 4 or _difference(remote, local) > TOLERANCE:
        seen = f"{remote} in {response}"
        if _difference(remote + UNIX_EPOCH, local) <= TOLERANCE:
            seen = f"{remote}: it counts from 1970"
        raise Deviation(seen, str(local))


def _difference(one: int, other: int) -> int:
    difference = (one - other) % 2**32
    return min(difference, 2**32 - difference)
