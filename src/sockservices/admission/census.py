"""
Who is here: what a server counts, over all of its listeners.
"""

from __future__ import annotations

from collections import Counter
from itertools import count

from sockservices.admission.addresses import sourceOf
from sockservices.admission.rate_limit import Buckets
from sockservices.conversation.environment import Environment
from sockservices.conversation.outcome import Outcome
from sockservices.conversation.policy import PER_SOURCE, RATE, UDP_RATE, Policy

__all__ = ["Census"]


class Census:
    """
    One for each server: the connections that are open, the rates of their sources, and how all conversations ended.

    @ivar environment: what the server's responders see of the machine.
    @ivar connections: how many connections are open.
    @ivar outcomes: how many conversations ended in which way.
    @ivar udpPorts: the UDP ports that the server itself is bound to.
    @ivar unixSockets: the files of its own Unix datagram sockets, by device and number.
    """

    def __init__(self, environment: Environment | None = None) -> None:
        self.environment = Environment() if environment is None else environment
        self.connections = 0
        self.outcomes: Counter[Outcome] = Counter()
        self.udpPorts: Counter[int] = Counter()
        self.unixSockets: set[tuple[int, int]] = set()
        #: Returns the number of the next conversation.
        self.serial = count(1).__next__
        self._perSource: Counter[str] = Counter()
        self._connects = Buckets()
        self._datagrams = Buckets()

    def admit(self, host: str | None, policy: Policy, now: float) -> bool:
        """
        Ask for one more connection, and count it if it may be.

        @param host: the peer's IP address; L{None} for a Unix socket, whose peers count in the total only.
        @param now: seconds, by a clock that never goes back.
        @return: whether it may be. Then L{release} is owed when it ends.
        """
        if policy.maxConnections and self.connections >= policy.maxConnections:
            return False
        if host is not None:
            source = sourceOf(host)
            most = self._perHead(policy.maxPerSource, PER_SOURCE, source.loopback)
            if most and self._perSource[source.key] >= most:
                return False
            rate = self._perHead(policy.maxRate, RATE, source.loopback)
            if rate and not self._connects.take(source.key, rate, now):
                return False
            self._perSource[source.key] += 1
        self.connections += 1
        return True

    def release(self, host: str | None) -> None:
        """
        Count a connection out that had been admitted.
        """
        self.connections -= 1
        if host is not None:
            key = sourceOf(host).key
            self._perSource[key] -= 1
            if not self._perSource[key]:
                del self._perSource[key]

    def mayReply(self, host: str, policy: Policy, now: float) -> bool:
        """
        Ask for one more reply to a datagram from this IP address, and count it if it may be.
        """
        source = sourceOf(host)
        rate = self._perHead(policy.udpRate, UDP_RATE, source.loopback)
        return not rate or self._datagrams.take(source.key, rate, now)

    @staticmethod
    def _perHead(limit: int | None, default: int, loopback: bool) -> int:
        """
        A limit on one source, 0 where there is none.
        """
        if limit is None:
            return 0 if loopback else default
        return limit
