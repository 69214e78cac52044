"""
What is asked of every server.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass, replace

__all__ = ["WORKLOADS", "Workload", "affordable"]

#: Descriptors of the load generator and of a server that are not connections.
RESERVED = 200


@dataclass(frozen=True)
class Workload:
    """
    One kind of load.

    @ivar service: what the server has to be: C{tcp} or C{udp} (echo), or C{welcome}.
    @ivar kind: the load generator's word for it.
    @ivar width: connections, or datagrams in flight.
    @ivar size: bytes of a message.
    @ivar limit: the most messages of a run.
    @ivar unit: what costs are counted by.
    @ivar seconds: how long a run may take, where that is not for the user to say.
    """

    name: str
    about: str
    service: str
    kind: str
    width: int
    size: int
    limit: int = 5_000_000
    unit: str = "message"
    seconds: float | None = None

    def arguments(self, port: int, seconds: float) -> list[str]:
        """
        What the load generator is told.
        """
        numbers = (port, self.seconds or seconds, self.limit, self.width, self.size)
        return [self.kind, *map(str, numbers)]

    def units(self, messages: int, size: int) -> float:
        """
        How many units a run's messages are.
        """
        return size / 1024 if self.unit == "KiB" else float(messages)


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("tcp1", "1 TCP connection, 1 KiB messages", "tcp", "tcp", 1, 1024),
        Workload("tcp10", "10 TCP connections, 1 KiB messages", "tcp", "tcp", 10, 1024),
        Workload("tcp1000", "1000 TCP connections, 1 KiB messages", "tcp", "tcp", 1000, 1024),
        Workload("stream", "1 TCP connection, both ways at once, 64 KiB writes", "tcp", "stream", 1, 65536, unit="KiB"),
        Workload("udp", "datagrams of 64 bytes, 40 in flight", "udp", "udp", 40, 64),
        Workload(
            "churn",
            "10 at a time connect, say 1, read to the end, close",
            "welcome",
            "churn",
            10,
            1,
            50_000,
            "connection",
        ),
        Workload(
            "idle", "connections are opened, one by one, and kept", "tcp", "idle", 10_000, 1, 10_000, "connection", 60.0
        ),
    )
}


def affordable(workload: Workload, most: int) -> Workload:
    """
    The workload with no more connections than asked for, and than there are descriptors.
    """
    if workload.kind == "udp":
        return workload
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if files != resource.RLIM_INFINITY:
        most = min(most, files - RESERVED)
    return replace(workload, width=min(workload.width, max(1, most)))
