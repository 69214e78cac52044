"""
Repeated probes of an echo service.
"""

from __future__ import annotations

from contextlib import suppress

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from sockservices.client.ping_statistics import PingStatistics
from sockservices.client.prober import DatagramProber, StreamProber
from sockservices.client.request_failed import RequestFailed
from sockservices.client.target import Target
from sockservices.client.timeout import withTimeout

__all__ = ["ping"]


async def ping(
    target: Target,
    statistics: PingStatistics,
    *,
    reactor: IReactorTime,
    count: int | None,
    interval: float = 1.0,
    timeout: float = 2.0,
) -> None:
    """
    Send probes to an echo service, and count the replies. After a failure, go on with the next probe.

    @param statistics: makes the probes, and is up to date at any time.
    @param reactor: connects, reads from the sockets, and is the clock.
    @param count: the number of probes; L{None} for no end until this is cancelled.
    @param interval: seconds from one probe to the next.
    @param timeout: seconds to wait for a connection, and after the last probe for outstanding replies.
    """
    prober = (StreamProber if target.stream else DatagramProber)(target, statistics, reactor, timeout)
    try:
        while count is None or statistics.sent < count:
            startedAt = reactor.seconds()
            await prober.probe()
            if statistics.sent != count:
                await deferLater(reactor, max(0.0, startedAt + interval - reactor.seconds()))
        with suppress(RequestFailed):
            await withTimeout(prober.allReturned(), timeout, reactor, "no reply")
    finally:
        await prober.close()
