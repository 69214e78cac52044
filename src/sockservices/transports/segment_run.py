"""
Runs of replies that the kernel sends as one message, with UDP_SEGMENT of Linux 4.18 (udp(7)).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, TypeAlias

from sockservices.transports.mmsghdr import MAX_BATCH, packControl

__all__ = ["Reply", "SegmentRun", "joinRuns"]

#: UDP_SEGMENT divides one message into datagrams of one size to one peer. The kernel processes them together. On the
#: wire they are separate datagrams.
SOL_UDP, UDP_SEGMENT = 17, 103

#: Maximum size in bytes of a datagram that is sent with UDP_SEGMENT, which does not fragment: the minimum link MTU of
#: 1280 bytes (RFC 8200 section 5) without the IPv6 and UDP headers of 48 bytes.
MAX_SEGMENT = 1232

#: Maximum number of bytes in one message with UDP_SEGMENT. The kernel's limit is that of one datagram, 65507 over IPv4;
#: IPv6 options lower it. The maximum number of datagrams in one message is 64 in older kernels.
MAX_RUN_BYTES = 65000

_SIZE = struct.Struct("@H")

#: A reply to be sent: its route, the datagram, and the token.
Reply: TypeAlias = tuple[Any, bytes, object]


class SegmentRun:
    """
    Successive replies of one size through one route.

    @ivar size: the size of each reply in bytes.
    @ivar remaining: how many more replies the run can take.
    """

    __slots__ = ("datagrams", "remaining", "route", "size", "tokens")

    def __init__(self, route: Any, size: int) -> None:
        self.route, self.size = route, size
        self.remaining = min(MAX_BATCH, MAX_RUN_BYTES // size) if 0 < size <= MAX_SEGMENT else 1
        self.datagrams: list[bytes] = []
        self.tokens: list[object] = []

    @property
    def ancillary(self) -> list[tuple[int, int, bytes]]:
        """
        The control messages of the run, for C{socket.sendmsg}.
        """
        messages = [] if self.route.pktinfo is None else [self.route.pktinfo]
        if len(self.datagrams) > 1:
            messages.append((SOL_UDP, UDP_SEGMENT, _SIZE.pack(self.size)))
        return messages

    @property
    def control(self) -> bytes:
        """
        The control messages of the run, packed.
        """
        return b"".join([packControl(*message) for message in self.ancillary])


def joinRuns(replies: Iterable[Reply]) -> list[SegmentRun]:
    """
    Join replies into runs. The replies to one peer stay in order, whichever local addresses they leave from.
    """
    runs: list[SegmentRun] = []
    latest: dict[bytes, SegmentRun] = {}
    for route, datagram, token in replies:
        run, size = latest.get(route.name), len(datagram)
        if run is None or run.size != size or not run.remaining or run.route is not route:
            run = latest[route.name] = SegmentRun(route, size)
            runs.append(run)
        run.remaining -= 1
        run.datagrams.append(datagram)
        run.tokens.append(token)
    return runs
