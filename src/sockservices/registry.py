"""
Finds responders by service name: those in L{sockservices.responders}, and those of other packages' entry points.
"""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import NamedTuple

import sockservices.responders
from sockservices.conversation.responder import Responder
from sockservices.text.values import printable

__all__ = ["GROUP", "Registered", "find", "names", "registered", "services"]

#: The entry-point group of other packages' responders. Each entry point refers to a L{Responder} class.
GROUP = "sockservices.responders"


def _ownResponders() -> Iterator[type[Responder]]:
    """
    Import every module in the folder C{responders}, and find the classes defined there.
    """
    for module in pkgutil.iter_modules(sockservices.responders.__path__, "sockservices.responders."):
        for value in vars(importlib.import_module(module.name)).values():
            # A class that the module only imports is found in its own module.
            definedHere = isinstance(value, type) and value.__module__ == module.name
            if definedHere and issubclass(value, Responder) and _isService(value):
                yield value


def _isService(responder: type[Responder]) -> bool:
    """
    Whether a class is a service: an abstract base class has no name or no port.
    """
    return hasattr(responder, "name") and hasattr(responder, "port")


class Registered(NamedTuple):
    """
    The services of this package and of others.

    @ivar services: the responder classes by service name.
    @ivar rejected: for each entry point that cannot be used, by its name: its distribution, its group and the reason,
        as one line.
    """

    services: dict[str, type[Responder]]
    rejected: dict[str, str]


def registered() -> Registered:
    """
    Find all responders. An entry point of another package that cannot be used does not affect the others.
    """
    found = {responder.name: responder for responder in _ownResponders()}
    rejected: dict[str, str] = {}
    for point in entry_points(group=GROUP):
        try:
            responder = point.load()
            _check(responder, found)
        except (Exception, SystemExit) as error:
            rejected[point.name] = _rejection(point, str(error) if isinstance(error, _UnusableError) else repr(error))
        else:
            found[responder.name] = responder
    return Registered(found, rejected)


class _UnusableError(Exception):
    """
    An entry point refers to no service. The text is the reason.
    """


def _check(responder: object, found: Mapping[str, type[Responder]]) -> None:
    if not (isinstance(responder, type) and issubclass(responder, Responder)) or not _isService(responder):
        raise _UnusableError("not a Responder class with a name and a port")
    if found.get(responder.name, responder) is not responder:
        raise _UnusableError(f"another service has the name {responder.name!r}")


def _rejection(point: EntryPoint, reason: str) -> str:
    distribution = "unknown distribution" if point.dist is None else f"{point.dist.name} {point.dist.version}"
    return printable(f"{distribution}, entry point '{point.name} = {point.value}' of {GROUP}: {reason}")


def services() -> dict[str, type[Responder]]:
    """
    Find all responders. Warn of each entry point that cannot be used.

    @return: the responder classes by service name.
    """
    found, rejected = registered()
    for text in rejected.values():
        warnings.warn(text, RuntimeWarning, stacklevel=2)
    return found


def names() -> list[str]:
    """
    List the names of all services, sorted.
    """
    return sorted(services())


def find(name: str) -> type[Responder]:
    """
    Find the responder class of a service.

    @raise LookupError: if no service has that name; the text lists all names. If the entry point of that name cannot be
        used, the text gives the reason.
    """
    found, rejected = registered()
    if name in found:
        return found[name]
    raise LookupError(rejected.get(name) or f"no service {name!r}: expected one of {', '.join(sorted(found))}")
