"""
Builds a server from its configuration.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple

from twisted.internet.interfaces import IReactorTime
from twisted.internet.posixbase import PosixReactorBase

from sockservices.admission.census import Census
from sockservices.conversation.responder import serviceName
from sockservices.faults.datagrams import FaultyDatagrams
from sockservices.faults.draws import randomSeed
from sockservices.faults.factory import StreamFaults
from sockservices.monitoring.journal import layersWithJournal
from sockservices.monitoring.journal_file import JournalFile, ListenerJournal
from sockservices.monitoring.limit_log import LimitLog
from sockservices.monitoring.recorders import VisitLog
from sockservices.monitoring.trace import DatagramTrace, StreamTrace
from sockservices.server.config import ListenerConfig, ServerConfig
from sockservices.server.fault_options import faultNotice
from sockservices.server.listener import ListenerService
from sockservices.server.ports_file import PortsFile
from sockservices.server.same_port import openOnSamePort
from sockservices.server.services import datagramService, streamService
from sockservices.server.supervisor import Supervisor
from sockservices.transports.bindings import InetBinding, SystemdBinding
from sockservices.transports.datagram_layer import MakeDatagramLayer
from sockservices.transports.endpoints import DatagramEndpoint, StreamEndpoint
from sockservices.transports.layered_factory import MakeStreamLayer
from sockservices.transports.reactor import Reactor
from sockservices.transports.sockets import BoundSocket, openSockets
from sockservices.transports.twisted_endpoints import SharedEndpoint

__all__ = ["ListenError", "buildServer"]


#: Descriptors that a start opens after its sockets, beside an epoll set for each listener: for the reactor, the log,
#: the pid file and the service manager.
START_DESCRIPTORS = 16


class ListenError(Exception):
    """
    A listener cannot listen. The text names the option that configured it, and the cause.
    """


def buildServer(
    config: ServerConfig,
    reactor: Reactor,
    census: Census | None = None,
    opened: Mapping[int, Sequence[BoundSocket]] = MappingProxyType({}),
    makeSupervisor: Callable[..., Supervisor] = Supervisor,
    makeJournal: Callable[[str], JournalFile] = JournalFile,
) -> Supervisor:
    """
    Build a server. Every socket is open when this returns: before a fork, and with all privileges of the process.

    @param census: where connections are counted, by default one for this server.
    @param opened: the sockets of listeners that are open already, by the number of the listener.
    @param makeSupervisor: makes the result from the parameters of L{Supervisor}.
    @param makeJournal: makes the journal from its path.
    @return: a service; its listeners share total limits, and one log.
    @raise ListenError: when a listener cannot listen. Then no socket is left open.
    """
    census = Census(trusted=config.trusted) if census is None else census
    limitLog = census.onExceeded = LimitLog(IReactorTime(reactor))
    visitLog = VisitLog(IReactorTime(reactor), reactor.seconds)
    seed = randomSeed() if config.seed is None else config.seed
    journal = makeJournal(config.journal) if config.journal else None
    services: list[ListenerService] = []
    sockets: dict[int, Sequence[BoundSocket]] = dict(opened)
    for number, listener in enumerate(config.listeners):
        try:
            if number not in sockets and isinstance(reactor, PosixReactorBase):
                group = _socketsOfGroup(listener, config.listeners)
                sockets.update((other, [bound]) for other, bound in group.items())
            layers = _layers(listener, IReactorTime(reactor), census, seed, number)
            if journal is not None:
                layers = _Layers(*layersWithJournal(ListenerJournal(journal, listener.name), *layers))
            shared = config.workers > 1
            for service in _services(listener, reactor, census, visitLog, layers, sockets.pop(number, ()), shared):
                service.number = number
                services.append(service)
                service.open()
                _rejectWildcard(listener, service)
        except Exception as error:
            _close([*services, *chain.from_iterable(sockets.values())])
            raise ListenError(f"{listener.origin}: {error}") from error
    if not _spareDescriptors(len(services) + START_DESCRIPTORS):
        _close(services)
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        raise ListenError(f"{len(services)} listeners: expected more than {limit} open files (ulimit -n)")
    if journal is not None:
        try:
            journal.open()
        except OSError as error:
            _close(services)
            raise ListenError(f"--journal {config.journal}: {error.strerror}") from error
    portsFile = PortsFile(config.portsFile) if config.portsFile else None
    supervisor = makeSupervisor(reactor, services, visitLog, census, portsFile, limitLog)
    supervisor.faultNotice = faultNotice(config.listeners, seed)
    supervisor.journal = journal
    return supervisor


def _socketsOfGroup(first: ListenerConfig, listeners: Sequence[ListenerConfig]) -> dict[int, BoundSocket]:
    """
    Open the sockets of all listeners that get the same free port as the first one of their group.

    @return: the sockets, by the number of the listener.
    """
    group = {
        number: each.binding
        for number, each in enumerate(listeners)
        if each.portGroup == first.portGroup is not None and isinstance(each.binding, InetBinding)
    }
    if len(group) < 2 or any(binding.port for binding in group.values()):
        return {}
    return dict(zip(group, openOnSamePort(list(group.values())), strict=True))


def _close(opened: Sequence[ListenerService | BoundSocket]) -> None:
    for each in opened:
        each.close()


def _spareDescriptors(count: int) -> bool:
    """
    Whether this process may open so many descriptors more.
    """
    with ExitStack() as spare:
        try:
            for _ in range(count):
                spare.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        except OSError:
            return False
    return True


def _rejectWildcard(listener: ListenerConfig, service: ListenerService) -> None:
    """
    Reject an endpoint of Twisted's that listens on every interface because the user named none.

    @raise ValueError: if it does.
    """
    if isinstance(listener.binding, str) and "interface=" not in listener.binding:
        host = None if service.port is None else getattr(service.port.getHost(), "host", None)
        if service.bound is not None:
            host = service.bound.socket.getsockname()[0]
        if host in ("0.0.0.0", "::"):
            raise ValueError("expected :interface=ADDRESS; without it every interface would be listened on")


class _Layers(NamedTuple):
    """
    The layers of a listener: those of its connections, and those of its datagrams.
    """

    streams: list[MakeStreamLayer]
    datagrams: list[MakeDatagramLayer]


def _layers(listener: ListenerConfig, clock: IReactorTime, census: Census, seed: int, number: int) -> _Layers:
    """
    The layers of a listener: faults next to the transport, so that the trace shows the bytes after the faults.

    @param number: the position of the listener. Its port may be another one when the faults are repeated.
    """
    name = serviceName(listener.service)
    plan: dict[str, Any] = {"seed": seed, "clock": clock, "listener": f"{name} {number}", "counts": census.faults}
    layers = _Layers([], [])
    onStreams = [fault for fault in listener.faults if fault.streams]
    onDatagrams = [fault for fault in listener.faults if fault.datagrams]
    if onStreams:
        layers.streams.append(StreamFaults(onStreams, **plan))
    if onDatagrams:
        layers.datagrams.append(partial(FaultyDatagrams, faults=onDatagrams, **plan))
    if listener.trace:
        layers.streams.append(partial(StreamTrace, service=name))
        layers.datagrams.append(partial(DatagramTrace, service=name))
    return layers


def _services(
    listener: ListenerConfig,
    reactor: Reactor,
    census: Census,
    visitLog: VisitLog,
    layers: _Layers,
    opened: Sequence[BoundSocket],
    shared: bool,
) -> Iterator[ListenerService]:
    """
    The services of a listener: one, or as many as the service manager has sockets of its name.

    @param opened: the sockets of its binding, if they are open already.
    @param shared: whether several processes serve the sockets.
    """
    responder, binding, plain = listener.service, listener.binding, listener.plain
    bound = next(iter(opened), None)
    common: dict[str, Any] = {"reactor": reactor, "policy": listener.policy, "census": census}
    streams, datagrams = dict(common, record=visitLog, layers=layers.streams), dict(common, layers=layers.datagrams)
    if isinstance(binding, str):
        endpoint = SharedEndpoint(reactor, binding, bound) if shared else binding
        yield streamService(endpoint, responder, **streams)
    elif isinstance(binding, SystemdBinding):
        for inherited in opened or openSockets(binding):
            if inherited.stream:
                yield streamService(StreamEndpoint(reactor, binding, inherited, plain), responder, **streams)
            else:
                yield datagramService(DatagramEndpoint(reactor, binding, inherited), responder, **datagrams)
    elif binding.stream:
        yield streamService(StreamEndpoint(reactor, binding, bound, plain), responder, **streams)
    else:
        # Of several workers, each serves one of several sockets.
        for each in opened or (None,):
            yield datagramService(DatagramEndpoint(reactor, binding, each), responder, **datagrams)
