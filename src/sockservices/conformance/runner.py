"""
Runs the cases of a host's services, several services at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime

from sockservices.client.gather import gather
from sockservices.client.resolver import resolve
from sockservices.conformance.cases import SUITES
from sockservices.conformance.ports import PORTS
from sockservices.conformance.remote_datagrams import RemoteDatagrams
from sockservices.conformance.remote_stream import RemoteStream
from sockservices.conformance.row import Row
from sockservices.conformance.suite_run import SuiteRun
from sockservices.conformance.throttle import Throttle
from sockservices.conformance.timing import Timing

__all__ = ["check", "countCases"]

#: The maximum number of connections that are open at a time.
MAX_CONNECTIONS = 4


def countCases(services: Iterable[str], transport: str | None = None) -> int:
    """
    Count the cases of some services.

    @param services: their names.
    @param transport: C{"tcp"} or C{"udp"}; L{None} counts the cases of both.
    """
    selected = set(services)
    return sum(
        len(cases)
        for suite in SUITES
        if suite.service in selected
        for kind, cases in suite.cases.items()
        if transport in (kind, None)
    )


def check(
    host: str,
    ports: Mapping[str, int] = PORTS,
    *,
    reactor: IReactorTime,
    onRow: Callable[[Row], object] | None = None,
    timing: Timing = Timing(),  # noqa: B008 (it is frozen)
    now: Callable[[], float] = time.time,
) -> Deferred[list[Row]]:
    """
    Run the cases of a host's services, over TCP and UDP.

    @param host: an IP address or a host name.
    @param ports: the port of each service to check, by service name.
    @param reactor: the reactor for the sockets, the name resolution and the timeouts.
    @param onRow: called with each row as soon as its result is known.
    @param timing: timeouts and intervals.
    @param now: the time in seconds since 1970-01-01 00:00 UTC, to compare with C{daytime} and C{time}.
    @return: fires with all rows, those of a service together; fails with
        L{Unanswered<sockservices.client.Unanswered>} if the name does not resolve in time.
    @raise ValueError: if there are no cases for a service.
    """
    unknown = sorted(set(ports) - {suite.service for suite in SUITES})
    if unknown:
        raise ValueError(f"no cases for {', '.join(unknown)}")
    return Deferred.fromCoroutine(_check(host, ports, reactor, onRow or (lambda row: None), timing, now))


async def _check(
    host: str,
    ports: Mapping[str, int],
    reactor: IReactorTime,
    onRow: Callable[[Row], object],
    timing: Timing,
    now: Callable[[], float],
) -> list[Row]:
    ip = await resolve(host, reactor, timing.responseTimeout)
    common: Any = {"reactor": reactor, "timing": timing, "now": now}
    connections = Throttle(reactor, timing.connectionInterval)
    datagrams = Throttle(reactor, timing.datagramInterval)
    streamRuns: list[SuiteRun] = []
    datagramRuns: list[SuiteRun] = []
    for suite in SUITES:
        if suite.service in ports:
            address = (ip, port := ports[suite.service])
            stream = RemoteStream(address, throttle=connections, **common)
            streamRuns.append(SuiteRun(suite, "tcp", port, stream, onRow))
            datagram = RemoteDatagrams(address, throttle=datagrams, **common)
            datagramRuns.append(SuiteRun(suite, "udp", port, datagram, onRow))
    limited = DeferredSemaphore(MAX_CONNECTIONS)
    # In reverse order: the suite of welcome takes longest (it waits five seconds), so it starts first.
    running = [limited.run(lambda each: Deferred.fromCoroutine(each.run()), each) for each in reversed(streamRuns)]
    running += [Deferred.fromCoroutine(each.run()) for each in datagramRuns]
    await gather(running)
    runs = [run for pair in zip(streamRuns, datagramRuns, strict=True) for run in pair]
    hostIsUp = any(run.hostIsUp for run in runs)
    for run in runs:
        if not hostIsUp:
            run.replaceUnreported()
        run.report()
    return [row for run in runs for row in run.rows]
