"""
The properties of a datagram's source that the rules and limits use.
"""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

from sockservices.admission.census import Census
from sockservices.admission.datagram_rules import PRIVILEGED_PORTS, addressDropReason
from sockservices.admission.rate_limit import RateLimit
from sockservices.conversation.outcome import Outcome
from sockservices.conversation.policy import Policy

__all__ = ["DatagramSource", "datagramSource"]


class DatagramSource(NamedTuple):
    """
    A source of datagrams to one destination address. A port that keeps it with a route finds it out only once.

    @ivar rate: the limit for replies to it, or L{None}.
    @ivar key: its key in that limit.
    @ivar addressReason: why its datagrams are not answered, by the addresses alone.
    @ivar unprivilegedPort: its UDP port, if it can be one of the server's own; otherwise L{None}.
    """

    rate: RateLimit | None
    key: str | bytes
    addressReason: Outcome | None = None
    unprivilegedPort: int | None = None

    def dropReason(self, ownPorts: Container[int | None]) -> Outcome | None:
        """
        Why its datagrams are not answered. The more general reason wins.

        @param ownPorts: the UDP ports that this server is bound to.
        @return: L{None} when they may be answered.
        """
        return Outcome.OWN_PORT if self.unprivilegedPort in ownPorts else self.addressReason


def datagramSource(
    peer: tuple[str, int] | str | bytes, destination: str | None, census: Census, policy: Policy
) -> DatagramSource:
    """
    Find out about a source.

    @param peer: host and port, or the path or abstract name of a Unix socket.
    @param destination: the IP address that the datagram was sent to, or L{None} where it is not known.
    """
    rate, key = census.replyRate(peer, policy)
    if not isinstance(peer, tuple):
        return DatagramSource(rate, key)
    host, port = peer
    unprivileged = None if not port or port in PRIVILEGED_PORTS else port
    return DatagramSource(rate, key, addressDropReason(host, port, destination), unprivileged)
