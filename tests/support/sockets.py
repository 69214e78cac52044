"""
Socket operations for several test modules.
"""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from typing import Any

__all__ = ["boundSocket", "closeWithReset", "replyFromOtherPort"]


def closeWithReset(connection: socket.socket) -> None:
    """
    Close a connection with an RST: SO_LINGER with a timeout of 0 s discards unsent data (socket(7)).
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def boundSocket(transport: str, path: str | os.PathLike[str] = "", host: str = "127.0.0.1") -> socket.socket:
    """
    Make a bound socket. It does not listen.

    @param transport: C{"tcp"}, C{"udp"}, C{"unix"} or C{"unixgram"}.
    @param path: the path of a Unix socket.
    @param host: the IP address of a TCP or UDP socket; the kernel chooses the port.
    """
    kind = socket.SOCK_STREAM if transport in ("tcp", "unix") else socket.SOCK_DGRAM
    if transport.startswith("unix"):
        bound = socket.socket(socket.AF_UNIX, kind)
        bound.bind(str(Path(path)))
    else:
        bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
        bound.bind((host, 0))
    return bound


def replyFromOtherPort(server: socket.socket, datagram: bytes, source: Any) -> None:
    """
    Send a reply from another port than the server's.
    """
    with boundSocket("udp") as other:
        other.sendto(datagram, source)
