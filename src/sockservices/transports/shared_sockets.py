"""
Waiting at sockets that several processes watch.
"""

from __future__ import annotations

import select
from typing import Any

from sockservices.transports.reactor import Reactor

__all__ = ["watchInTurn"]


def watchInTurn(reactor: Reactor, port: Any) -> None:
    """
    Put a port, which the reactor watches, at the end of the kernel's queue for its socket. For a new connection or
    datagram, the kernel then wakes one process only: of those that wait, the first one in the queue (EPOLLEXCLUSIVE of
    epoll_ctl(2)).

    Do nothing unless the reactor is Twisted's epoll reactor: with another one, the kernel wakes all processes.
    """
    poller = getattr(reactor, "_poller", None)
    if hasattr(select, "epoll") and isinstance(poller, select.epoll):
        # epoll_ctl(2) takes EPOLLEXCLUSIVE only when it adds a descriptor.
        poller.unregister(port)
        poller.register(port, select.EPOLLIN | select.EPOLLEXCLUSIVE)
