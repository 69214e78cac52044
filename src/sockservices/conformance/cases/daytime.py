"""
The cases of C{daytime} (RFC 867).
"""

from __future__ import annotations

import re
import time

from sockservices.conformance.cases.shared import declareSendAndClose
from sockservices.conformance.excerpt import excerpt
from sockservices.conformance.response import Deviation, Response
from sockservices.conformance.suite import Suite

__all__ = ["daytime"]

daytime = Suite("daytime", "RFC 867")
declareSendAndClose(daytime)

#: Hours, minutes and optional seconds anywhere in the line: the RFC prescribes no format.
TIME_OF_DAY = re.compile(rb"(?<!\d)\d{1,2}:(\d\d)(?::(\d\d))?(?!\d)")

#: All time zones differ by multiples of a quarter of an hour, in seconds.
ZONE_STEP = 15 * 60

#: How much the two clocks may differ, in seconds.
TOLERANCE = 60


@daytime.response("sends one line of printable ASCII")
def oneLine(response: Response) -> None:
    response.expectPrintable()
    response.expect(len(response.data.splitlines()) == 1 and response.data.strip(), "one line")


@daytime.response("sends the time of day in any time zone, within a minute of the local clock")
def timeOfDay(response: Response) -> None:
    match = TIME_OF_DAY.search(response.data)
    if match is None:
        raise Deviation(str(response), "a line with a time such as 17:37:43")
    # A time without seconds stands for the middle of its minute.
    remote = int(match[1]) * 60 + int(match[2] or 30)
    difference = (remote - response.time) % ZONE_STEP
    if min(difference, ZONE_STEP - difference) > TOLERANCE:
        raise Deviation(excerpt(response.data), time.strftime("%H:%M:%S UTC", time.gmtime(response.time)))
