"""
The options for faults: C{--fault} and C{--seed}.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from twisted.python.usage import UsageError

from sockservices.faults.fault import Fault
from sockservices.faults.parse import parseFault
from sockservices.server.config import ListenerConfig

__all__ = ["faultNotice", "seedOf", "withFaults"]


def withFaults(listeners: tuple[ListenerConfig, ...], texts: list[str]) -> tuple[ListenerConfig, ...]:
    """
    Add the configured faults to the listeners, each to every listener that it can be on.

    @param texts: the values of C{--fault}.
    @raise UsageError: naming the option, the value and the expected values.
    """
    for text in texts:
        service, colon, rest = text.partition(":")
        try:
            fault = parseFault(rest if colon else text)
        except ValueError as error:
            raise UsageError(f"--fault {text}: {error}") from None
        named = [each for each in listeners if not colon or each.name == service]
        if not named:
            served = ", ".join(dict.fromkeys(each.name for each in listeners))
            raise UsageError(f"--fault {text}: {service!r} is not served; expected {served}")
        possible = [each for each in named if _canHave(each, fault)]
        if not possible:
            kind = "connections (tcp, unix)" if fault.streams else "datagrams (udp, unixgram)"
            raise UsageError(f"--fault {text}: expected a listener for {kind}")
        listeners = tuple(
            replace(each, faults=(*each.faults, fault)) if each in possible else each for each in listeners
        )
    return listeners


def _canHave(listener: ListenerConfig, fault: Fault) -> bool:
    return (fault.streams and listener.streams) or (fault.datagrams and listener.datagrams)


def seedOf(options: Mapping[str, Any]) -> int | None:
    """
    The seed that the user gave, if any.

    @raise UsageError: if it is not an integer, or there are no faults.
    """
    text = options["seed"]
    if text is None:
        return None
    try:
        seed = int(text)
    except ValueError:
        raise UsageError(f"--seed {text}: expected an integer") from None
    if not options["fault"]:
        raise UsageError(f"--seed {text}: expected --fault as well")
    return seed


def faultNotice(listeners: tuple[ListenerConfig, ...], seed: int) -> str:
    """
    The faults and the seed, as the options that repeat them; C{""} if there are no faults.
    """
    byName: dict[str, list[Fault]] = {}
    for each in listeners:
        byName[each.name] = _merged(byName.get(each.name, []), each.faults)
    options = [f"--fault {name}:{fault}" for name, faults in byName.items() for fault in faults]
    return f"faults: {' '.join(options)} --seed {seed}" if options else ""


def _merged(faults: list[Fault], others: Iterable[Fault]) -> list[Fault]:
    """
    Merge the faults of two listeners of one service. Each keeps its order, on which its random numbers depend.
    """
    merged, left = list[Fault](), list(faults)
    for other in others:
        if other in left:
            end = left.index(other)
            merged += left[:end]
            del left[: end + 1]
        merged.append(other)
    return merged + left
