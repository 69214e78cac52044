"""
What a server is, as values: command-line options make them, and so may a file or a program.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass, field, replace
from typing import Self

from sockservices.conversation.policy import Policy
from sockservices.conversation.responder import serviceName
from sockservices.faults.fault import Fault
from sockservices.scripting.coroutine_service import Service
from sockservices.transports.bindings import Binding

__all__ = ["ListenerConfig", "ServerConfig"]

#: File descriptors that are kept for other things than connections, so that accept(2) never runs out of them.
RESERVED_DESCRIPTORS = 64


@dataclass(frozen=True, kw_only=True)
class ListenerConfig:
    """
    The configuration of one listener.

    @ivar service: a L{Responder<sockservices.Responder>} class, a coroutine function, or another callable that makes a
        responder.
    @ivar binding: its address. A string is a server endpoint of Twisted's.
    @ivar policy: its limits. Limits without "per source" count the connections of all listeners.
    @ivar trace: whether every message is logged.
    @ivar plain: whether connections have Twisted's own transports.
    @ivar portGroup: listeners of one group whose port is 0 get the same free port; L{None} is no group.
    @ivar faults: its faults, in the order in which they act; each has a meaning for one of its transports.
    @ivar origin: the option that configured it, such as C{--service echo=7}; error messages begin with it.
    """

    service: Service
    binding: Binding | str
    policy: Policy = field(default_factory=Policy)
    trace: bool = False
    plain: bool = False
    portGroup: int | None = None
    faults: tuple[Fault, ...] = ()
    origin: str = "listener"

    @property
    def name(self) -> str:
        """
        The name of the service.
        """
        return serviceName(self.service)

    @property
    def streams(self) -> bool:
        """
        Whether it may accept connections.
        """
        return isinstance(self.binding, str) or self.binding.stream

    @property
    def datagrams(self) -> bool:
        """
        Whether it may receive datagrams. The endpoints of Twisted do not.
        """
        return not isinstance(self.binding, str) and self.binding.datagrams


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    """
    What a server is.

    @ivar logFormat: C{"text"} or C{"json"}.
    @ivar journal: the path of a file to write with every segment and datagram, or C{""}.
    @ivar portsFile: the path of a file to write with the addresses of all listeners, or C{""}.
    @ivar seed: the seed of all faults; by default a random one.
    @ivar workers: the number of processes that serve.
    @ivar trusted: IP addresses and networks that are exempt from the limits per source.
    """

    listeners: tuple[ListenerConfig, ...]
    logFormat: str = "text"
    portsFile: str = ""
    journal: str = ""
    trusted: tuple[str, ...] = ()
    seed: int | None = None
    workers: int = 1

    @property
    def drain(self) -> float:
        """
        The seconds that a stop may take.
        """
        return max((listener.policy.drain for listener in self.listeners), default=0.0)

    def capToDescriptorLimit(self, descriptors: int) -> Self:
        """
        The same server with no more connections than there are file descriptors.

        @param descriptors: how many the process may have open; C{RLIM_INFINITY} is no limit.
        """
        if descriptors == resource.RLIM_INFINITY:
            return self
        limit = max(1, descriptors - RESERVED_DESCRIPTORS)
        return replace(self, listeners=tuple(_capped(listener, limit) for listener in self.listeners))


def _capped(listener: ListenerConfig, limit: int) -> ListenerConfig:
    policy = listener.policy
    return replace(listener, policy=replace(policy, maxConnections=min(policy.maxConnections or limit, limit)))
