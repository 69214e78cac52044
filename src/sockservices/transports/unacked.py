"""
Counts the bytes that were written to a connection and have not reached the peer's host.
"""

from __future__ import annotations

from fcntl import ioctl
from socket import IPPROTO_TCP
from struct import Struct
from termios import TIOCOUTQ
from typing import Any

from twisted.internet.abstract import FileDescriptor

__all__ = ["unackedBytes", "unsentBytes", "userspaceBytes"]

_INT = Struct("i")

#: SIOCOUTQNSD of Linux (linux/sockios.h): the bytes in the send queue of a TCP socket that are not sent yet.
SIOCOUTQNSD = 0x894B

#: A socket option of Linux (tcp(7)), and one of the states that it begins with.
TCP_INFO, TCP_CLOSE = 11, 7


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
    return userspaceBytes(transport) + _queued(transport, TIOCOUTQ)


def unsentBytes(transport: FileDescriptor) -> int:
    """
    Count the bytes that one of Twisted's transports has buffered, and those that the kernel has queued and not sent. On
    sockets other than TCP, and on other systems than Linux, the latter count as sent.
    """
    connection: Any = transport
    unsent = _queued(connection, SIOCOUTQNSD)
    if unsent and connection.socket.getsockopt(IPPROTO_TCP, TCP_INFO, 1)[0] == TCP_CLOSE:
        # The peer has reset the connection. The count does not change any more; a write meets the error.
        unsent = 0
    return userspaceBytes(transport) + unsent


def _queued(transport: FileDescriptor, request: int) -> int:
    try:
        answer = ioctl(transport.fileno(), request, _INT.pack(0))
    except (OSError, ValueError):
        # The socket does not support the request, or is closed.
        return 0
    return int(_INT.unpack(answer)[0])
