"""
Conversations in memory, each by one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, overload

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock

from sockservices.admission.census import Census
from sockservices.conversation.environment import Environment
from sockservices.conversation.policy import Policy
from sockservices.conversation.responder import MakeResponder
from sockservices.conversation.transport import Transport
from sockservices.conversation.visit import Visit
from sockservices.protocols.datagram import DatagramResponder
from sockservices.protocols.stream_factory import StreamFactory
from sockservices.testing.datagram_peer import DatagramPeer
from sockservices.testing.memory_exchange import NOW, fixedEnvironment
from sockservices.testing.stream_peer import StreamPeer
from sockservices.transports.datagram_layer import MakeDatagramLayer
from sockservices.transports.layered_factory import MakeStreamLayer

__all__ = ["converse"]

#: For each transport the server's address, and the peer's. The limits on one source exempt loopback by default.
ADDRESSES: dict[Transport, tuple[IAddress, IAddress]] = {
    Transport.TCP: (IPv4Address("TCP", "127.0.0.1", 8007), IPv4Address("TCP", "127.0.0.1", 40000)),
    Transport.UDP: (IPv4Address("UDP", "127.0.0.1", 8007), IPv4Address("UDP", "127.0.0.1", 40000)),
    Transport.UNIX: (UNIXAddress("/nowhere/server.sock"), UNIXAddress(None)),
    Transport.UNIXGRAM: (UNIXAddress("/nowhere/server.sock"), UNIXAddress("/nowhere/peer.sock")),
}


@overload
def converse(
    responder: MakeResponder,
    *,
    transport: Literal["tcp", "unix"] = "tcp",
    policy: Policy = ...,
    environment: Environment | None = None,
    clock: Clock | None = None,
    peer: IAddress | None = None,
    layers: Sequence[MakeStreamLayer] = (),
    world: Environment | None = None,
) -> StreamPeer: ...


@overload
def converse(
    responder: MakeResponder,
    *,
    transport: Literal["udp", "unixgram"],
    policy: Policy = ...,
    environment: Environment | None = None,
    clock: Clock | None = None,
    peer: IAddress | None = None,
    layers: Sequence[MakeDatagramLayer] = (),
    world: Environment | None = None,
) -> DatagramPeer: ...


def converse(
    responder: MakeResponder,
    *,
    transport: str = "tcp",
    policy: Policy = Policy(),  # noqa: B008 (it is frozen)
    environment: Environment | None = None,
    clock: Clock | None = None,
    peer: IAddress | None = None,
    layers: Sequence[Any] = (),
    world: Environment | None = None,
) -> StreamPeer | DatagramPeer:
    """
    Have a conversation with a responder in memory: through the protocol that serves it on sockets, under its limits.

    @param responder: a L{Responder<sockservices.Responder>} class, or anything that makes one for a conversation.
    @param transport: C{"tcp"}, C{"unix"}, C{"udp"} or C{"unixgram"}.
    @param policy: the limits.
    @param environment: by default one where nothing is left to chance, and whose time is the clock's.
    @param clock: by default one of its own.
    @param peer: the peer's address, by default one on this host.
    @param layers: stream layers or datagram layers around the protocol; the first is next to the transport.
    @param world: the earlier name of C{environment}.
    @return: the peer, to speak for.
    @raise ValueError: when there is no such transport.
    """
    if transport not in ADDRESSES:
        raise ValueError(f"no transport {transport!r}; there are {', '.join(ADDRESSES)}")
    host, usual = ADDRESSES[Transport(transport)]
    far = usual if peer is None else peer
    clock = ticking = Clock() if clock is None else clock
    environment = environment or world or fixedEnvironment(now=lambda: NOW + ticking.seconds())
    census = Census(environment)
    visits: list[Visit] = []
    if not Transport(transport).isStream:
        datagrams = DatagramResponder(responder, policy, visits.append, clock, census)
        return DatagramPeer(datagrams, clock, visits, host, far, layers)
    factory = StreamFactory(responder, policy, visits.append, clock, census)
    return StreamPeer(factory, clock, visits, host, far, layers)
