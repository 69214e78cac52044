"""
The options for listeners: C{--service} and C{--script} with C{--proto} and C{--interface}, and C{--listen}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from types import MappingProxyType
from typing import Any

from twisted.python.usage import UsageError

from sockservices.conversation.responder import Responder
from sockservices.conversation.transport import Transport
from sockservices.scripting.coroutine_service import Service
from sockservices.server.config import ListenerConfig
from sockservices.server.script_options import ScriptOption, scriptsOf
from sockservices.transports.binding_strings import parse, portNumber
from sockservices.transports.bindings import LOOPBACK, Binding, InetBinding

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
    scripts = scriptsOf(options["script"])
    byPort = chain(_services(options, find), _scripts(options, scripts.values()))
    configured = [*_byPort(options, byPort), *_byEndpoint(options, find, scripts)]
    listeners = tuple(
        ListenerConfig(service=service, binding=binding, origin=origin, portGroup=group, **common)
        for service, binding, origin, group in configured
    )
    _rejectDuplicates(listeners)
    return listeners


def _services(
    options: Mapping[str, Any], find: Callable[[str, str], list[type[Responder]]]
) -> Iterator[tuple[Service, int, str]]:
    """
    The services that C{--service} names, with their ports and the text of the option.
    """
    replaced = options["listen"] or options["script"]
    for text in options["service"] or ([] if replaced else DEFAULT_SERVICES):
        name, equals, port = text.partition("=")
        origin = f"--service {text}"
        for responder in find(name, origin):
            try:
                number = portNumber(port) if equals else responder.port
            except ValueError as error:
                raise UsageError(f"{origin}: {error}") from None
            yield responder, number, origin


def _scripts(options: Mapping[str, Any], scripts: Iterable[ScriptOption]) -> Iterator[tuple[Service, int, str]]:
    """
    The same for C{--script}. A script without a port that a C{--listen} names listens only there.
    """
    elsewhere = {text.partition("=")[0] for text in options["listen"]}
    for script, port, origin in scripts:
        if port is not None or script.name not in elsewhere:
            yield script, script.port if port is None else port, origin


def _byPort(
    options: Mapping[str, Any], named: Iterable[tuple[Service, int, str]]
) -> Iterator[tuple[Service, Binding, str, int]]:
    for group, (service, port, origin) in enumerate(named):
        for interface in [text.strip("[]") for text in options["interface"]] or [LOOPBACK]:
            for transport in PROTOS[options["proto"]]:
                yield service, _inetBinding(transport, port, interface), origin, group


def _inetBinding(transport: Transport, port: int, interface: str) -> Binding:
    try:
        return InetBinding(transport, port, interface)
    except ValueError as error:
        raise UsageError(f"--interface {interface}: {error}") from None


def _byEndpoint(
    options: Mapping[str, Any],
    find: Callable[[str, str], list[type[Responder]]],
    scripts: Mapping[str, ScriptOption],
) -> Iterator[tuple[Service, Binding | str, str, None]]:
    for text in options["listen"]:
        origin = f"--listen {text}"
        name, equals, endpoint = text.partition("=")
        if not equals:
            raise UsageError(f"{origin}: expected NAME=ENDPOINT, such as echo=tcp:8007")
        try:
            binding = parse(endpoint)
        except ValueError as error:
            raise UsageError(f"{origin}: {error}") from None
        named: Iterable[Service] = [scripts[name].script] if name in scripts else find(name, origin)
        for service in named:
            yield service, binding or endpoint, origin, None


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
