"""
Services for applications: a responder served at an endpoint.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.interfaces import IProtocol, IProtocolFactory, IReactorTime, IStreamServerEndpoint

from sockservices.admission.census import Census
from sockservices.conversation.policy import Policy
from sockservices.monitoring.recorders import Record, VisitLog
from sockservices.protocols.datagram import DatagramResponder
from sockservices.protocols.limited_factory import LimitedFactory
from sockservices.protocols.limited_protocols import LimitedProtocols
from sockservices.protocols.stream_factory import StreamFactory
from sockservices.scripting.coroutine_service import Service
from sockservices.server.listener import DatagramService, StreamService
from sockservices.transports.binding_strings import parse
from sockservices.transports.datagram_layer import MakeDatagramLayer, layeredDatagrams
from sockservices.transports.endpoints import DatagramEndpoint, StreamEndpoint
from sockservices.transports.layered_factory import MakeStreamLayer, layered
from sockservices.transports.reactor import Reactor
from sockservices.transports.twisted_endpoints import twistedEndpoint

__all__ = ["datagramService", "streamService"]


def streamService(
    endpoint: str | IStreamServerEndpoint,
    responder: Service | IProtocolFactory,
    *,
    reactor: Reactor,
    policy: Policy = Policy(),  # noqa: B008 (it is frozen)
    record: Record | None = None,
    census: Census | None = None,
    layers: Sequence[MakeStreamLayer] = (),
) -> StreamService:
    """
    Serve a responder, or the protocols of a factory, to connections.

    @param endpoint: C{"tcp:8007"}, C{"tcp:8007:interface=0.0.0.0"}, C{"unix:/run/echo.sock:mode=660"},
        C{"systemd:NAME"}, C{"haproxy:"} before one of these, any endpoint string of Twisted's, or an endpoint.
    @param responder: a L{Responder<sockservices.conversation.responder.Responder>} class, another callable that makes
        one, or a coroutine function: an C{async def} function of one argument, the peer; or an L{IProtocolFactory},
        whose protocols get the limits on connections, the idle timeout and the drain.
    @param reactor: it listens, and is the clock.
    @param policy: the limits.
    @param record: called with the visit of each finished conversation; by default visits are logged.
    @param census: counts the connections; listeners with the same census share limits.
    @param layers: L{StreamLayer<sockservices.transports.stream_layer.StreamLayer>} classes, or other callables that
        make a layer around a protocol; the first is next to the transport.
    @return: a service; starting it raises an exception if it cannot listen.
    @raise ValueError: when the string is no endpoint for connections.
    @raise TypeError: for an object that cannot make a responder, and for an endpoint that is neither a string nor an
        endpoint.
    """
    if isinstance(endpoint, str):
        binding = parse(endpoint)
        if binding is None:
            endpoint = twistedEndpoint(reactor, endpoint)
        elif not binding.stream:
            raise ValueError(f"{endpoint!r}: expected tcp:PORT, unix:PATH or systemd:NAME; this is for datagrams")
        else:
            endpoint = StreamEndpoint(reactor, binding)
    _checkEndpoint(endpoint, "tcp:8007")
    _rejectFactoryClass(responder)
    visitLog = None
    if record is None:
        record = visitLog = VisitLog(IReactorTime(reactor))
    factory: LimitedFactory
    if IProtocolFactory.providedBy(responder):
        factory = LimitedProtocols(responder, policy, record, IReactorTime(reactor), census)
    else:
        factory = StreamFactory(responder, policy, record, IReactorTime(reactor), census)
    if not isinstance(endpoint, StreamEndpoint):
        factory.wrapped = True
    return StreamService(endpoint, factory, layered(factory, layers), visitLog)


def datagramService(
    endpoint: str | DatagramEndpoint,
    responder: Service,
    *,
    reactor: Reactor,
    policy: Policy = Policy(),  # noqa: B008 (it is frozen)
    record: Record | None = None,
    census: Census | None = None,
    layers: Sequence[MakeDatagramLayer] = (),
) -> DatagramService:
    """
    Serve a responder to datagrams.

    @param endpoint: C{"udp:8007"}, C{"udp:8007:interface=0.0.0.0"}, C{"unixgram:/run/echo.sock"}, C{"systemd:NAME"}, or
        an endpoint.
    @param record: called with a visit for each datagram; by default datagrams are only counted.
    @param layers: L{DatagramLayer<sockservices.transports.datagram_layer.DatagramLayer>} classes, or other
        callables that make a layer around a protocol; the first is next to the transport.
    @see: L{streamService} for the other parameters, the result and the exceptions.
    """
    if isinstance(endpoint, str):
        binding = parse(endpoint)
        if binding is None or not binding.datagrams:
            raise ValueError(f"{endpoint!r}: expected udp:PORT, unixgram:PATH or systemd:NAME")
        endpoint = DatagramEndpoint(reactor, binding)
    _checkEndpoint(endpoint, "udp:8007")
    protocol = DatagramResponder(responder, policy, record, IReactorTime(reactor), census)
    return DatagramService(endpoint, protocol, layeredDatagrams(protocol, layers))


def _checkEndpoint(endpoint: object, example: str) -> None:
    """
    Reject what cannot listen, such as the number of a port, before the service starts.
    """
    if not hasattr(endpoint, "listen"):
        raise TypeError(f"{endpoint!r}: expected an endpoint or its string, such as {example}")


def _rejectFactoryClass(served: object) -> None:
    """
    Reject a class of Twisted's where a factory is expected: it is no responder class either.
    """
    if isinstance(served, type) and IProtocol.implementedBy(served):
        raise TypeError(f"the protocol class {served.__name__}: expected Factory.forProtocol({served.__name__})")
    if isinstance(served, type) and IProtocolFactory.implementedBy(served):
        raise TypeError(f"the factory class {served.__name__}: expected an instance of it")
