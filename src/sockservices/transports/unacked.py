"""
How much of what was written has not reached the peer's host.
"""

from __future__ import annotations

from fcntl import ioctl
from struct import Struct
from termios import TIOCOUTQ
from typing import Any

__all__ = ["backlog", "held"]

_INT = Struct("i")


def held(transport: Any) -> int:
    """
    The bytes that a stream transport holds in user space.
    """
    waiting: int = len(getattr(transport, "dataBuffer", b"")) - getattr(transport, "offset", 0)
    return waiting + int(getattr(transport, "_tempDataLen", 0))


def backlog(transport: Any) -> int:
    """
    The bytes that a stream transport still holds in user space, and those that the kernel sent or queued and that the
    peer's kernel has not acknowledged (SIOCOUTQ, tcp(7); on a Unix socket: that the peer has not read, by the kernel's
    own measure).

    Progress of C{send()} alone would not do: a slow reader at 64 KiB/s lets megabytes of send buffer drain for seconds
    before C{send()} takes another byte.

    @param transport: any stream transport; one without buffer or socket, as in unit tests, has no backlog.
    """
    waiting = held(transport)
    try:
        answer = ioctl(transport.getHandle().fileno(), TIOCOUTQ, _INT.pack(0))
    except (AttributeError, OSError, ValueError):
        # No socket, none that can be asked, or one that is closed.
        return waiting
    return waiting + int(_INT.unpack(answer)[0])
