"""
Probes of ports: whether a connection is established, refused, or not answered. A probe sends no data to a stream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint

from sockservices.client.connect import connect
from sockservices.client.datagram import DatagramClient
from sockservices.client.gather import gather
from sockservices.client.request_failed import RequestFailed, Verdict
from sockservices.client.resolver import resolve
from sockservices.client.target import Target

__all__ = ["OPEN", "OPEN_OR_FILTERED", "STATES", "ProbeResult", "probeAll"]

OPEN = "open"

#: The state of a UDP port that is silent: no reply and no ICMP error arrived.
OPEN_OR_FILTERED = "open-or-filtered"

#: The states of a port.
STATES = (
    OPEN,
    OPEN_OR_FILTERED,
    *(
        verdict.value
        for verdict in (Verdict.REFUSED, Verdict.NO_CONNECTION, Verdict.UNREACHABLE, Verdict.DNS, Verdict.TIMEOUT)
    ),
)


class ProbeResult(NamedTuple):
    """
    The result of one probe.

    @ivar state: one of L{STATES}.
    @ivar verdict: L{Verdict.OK} for an open port; L{Verdict.TIMEOUT} for L{OPEN_OR_FILTERED}.
    @ivar seconds: the time from the start of the attempt to its result.
    """

    target: Target
    state: str
    verdict: Verdict
    seconds: float
    description: str


def probeAll(
    targets: Sequence[Target],
    *,
    reactor: IReactorTime,
    timeout: float = 2.0,
    parallel: int = 64,
    onResult: Callable[[int, ProbeResult], object] = lambda index, result: None,
    makeEndpoint: Callable[[Target, IReactorTime], IStreamClientEndpoint] = Target.endpoint,
) -> Deferred[list[ProbeResult]]:
    """
    Probe targets, several at a time. Each host name is resolved once, to its first IPv4 address, or else its first IPv6
    address.

    @param reactor: connects, reads from the sockets, resolves names, and is the clock.
    @param timeout: seconds for each probe, and for the resolution of a name.
    @param parallel: the maximum number of probes at a time.
    @param onResult: called with the index of a target and its result as soon as that is known.
    @param makeEndpoint: makes the client endpoint of a stream target.
    @return: fires with the results, in the order of the targets.
    """
    return Deferred.fromCoroutine(_Probes(reactor, timeout, makeEndpoint).run(targets, parallel, onResult))


@dataclass
class _Probes:
    """
    The probes of one call of L{probeAll}.

    @ivar addresses: the IP address of each host name, or the failure to resolve it.
    """

    reactor: IReactorTime
    timeout: float
    makeEndpoint: Callable[[Target, IReactorTime], IStreamClientEndpoint]
    addresses: dict[str, str | RequestFailed] = field(default_factory=dict)

    async def run(
        self, targets: Sequence[Target], parallel: int, onResult: Callable[[int, ProbeResult], object]
    ) -> list[ProbeResult]:
        results: dict[int, ProbeResult] = {}
        remaining = iter(enumerate(targets))

        async def probeRemaining() -> None:
            for index, target in remaining:
                results[index] = await self._probe(target)
                onResult(index, results[index])

        hosts = {each.address[0] for each in targets if not isinstance(each.address, str)}
        await gather([Deferred.fromCoroutine(self._resolve(host)) for host in hosts])
        workers = range(min(parallel, len(targets)))
        await gather([Deferred.fromCoroutine(probeRemaining()) for _ in workers])
        return [results[index] for index in range(len(targets))]

    async def _resolve(self, host: str) -> None:
        try:
            self.addresses[host] = await resolve(host, self.reactor, self.timeout)
        except RequestFailed as failure:
            self.addresses[host] = failure

    async def _probe(self, target: Target) -> ProbeResult:
        startedAt = self.reactor.seconds()
        try:
            state, description = await self._state(target)
            verdict = Verdict.TIMEOUT if state == OPEN_OR_FILTERED else Verdict.OK
        except RequestFailed as failure:
            state, _, description = str(failure).partition(": ")
            verdict = failure.verdict
        return ProbeResult(target, state, verdict, self.reactor.seconds() - startedAt, description)

    async def _state(self, target: Target) -> tuple[str, str]:
        """
        @return: state and description, unless the failure describes both.
        """
        resolved = target
        if not isinstance(target.address, str):
            host, port = target.address
            address = self.addresses[host]
            if isinstance(address, RequestFailed):
                raise address
            resolved = Target(target.transport, (address, port))
        if not target.stream:
            return await self._datagramState(resolved)
        endpoint = self.makeEndpoint(resolved, self.reactor)
        connection = await connect(endpoint, reactor=self.reactor, timeout=self.timeout)
        await connection.end()
        return OPEN, "connected"

    async def _datagramState(self, target: Target) -> tuple[str, str]:
        client = DatagramClient(target.address, reactor=self.reactor)
        try:
            await client.open()
            if not target.inet:
                # connect(2) fails unless a Unix socket receives at the path.
                return OPEN, "a socket receives datagrams"
            client.send(b"")
            reply = await client.receive(self.timeout)
        except RequestFailed as failure:
            if client.wrongSourceCount:
                return OPEN, f"a reply came from {client.lastWrongSource}"
            if failure.verdict is Verdict.TIMEOUT:
                return OPEN_OR_FILTERED, "no reply to an empty datagram, and no ICMP error"
            if failure.verdict is Verdict.REFUSED and target.inet:
                raise RequestFailed(Verdict.REFUSED, "ICMP port unreachable: the port is closed") from failure
            raise
        finally:
            client.close()
        return OPEN, f"a reply of {len(reply)} bytes"
