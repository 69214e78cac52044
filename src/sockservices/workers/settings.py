"""
The settings of one worker, beside the options of the server.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WorkerSettings"]


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """
    The first argument of a worker, as JSON.

    @ivar worker: its number, from 1; no two workers of a server have the same.
    @ivar slot: its slot in the shared counters.
    @ivar reactor: the module of the supervisor's reactor.
    @ivar descriptors: the limit of descriptors that caps the connections, or L{None}.
    @ivar seed: the seed of all faults.
    @ivar services: the name of the service of each listener.
    @ivar sockets: for each socket the number of its listener, whether connections inherit SO_OOBINLINE from it, and
        whether this worker watches it.
    """

    worker: int
    slot: int
    reactor: str
    descriptors: int | None
    seed: int | None
    services: list[str]
    sockets: list[tuple[int, bool, bool]]
