"""
Runs the cases of a host's services, several services at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Mapping
from itertools import chain
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
from sockservices.conformance.timing import Throttle, Timing

__all__ = ["check", "countCases"]

#: The maximum number of connections that are open at a time.
MAX_CONNECTIONS = 4


def countCases(services: Container[str], transport: str | None = None) -> int:
    """
    Count the cases of some services.

    @param services: their names.
    @param transport: C{"tcp"} or C{"udp"}; L{None} counts the cases of both.
    """
    cases = [suite.cases for suite in SUITES if suite.service in services]
    return sum(len(each[kind]) for each in cases for kind in ([transport] if transport else each))


def check(
    host: str,
    ports: Mapping[str, int] = PORTS,
    *,
    reactor: IReactorTime,
    onRow: Callable[[Row], object] = lambda row: None,
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
        L{RequestFailed<sockservices.client.RequestFailed>} if the name does not resolve in time.
    @raise ValueError: if there are no cases for a service.
    """
    unknown = sorted(set(ports) - {suite.service for suite in SUITES})
    if unknown:
        raise ValueError(f"no cases for {', '.join(unknown)}")
    suites = [(suite, ports[suite.service]) for suite in SUITES if suite.service in ports]
    options: Any = {"reactor": reactor, "timing": timing, "now": now}
    connections = Throttle(reactor, timing.connectionInterval)
    datagrams = Throttle(reactor, timing.datagramInterval)
    limited = DeferredSemaphore(MAX_CONNECTIONS)

    async def run() -> list[Row]:
        ip = await resolve(host, reactor, timing.responseTimeout)
        overTcp = [
            SuiteRun(suite, RemoteStream((ip, port), throttle=connections, **options), onRow) for suite, port in suites
        ]
        overUdp = [
            SuiteRun(suite, RemoteDatagrams((ip, port), throttle=datagrams, **options), onRow) for suite, port in suites
        ]
        # In reverse order: the suite of welcome takes longest (it waits five seconds), so it starts first.
        running = [limited.run(each.run) for each in reversed(overTcp)]
        running += [Deferred.fromCoroutine(each.run()) for each in overUdp]
        await gather(running)
        runs = list(chain.from_iterable(zip(overTcp, overUdp, strict=True)))
        hostIsUp = any(each.hostIsUp for each in runs)
        for each in runs:
            if not hostIsUp:
                each.replaceUnreported()
            each.report()
        return [row for each in runs for row in each.rows]

    return Deferred.fromCoroutine(run())
