"""
Opens sockets of several transports and interfaces on one free port.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import replace

from sockservices.transports.bindings import InetBinding
from sockservices.transports.sockets import BoundSocket, OpenError, openSockets

__all__ = ["openOnSamePort"]

#: How many free ports of the first binding are tried: each may be in use for another one.
MAX_ATTEMPTS = 100


def openOnSamePort(bindings: Sequence[InetBinding]) -> list[BoundSocket]:
    """
    Open the socket of each binding. The kernel chooses a free port for the first one, and the others get the same.

    @return: the sockets, in the order of the bindings.
    @raise OpenError: when a socket cannot be opened; then none is left open.
    """
    for attempt in range(1, MAX_ATTEMPTS + 1):
        opened: list[BoundSocket] = []
        try:
            for binding in bindings:
                port = opened[0].socket.getsockname()[1] if opened else 0
                opened += openSockets(replace(binding, port=port))
        except OpenError as error:
            for bound in opened:
                bound.close()
            inUse = str(error.socketError) == os.strerror(errno.EADDRINUSE)
            if not (opened and inUse) or attempt == MAX_ATTEMPTS:
                raise
        else:
            return opened
    raise AssertionError("not reached")
