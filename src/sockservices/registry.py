"""
Finds the services: one in each file of L{sockservices.responders}, and those that other packages bring.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from importlib.metadata import entry_points

import sockservices.responders
from sockservices.conversation.responder import Responder

__all__ = ["GROUP", "find", "names", "services"]

#: The entry-point group by which other packages bring services: a name for each L{Responder} class.
GROUP = "sockservices.responders"


def _own() -> Iterator[type[Responder]]:
    """
    The classes in the folder's files.
    """
    for module in pkgutil.iter_modules(sockservices.responders.__path__, "sockservices.responders."):
        for value in vars(importlib.import_module(module.name)).values():
            own = isinstance(value, type) and value.__module__ == module.name
            if own and issubclass(value, Responder) and _complete(value):
                yield value


def _complete(responder: type[Responder]) -> bool:
    """
    Whether it is a service, and not what services have in common.
    """
    return hasattr(responder, "name") and hasattr(responder, "port")


def _foreign() -> Iterator[tuple[str, object]]:
    """
    What the entry points lead to.
    """
    for point in entry_points(group=GROUP):
        try:
            yield point.value, point.load()
        except Exception as fault:
            raise ValueError(f"{point.value}: {fault!r}") from fault


def services() -> dict[str, type[Responder]]:
    """
    Every service by its name.

    @raise ValueError: when two share a name, or an entry point cannot be loaded or leads to something else than a
        responder. Its text names the place.
    """
    found: dict[str, type[Responder]] = {}
    for origin, responder in [*((made.__module__, made) for made in _own()), *_foreign()]:
        if not (isinstance(responder, type) and issubclass(responder, Responder)) or not _complete(responder):
            raise ValueError(f"{origin}: not a Responder class with a name and a port")
        if found.setdefault(responder.name, responder) is not responder:
            raise ValueError(f"{origin}: there is a service {responder.name!r} already")
    return found


def names() -> list[str]:
    """
    The names of all services, sorted.
    """
    return sorted(services())


def find(name: str) -> type[Responder]:
    """
    The responder of a service.

    @raise LookupError: when there is none of that name; its text lists the names.
    """
    found = services()
    try:
        return found[name]
    except KeyError:
        raise LookupError(f"no service {name!r}; there are {', '.join(sorted(found))}") from None
