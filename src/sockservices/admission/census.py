"""
What a server counts over all of its listeners.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

from sockservices.admission.addresses import isTrusted, network, sourceOf
from sockservices.admission.rate_limit import RateLimit, RateLimits
from sockservices.conversation.context import Environment
from sockservices.conversation.outcome import Outcome
from sockservices.conversation.policy import (
    DEFAULT_MAX_PER_SOURCE,
    DEFAULT_MAX_RATE,
    DEFAULT_UDP_RATE,
    DEFAULT_UNIX_BURST,
    Policy,
)

__all__ = ["Census", "ExceededLimit", "ServiceTotals", "Totals"]


class ExceededLimit(NamedTuple):
    """
    A limit that refused a connection, or a reply to a datagram.

    @ivar limit: the field of L{Policy<sockservices.conversation.policy.Policy>}.
    @ivar number: its value.
    @ivar source: the key of limits per source: an IPv4 address, an IPv6 /64 or the path of a Unix socket; C{-} for
        a peer that has none of these.
    """

    limit: str
    number: int
    source: str


@dataclass(slots=True)
class ServiceTotals:
    """
    What one service has done, over all connections or over all datagrams.

    @ivar outcomes: the number of conversations that ended under each outcome.
    @ivar received: bytes that came from peers.
    @ivar sent: bytes that were written to transports.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    received: int = 0
    sent: int = 0


class Totals:
    """
    What all services of a server have done.

    @ivar conversations: for each service with a conversation over a stream, its totals.
    @ivar datagrams: for each service that listens for datagrams, its totals.
    """

    def __init__(self) -> None:
        self.conversations: defaultdict[str, ServiceTotals] = defaultdict(ServiceTotals)
        self.datagrams: defaultdict[str, ServiceTotals] = defaultdict(ServiceTotals)


class Census:
    """
    The open connections of a server, the rates of their sources, and the outcomes of all conversations.

    Listeners that share a census share its counts of connections, total and per source. Listeners with the same rate
    share the token bucket of each source; listeners with different rates use different buckets.

    @ivar environment: the time, random numbers and machine that the responders use.
    @ivar trusted: the networks that are exempt from the limits per source.
    @ivar onExceeded: called for each connection and each reply that a limit refuses, or L{None}.
    @ivar nextSerial: returns the number of the next conversation, from 1; a C function, cheap to call per datagram.
    @ivar connections: the number of open connections.
    @ivar outcomes: the number of conversations that ended under each outcome.
    @ivar totals: the same by service, and the number of bytes.
    @ivar faults: how often each fault was applied on purpose, by its word.
    @ivar udpPorts: the UDP ports that the server itself is bound to.
    @ivar unixSockets: the files of its own Unix datagram sockets, by device and inode number.
    """

    def __init__(self, environment: Environment | None = None, trusted: Iterable[str] = ()) -> None:
        """
        @param trusted: IP addresses and networks, such as C{192.0.2.0/24}, that are exempt from the limits per
            source.
        @raise ValueError: for text that is neither.
        """
        self.trusted = tuple(network(each) for each in trusted)
        self.onExceeded: Callable[[ExceededLimit], object] | None = None
        self.environment = Environment() if environment is None else environment
        self.nextSerial = count(1).__next__
        self.connections = 0
        self.outcomes: Counter[Outcome] = Counter()
        self.totals = Totals()
        self.faults: Counter[str] = Counter()
        self.udpPorts: Counter[int] = Counter()
        self.unixSockets: set[tuple[int, int]] = set()
        self._perSource: Counter[str] = Counter()
        self._connectionRates = RateLimits()
        self._replyRates = RateLimits()
        self._defaultUnixRate = RateLimit(DEFAULT_UDP_RATE, burst=DEFAULT_UNIX_BURST)

    def admit(self, host: str | None, policy: Policy, now: float) -> bool:
        """
        Admit a connection and count it, unless a limit is reached.

        @param host: the peer's IP address; L{None} for a Unix socket, which has no limit per source.
        @param now: seconds, by a monotonic clock.
        @return: whether the connection is admitted. If it is, call L{release} when it ends.
        """
        if policy.maxConnections and self.openConnections() >= policy.maxConnections:
            return self._refuse("maxConnections", policy.maxConnections, "-" if host is None else sourceOf(host).key)
        if host is not None:
            key, loopback, _ = sourceOf(host)
            limit, rate = policy.maxPerSource, policy.maxRate
            if self.trusted and isTrusted(host, self.trusted):
                limit = rate = 0
            if limit is None:
                limit = 0 if loopback else DEFAULT_MAX_PER_SOURCE
            if rate is None:
                rate = 0 if loopback else DEFAULT_MAX_RATE
            if limit and self.openConnectionsOf(key) >= limit:
                return self._refuse("maxPerSource", limit, key)
            if rate and not self._connectionRates[rate].take(key, now):
                return self._refuse("maxRate", rate, key)
            self._perSource[key] += 1
        self.connections += 1
        return True

    def openConnections(self) -> int:
        """
        The number of open connections that the limit in all counts.
        """
        return self.connections

    def openConnectionsOf(self, key: str) -> int:
        """
        The number of open connections that the limit for one source counts.
        """
        return self._perSource[key]

    def release(self, host: str | None) -> None:
        """
        Count an admitted connection as ended.

        @param host: the host that was passed to L{admit}.
        """
        self.connections -= 1
        if host is not None:
            key = sourceOf(host).key
            self._perSource[key] -= 1
            if not self._perSource[key]:
                del self._perSource[key]

    def replyRate(self, peer: tuple[str, int] | str | bytes, policy: Policy) -> tuple[RateLimit | None, str | bytes]:
        """
        Find the limit for the replies to the datagrams of a source.

        No property of a Unix source distinguishes a client from a server that answers back. Only the rate ends a loop
        between two servers: the default is as low as for UDP, and its burst is large enough for programs that exchange
        many datagrams for a short time.

        @param peer: host and port, or the path or abstract name of a Unix socket.
        @return: the limit, or L{None} if there is none, and the key of the source for L{RateLimit.take}.
        """
        rate = policy.udpRate
        if not isinstance(peer, tuple):
            if rate is None:
                return self._defaultUnixRate, peer
            return (self._replyRates[rate] if rate else None), peer
        host, _ = peer
        source = sourceOf(host)
        if rate is None:
            rate = 0 if source.loopback else DEFAULT_UDP_RATE
        if self.trusted and isTrusted(host, self.trusted):
            rate = 0
        return (self._replyRates[rate] if rate else None), source.key

    def allowReply(self, rate: RateLimit | None, key: str | bytes, now: float) -> bool:
        """
        Count a reply to a datagram, unless its source has used up its rate.

        @param rate: the limit and the key that L{replyRate} returned.
        @param now: seconds, by a monotonic clock.
        @return: whether the reply may be sent.
        """
        if rate is None or rate.take(key, now):
            return True
        return self._refuse("udpRate", int(rate.rate), os.fsdecode(key))

    def _refuse(self, limit: str, number: int, source: str) -> bool:
        if self.onExceeded is not None:
            self.onExceeded(ExceededLimit(limit, number, source))
        return False
