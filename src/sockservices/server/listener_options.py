"""
The options for listeners: C{--service} with C{--proto} and C{--interface}, and C{--listen}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import count
from types import MappingProxyType
from typing import Any

from twisted.python.usage import UsageError

from sockservices.conversation.responder import Responder
from sockservices.conversation.transport import Transport
from sockservices.server.config import ListenerConfig
from sockservices.transports.bindings import LOOPBACK, Binding, InetBinding, parse, portNumber

__all__ = ["PROTOS", "listenersOf"]

#: The services of a command line that names none.
DEFAULT_SERVICES = ("echo", "upper", "welcome")

#: The transports of each value of C{--proto}.
PROTOS = {"tcp": (Transport.TCP,), "udp": (Transport.UDP,), "all": (Transport.TCP, Transport.UDP)}


def listenersOf(
    options: Mapping[str, Any],
    services: Mapping[str, type[Responder]],
    rejected: Mapping[str, str] = MappingProxyType({}),
    **common: Any,
) -> tuple[ListenerConfig, ...]:
    """
    The listeners that the options configure.

    @param services: the services by name.
    @param rejected: the reasons why entry points of other packages were rejected, by name.
    @param common: the fields that all listeners have in common.
    @raise UsageError: naming the option, the value and the expected values.
    """
    find = partial(_find, services=services, rejected=rejected)
    configured = [*_byService(options, find), *_byEndpoint(options, find)]
    listeners = tuple(
        ListenerConfig(service=service, binding=binding, origin=origin, portGroup=group, **common)
        for service, binding, origin, group in configured
    )
    _rejectDuplicates(listeners)
    return listeners


def _byService(
    options: Mapping[str, Any], find: Callable[[str, str], list[type[Responder]]]
) -> Iterator[tuple[type[Responder], Binding, str, int]]:
    groups = count()
    for text in options["service"] or ([] if options["listen"] else DEFAULT_SERVICES):
        name, equals, port = text.partition("=")
        origin = f"--service {text}"
        for responder in find(name, origin):
            try:
                number = portNumber(port) if equals else responder.port
            except ValueError as error:
                raise UsageError(f"{origin}: {error}") from None
            group = next(groups)
            for interface in [text.strip("[]") for text in options["interface"]] or [LOOPBACK]:
                for transport in PROTOS[options["proto"]]:
                    yield responder, _inetBinding(transport, number, interface), origin, group


def _inetBinding(transport: Transport, port: int, interface: str) -> Binding:
    try:
        return InetBinding(transport, port, interface)
    except ValueError as error:
        raise UsageError(f"--interface {interface}: {error}") from None


def _byEndpoint(
    options: Mapping[str, Any], find: Callable[[str, str], list[type[Responder]]]
) -> Iterator[tuple[type[Responder], Binding | str, str, None]]:
    for text in options["listen"]:
        origin = f"--listen {text}"
        name, equals, endpoint = text.partition("=")
        if not equals:
            raise UsageError(f"{origin}: expected NAME=ENDPOINT, such as echo=tcp:8007")
        try:
            binding = parse(endpoint)
        except ValueError as error:
            raise UsageError(f"{origin}: {error}") from None
        for responder in find(name, origin):
            yield responder, binding or endpoint, origin, None


def _find(
    name: str, origin: str, services: Mapping[str, type[Responder]], rejected: Mapping[str, str]
) -> list[type[Responder]]:
    """
    The services of a name.
    """
    if name == "all":
        return list(services.values())
    if name in rejected and name not in services:
        raise UsageError(f"{origin}: {rejected[name]}")
    if name not in services:
        raise UsageError(f"{origin}: no service {name!r}: expected one of {', '.join(sorted(services))}, all")
    return [services[name]]


def _rejectDuplicates(listeners: tuple[ListenerConfig, ...]) -> None:
    """
    Reject two listeners on one port. The kernel's error would point to another program.
    """
    bindings: set[InetBinding] = set()
    for listener in listeners:
        binding = listener.binding
        if isinstance(binding, InetBinding) and binding.port:
            if binding in bindings:
                raise UsageError(f"{listener.origin}: {binding} has a listener already")
            bindings.add(binding)
