"""
Faults on purpose: delay, slowness, resets, silence and loss around any protocol factory and any datagram protocol. What
is done is a function of a seed.
"""

from sockservices.faults.content import Corrupt, Truncate
from sockservices.faults.datagrams import FaultyDatagrams
from sockservices.faults.delivery import Duplicate, Loss, Reorder
from sockservices.faults.ending import Hang, Limit, Refuse, Reset
from sockservices.faults.factory import FaultyFactory
from sockservices.faults.fault import Fault
from sockservices.faults.parse import parseFault
from sockservices.faults.timing import Bandwidth, Latency, Slice

__all__ = [
    "Bandwidth",
    "Corrupt",
    "Duplicate",
    "Fault",
    "FaultyDatagrams",
    "FaultyFactory",
    "Hang",
    "Latency",
    "Limit",
    "Loss",
    "Refuse",
    "Reorder",
    "Reset",
    "Slice",
    "Truncate",
    "parseFault",
]
