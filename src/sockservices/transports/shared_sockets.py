"""
Sockets that several processes serve.
"""

from __future__ import annotations

import select
import socket
from typing import Any

from sockservices.transports.bound_socket import BoundSocket
from sockservices.transports.reactor import Reactor

__all__ = ["openReusePort", "watchInTurn"]


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


def openReusePort(bound: BoundSocket, count: int) -> list[BoundSocket]:
    """
    Open more UDP sockets at the address of one. The kernel puts all datagrams of a source into the queue of one of them
    (SO_REUSEPORT of socket(7)).

    @param count: how many.
    @raise OSError: when a socket cannot be opened; then none is left open.
    """
    # Only now: before, it would have let another server open the same port.
    bound.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    address = bound.socket.getsockname()
    # Linux reports twice the size that it was asked for (socket(7)).
    size = bound.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
    opened: list[BoundSocket] = []
    try:
        for _ in range(count):
            other = socket.socket(bound.family, socket.SOCK_DGRAM)
            opened.append(BoundSocket(other))
            other.setblocking(False)
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
            if bound.family == socket.AF_INET6:
                other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            other.bind(address)
    except OSError:
        for each in opened:
            each.close()
        raise
    return opened
