"""
How much of what was written to a connection has not reached the peer's host.
"""

from __future__ import annotations

from fcntl import ioctl
from struct import Struct
from termios import TIOCOUTQ

from twisted.internet.abstract import FileDescriptor

__all__ = ["unackedBytes", "userspaceBytes"]

_INT = Struct("i")


def userspaceBytes(transport: FileDescriptor) -> int:
    """
    The bytes that one of Twisted's transports has buffered in this process.
    """
    # Three attributes that Twisted does not document; tests/unit/transports/test_unacked.py fails when they change.
    return len(transport.dataBuffer) - transport.offset + transport._tempDataLen


def unackedBytes(transport: FileDescriptor) -> int:
    """
    The bytes that one of Twisted's transports has buffered, and those that the kernel has queued or sent and that are
    not acknowledged (SIOCOUTQ, tcp(7); on a Unix socket: that the peer has not read, by the kernel's own measure).

    The progress of C{send()} alone would mislead: for a slow reader at 64 KiB/s the kernel drains megabytes of its send
    buffer for seconds before C{send()} takes another byte.
    """
    buffered = userspaceBytes(transport)
    try:
        answer = ioctl(transport.fileno(), TIOCOUTQ, _INT.pack(0))
    except (OSError, ValueError):
        # The socket cannot be asked, or is closed.
        return buffered
    return buffered + int(_INT.unpack(answer)[0])
