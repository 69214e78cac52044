"""
Counts the bytes that were written to a connection and have not reached the peer's host.
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
    Count the bytes that one of Twisted's transports has buffered in this process.
    """
    # Twisted does not document these attributes; tests/unit/transports/test_unacked.py fails when they change.
    return len(transport.dataBuffer) - transport.offset + transport._tempDataLen


def unackedBytes(transport: FileDescriptor) -> int:
    """
    Count the bytes that one of Twisted's transports has buffered, and those that the kernel has queued or sent and that
    the peer has not acknowledged (SIOCOUTQ, tcp(7)). On a Unix socket SIOCOUTQ gives the memory that the kernel uses
    for unread data.

    The progress of C{send()} is not enough to detect a stalled peer: if the peer reads 64 KiB/s, the kernel empties a
    send buffer of several megabytes for seconds before C{send()} accepts another byte.
    """
    buffered = userspaceBytes(transport)
    try:
        answer = ioctl(transport.fileno(), TIOCOUTQ, _INT.pack(0))
    except (OSError, ValueError):
        # The socket does not support SIOCOUTQ, or is closed.
        return buffered
    return buffered + int(_INT.unpack(answer)[0])
