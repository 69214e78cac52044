"""
The structures of recvmmsg(2) and sendmmsg(2), which receive and send several datagrams with one system call on Linux.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
from collections.abc import Callable

__all__ = ["HEADER", "IOVEC", "MAX_BATCH", "NAME_SIZES", "controlMessages", "packControl", "systemCall"]

#: Maximum number of datagrams that one call receives or sends.
MAX_BATCH = 64

#: struct iovec: address and length.
IOVEC = struct.Struct("@PN")

#: struct mmsghdr: name and its length, iovecs and their number, control messages and their length, flags; then the
#: number of bytes received or sent.
HEADER = struct.Struct("@PIPNPNi0PI0P")

#: struct cmsghdr: length including this header, level, type.
_CONTROL_HEADER = struct.Struct("@Nii")

#: The size of a size_t in bytes. Control messages are aligned to it (cmsg(3)).
_ALIGNMENT = struct.calcsize("N")

#: The size in bytes of a struct sockaddr by address family. An IPv6 socket uses sockaddr_in6 for IPv4 sources too.
NAME_SIZES: dict[int, int] = {socket.AF_INET: 16, socket.AF_INET6: 28}


def systemCall(name: str, *arguments: type) -> Callable[..., int] | None:
    """
    Find a function of the C library.

    @param arguments: the ctypes of its arguments.
    @return: the function, or L{None} on a system without it.
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        function = getattr(ctypes.CDLL(None, use_errno=True), name)
    except (AttributeError, OSError):
        return None
    function.argtypes = arguments
    function.restype = ctypes.c_int
    return function  # type: ignore[no-any-return]


def controlMessages(control: bytes) -> list[tuple[int, int, bytes]]:
    """
    Parse control messages.

    @return: level, type and bytes of each, as C{socket.recvmsg} returns them.
    """
    messages = []
    while len(control) >= _CONTROL_HEADER.size:
        length, level, kind = _CONTROL_HEADER.unpack_from(control)
        messages.append((level, kind, control[_CONTROL_HEADER.size : length]))
        control = control[max(-(-length // _ALIGNMENT) * _ALIGNMENT, _CONTROL_HEADER.size) :]
    return messages


def packControl(level: int, kind: int, data: bytes) -> bytes:
    """
    Make a control message, padded so that another one can follow.
    """
    message = _CONTROL_HEADER.pack(_CONTROL_HEADER.size + len(data), level, kind) + data
    return message + bytes(-len(message) % _ALIGNMENT)
