"""
The workloads, the same for every server.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass, replace

__all__ = ["ALL_WORKLOADS", "SCALES", "WORKERS_WORKLOADS", "WORKLOADS", "Workload", "capToDescriptorLimit"]

#: Descriptors that the load generator, or a server, needs for anything but connections.
RESERVED_DESCRIPTORS = 200


@dataclass(frozen=True)
class Workload:
    """
    One workload.

    @ivar description: one line for the user.
    @ivar service: the service that it needs: C{tcp} or C{udp} (both echo), C{welcome} or C{greet}.
    @ivar kind: the load generator's name of it.
    @ivar concurrency: connections, or datagrams in flight.
    @ivar size: the length of a message, in bytes.
    @ivar sources: the sockets, or the source addresses, that datagrams are sent from.
    @ivar maxMessages: the maximum number of messages in a run.
    @ivar unit: the unit of costs: a message, a KiB or a connection.
    @ivar seconds: the maximum duration of a run; L{None} is the user's choice.
    """

    name: str
    description: str
    service: str
    kind: str
    concurrency: int
    size: int
    maxMessages: int = 5_000_000
    unit: str = "message"
    seconds: float | None = None
    sources: int = 1

    @property
    def costUnit(self) -> str:
        """
        The unit of what servers are compared by.
        """
        return "KiB/connection" if self.kind == "idle" else f"us/{self.unit}"

    def arguments(self, port: int, seconds: float) -> list[str]:
        """
        Make the arguments of the load generator.
        """
        numbers = (port, self.seconds or seconds, self.maxMessages, self.concurrency, self.size, self.sources)
        return [self.kind, *map(str, numbers)]

    def units(self, messages: int, size: int) -> float:
        """
        Count the units of a run.

        @param messages: how many messages were completed.
        @param size: how many bytes were received.
        """
        return size / 1024 if self.unit == "KiB" else float(messages)


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("tcp1", "1 TCP connection, 1 KiB messages", "tcp", "tcp", 1, 1024),
        Workload("tcp10", "10 TCP connections, 1 KiB messages", "tcp", "tcp", 10, 1024),
        Workload("tcp1000", "1000 TCP connections, 1 KiB messages", "tcp", "tcp", 1000, 1024),
        Workload("stream", "1 TCP connection, both ways at once, 64 KiB writes", "tcp", "stream", 1, 65536, unit="KiB"),
        Workload("udp1", "1 UDP socket, 1 datagram of 64 bytes in flight", "udp", "udp", 1, 64),
        Workload("udp", "10 UDP sockets, 4 datagrams of 64 bytes in flight on each", "udp", "udp", 40, 64, sources=10),
        Workload(
            "udp200", "200 UDP sockets, 1 datagram of 64 bytes in flight on each", "udp", "udp", 200, 64, sources=200
        ),
        Workload("udp1x64", "1 UDP socket, 64 datagrams of 64 bytes in flight", "udp", "udp", 64, 64),
        Workload(
            "churn",
            "10 clients connect, send 1, read to the end, close",
            "welcome",
            "churn",
            10,
            1,
            50_000,
            "connection",
        ),
        Workload(
            "idle", "connections opened one by one, and kept open", "tcp", "idle", 10_000, 1, 10_000, "connection", 60.0
        ),
    )
}


#: Series of workloads that differ in one number: how the cost of a message grows with it.
SCALES = {
    "connections": {
        connections: Workload(
            f"tcp{connections}", f"{connections:,} TCP connections, 1 KiB messages", "tcp", "tcp", connections, 1024
        )
        for connections in (10, 100, 1000, 10_000)
    },
    "sources": {
        sources: Workload(
            f"sources{sources}",
            f"datagrams of 64 bytes, 40 in flight, from {sources:,} addresses in turn",
            *("udp", "sources", 40, 64),
            sources=sources,
        )
        for sources in (1, 10, 100, 1000, 10_000, 100_000)
    },
}

#: The workloads of the comparison of several workers. nginx cannot echo: C{greet} is a service that it has, too.
WORKERS_WORKLOADS = {name: WORKLOADS[name] for name in ("tcp10", "tcp1000", "udp", "churn")} | {
    "greet": Workload(
        "greet", "10 clients connect, read to the end, close", "greet", "greet", 10, 1, 50_000, "connection"
    )
}

#: Every workload by its name.
ALL_WORKLOADS = (
    {workload.name: workload for series in SCALES.values() for workload in series.values()}
    | WORKLOADS
    | WORKERS_WORKLOADS
)


def capToDescriptorLimit(workload: Workload, maxConnections: int) -> Workload:
    """
    Reduce the connections of a workload to a maximum, and to the limit of open descriptors (C{RLIMIT_NOFILE}).
    """
    if workload.service == "udp":
        return workload
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if descriptors != resource.RLIM_INFINITY:
        maxConnections = min(maxConnections, descriptors - RESERVED_DESCRIPTORS)
    return replace(workload, concurrency=min(workload.concurrency, max(1, maxConnections)))
