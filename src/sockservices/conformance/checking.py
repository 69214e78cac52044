"""
Checks a host: all cases of its services, side by side.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore, FirstError, gatherResults

from sockservices.client.names import resolve
from sockservices.conformance.cases import SERVICES
from sockservices.conformance.datagrams import FarDatagrams
from sockservices.conformance.pacer import Pacer
from sockservices.conformance.ports import PORTS
from sockservices.conformance.row import Row
from sockservices.conformance.seconds import Seconds
from sockservices.conformance.series import Series
from sockservices.conformance.stream import FarStream

__all__ = ["check", "countCases"]

#: How many conversations there are at a time.
AT_A_TIME = 4


def countCases(services: Iterable[str], transport: str | None = None) -> int:
    """
    How many cases there are for these services.

    @param transport: for this one only.
    """
    wanted = set(services)
    return sum(
        len(some)
        for service in SERVICES
        if service.name in wanted
        for kind, some in service.cases.items()
        if transport in (kind, None)
    )


def check(
    host: str,
    ports: Mapping[str, int] = PORTS,
    *,
    reactor: Any,
    told: Callable[[Row], object] | None = None,
    seconds: Seconds = Seconds(),  # noqa: B008 (it is frozen)
    now: Callable[[], float] = time.time,
) -> Deferred[list[Row]]:
    """
    Ask a host's services, on both transports, for all that their cases say.

    @param host: an address, or a name.
    @param ports: the services to ask for, by their names, each with its port.
    @param reactor: connects, reads, resolves names, and is the clock.
    @param told: called with each row as soon as it is known.
    @param now: the time in seconds since 1970-01-01 00:00 UTC, for services that tell it.
    @return: the rows, those of a service together; fails with L{Unanswered<sockservices.client.Unanswered>} when the
        name does not resolve.
    """
    unknown = sorted(set(ports) - {service.name for service in SERVICES})
    if unknown:
        raise ValueError(f"no cases for {', '.join(unknown)}")
    return Deferred.fromCoroutine(_check(host, ports, reactor, told or (lambda row: None), seconds, now))


async def _check(
    host: str,
    ports: Mapping[str, int],
    reactor: Any,
    told: Callable[[Row], object],
    seconds: Seconds,
    now: Callable[[], float],
) -> list[Row]:
    address = await resolve(host, reactor)
    wait: Any = {"reactor": reactor, "seconds": seconds, "now": now}
    connections, probes = Pacer(reactor, seconds.connections), Pacer(reactor, seconds.datagrams)
    few = DeferredSemaphore(AT_A_TIME)
    streams: list[Series] = []
    datagrams: list[Series] = []
    for service in SERVICES:
        if service.name in ports:
            where = (address, port := ports[service.name])
            streams.append(Series(service, "tcp", port, FarStream(where, pacer=connections, **wait), told))
            datagrams.append(Series(service, "udp", port, FarDatagrams(where, pacer=probes, **wait), told))
    # From the last on: welcome's five seconds of silence are among them.
    running = [few.run(lambda each: Deferred.fromCoroutine(each.run()), each) for each in reversed(streams)]
    running += [Deferred.fromCoroutine(each.run()) for each in datagrams]
    try:
        await gatherResults(running, consumeErrors=True)
    except FirstError as fault:
        for one in running:
            one.cancel()
        raise fault.subFailure.value from None  # type: ignore[misc]
    series = [each for pair in zip(streams, datagrams, strict=True) for each in pair]
    alive = any(each.alive for each in series)
    for each in series:
        if not alive:
            each.doubt()
        each.tell()
    return [row for each in series for row in each.rows]
