"""
Finds responders by service name: those in L{sockservices.responders}, and those of other packages' entry points.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from importlib.metadata import entry_points

import sockservices.responders
from sockservices.conversation.responder import Responder

__all__ = ["GROUP", "find", "names", "services"]

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
    Tell a service from an abstract base class: a service has a name and a port.
    """
    return hasattr(responder, "name") and hasattr(responder, "port")


def _entryPoints() -> Iterator[tuple[str, object]]:
    """
    Load the entry points of other packages.

    @return: for each, its reference (C{module:name}) and the object that it refers to.
    @raise ValueError: if one cannot be loaded.
    """
    for point in entry_points(group=GROUP):
        try:
            yield point.value, point.load()
        except Exception as error:
            raise ValueError(f"{point.value}: {error!r}") from error


def services() -> dict[str, type[Responder]]:
    """
    Find all responders.

    @return: the responder classes by service name.
    @raise ValueError: if two services have the same name, or an entry point cannot be loaded or does not refer to a
        responder class. The text names the module or entry point.
    """
    found: dict[str, type[Responder]] = {}
    for origin, responder in [*((own.__module__, own) for own in _ownResponders()), *_entryPoints()]:
        if not (isinstance(responder, type) and issubclass(responder, Responder)) or not _isService(responder):
            raise ValueError(f"{origin}: not a Responder class with a name and a port")
        if found.setdefault(responder.name, responder) is not responder:
            raise ValueError(f"{origin}: another service has the name {responder.name!r}")
    return found


def names() -> list[str]:
    """
    List the names of all services, sorted.
    """
    return sorted(services())


def find(name: str) -> type[Responder]:
    """
    Find the responder class of a service.

    @raise LookupError: if there is no service of that name. The text lists all names.
    """
    found = services()
    try:
        return found[name]
    except KeyError:
        raise LookupError(f"no service {name!r}; there are {', '.join(sorted(found))}") from None
