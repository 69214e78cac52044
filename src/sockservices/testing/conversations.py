"""
Conversations in memory, without sockets.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, overload

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock

from sockservices.admission.census import Census
from sockservices.conversation.context import Environment
from sockservices.conversation.policy import Policy
from sockservices.conversation.transport import Transport
from sockservices.conversation.visit import Visit
from sockservices.faults.datagrams import FaultyDatagrams
from sockservices.faults.factory import StreamFaults
from sockservices.faults.fault import Fault
from sockservices.protocols.datagram import DatagramResponder
from sockservices.protocols.stream_factory import StreamFactory
from sockservices.scripting.coroutine_service import Service
from sockservices.testing.datagram_peer import DatagramPeer
from sockservices.testing.memory_exchange import NOW, fixedEnvironment
from sockservices.testing.stream_peer import StreamPeer
from sockservices.testing.transport_name import transportNamed
from sockservices.transports.datagram_layer import MakeDatagramLayer
from sockservices.transports.layered_factory import MakeStreamLayer

__all__ = ["converse"]

#: The addresses of the server and of the peer. By default loopback addresses are exempt from the limits per source.
ADDRESSES: dict[Transport, tuple[IAddress, IAddress]] = {
    Transport.TCP: (IPv4Address("TCP", "127.0.0.1", 8007), IPv4Address("TCP", "127.0.0.1", 40000)),
    Transport.UDP: (IPv4Address("UDP", "127.0.0.1", 8007), IPv4Address("UDP", "127.0.0.1", 40000)),
    Transport.UNIX: (UNIXAddress("/nowhere/server.sock"), UNIXAddress(None)),
    Transport.UNIXGRAM: (UNIXAddress("/nowhere/server.sock"), UNIXAddress("/nowhere/peer.sock")),
}


@overload
def converse(
    responder: Service,
    *,
    transport: Literal["tcp", "unix"] = "tcp",
    policy: Policy = ...,
    environment: Environment | None = None,
    clock: Clock | None = None,
    peer: IAddress | None = None,
    layers: Sequence[MakeStreamLayer] = (),
    faults: Sequence[Fault] | None = None,
    seed: int | None = None,
    world: Environment | None = None,
) -> StreamPeer: ...


@overload
def converse(
    responder: Service,
    *,
    transport: Literal["udp", "unixgram"],
    policy: Policy = ...,
    environment: Environment | None = None,
    clock: Clock | None = None,
    peer: IAddress | None = None,
    layers: Sequence[MakeDatagramLayer] = (),
    faults: Sequence[Fault] | None = None,
    seed: int | None = None,
    world: Environment | None = None,
) -> DatagramPeer: ...


def converse(
    responder: Service,
    *,
    transport: str = "tcp",
    policy: Policy = Policy(),  # noqa: B008 (it is frozen)
    environment: Environment | None = None,
    clock: Clock | None = None,
    peer: IAddress | None = None,
    layers: Sequence[Any] = (),
    faults: Sequence[Fault] | None = None,
    seed: int | None = None,
    world: Environment | None = None,
) -> StreamPeer | DatagramPeer:
    """
    Connect a peer in memory to a responder. The protocols and limits are those of a real server.

    @param responder: a L{Responder<sockservices.Responder>} class, or a callable that takes a
        L{Conversation<sockservices.Conversation>} and returns a responder.
    @param transport: C{"tcp"}, C{"unix"}, C{"udp"} or C{"unixgram"}.
    @param policy: the limits.
    @param environment: by default a deterministic one: fixed users, seeded random numbers, and the time of C{clock}.
    @param clock: by default a new one.
    @param peer: the peer's address, by default a loopback address.
    @param layers: stream layers or datagram layers around the protocol; the first is next to the transport.
    @param faults: the faults of the conversation, in the order in which they act.
    @param seed: the seed of the faults, by default 0.
    @param world: the name of C{environment} in version 0.1.0.
    @return: the peer: the test sends and receives through it.
    @raise ValueError: for an unknown transport, for a fault that the transport cannot have, and for a seed without
        C{faults}.
    """
    if seed is not None and faults is None:
        raise ValueError(f"seed={seed}: expected faults as well")
    kind = transportNamed(transport)
    host, defaultPeer = ADDRESSES[kind]
    peer = defaultPeer if peer is None else peer
    clock = usedClock = Clock() if clock is None else clock
    environment = environment or world or fixedEnvironment(now=lambda: NOW + usedClock.seconds())
    census = Census(environment)
    visits: list[Visit] = []
    plan: dict[str, Any] = {"seed": seed or 0, "clock": clock, "counts": census.faults}
    if not kind.isStream:
        datagrams = DatagramResponder(responder, policy, visits.append, clock, census)
        if faults:
            layers = [partial(FaultyDatagrams, faults=faults, **plan), *layers]
        return DatagramPeer(datagrams, clock, visits, host, peer, layers)
    factory = StreamFactory(responder, policy, visits.append, clock, census)
    if faults:
        layers = [StreamFaults(faults, **plan), *layers]
    return StreamPeer(factory, clock, visits, host, peer, layers)
