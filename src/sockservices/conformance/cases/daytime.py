"""
Cases for C{daytime} (RFC 867).
"""

from __future__ import annotations

import re
import time

from sockservices.conformance.cases.once import speaksOnce
from sockservices.conformance.cases.printing import printing
from sockservices.conformance.deviation import Deviation, shown
from sockservices.conformance.heard import Heard
from sockservices.conformance.service import Service

__all__ = ["daytime"]

daytime = Service("daytime", "RFC 867")
speaksOnce(daytime)

TIME = re.compile(rb"(?<!\d)\d{1,2}:(\d\d)(?::(\d\d))?(?!\d)")

#: All time zones are some quarters of an hour apart, in seconds.
ZONES = 15 * 60

#: How many seconds the clocks may differ.
TOLERANCE = 60


@daytime.answer("says one line of printing ASCII")
def line(heard: Heard) -> None:
    """
    One line, with or without a line end.
    """
    printing(heard)
    if len(heard.words.splitlines()) != 1 or not heard.words.strip():
        raise Deviation(str(heard), "one line")


@daytime.answer("says our time of day, in any time zone, within a minute")
def ourTime(heard: Heard) -> None:
    """
    Hours, minutes and perhaps seconds, with colons, wherever in the line.
    """
    said = TIME.search(heard.words)
    if said is None:
        raise Deviation(str(heard), "a line with a time such as 17:37:43")
    theirs = int(said[1]) * 60 + int(said[2] or 30)
    apart = (theirs - heard.at) % ZONES
    if min(apart, ZONES - apart) > TOLERANCE:
        raise Deviation(shown(heard.words), time.strftime("%H:%M:%S UTC", time.gmtime(heard.at)))
