"""
Receives several datagrams with one system call, recvmmsg(2), on Linux.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["MAX_BATCH", "NAME_SIZES", "BatchReceiver", "controlMessages", "recvmmsg"]

#: Maximum number of datagrams that one call receives.
MAX_BATCH = 64

#: struct iovec: address and length.
_IOVEC = struct.Struct("@PN")

#: struct mmsghdr: name and its length, iovecs and their number, control messages and their length, flags; then the
#: number of bytes received.
_HEADER = struct.Struct("@PIPNPNi0PI0P")
_CONTROL_LENGTH_OFFSET, _LENGTH_OFFSET = struct.calcsize("@PIPNP0N"), struct.calcsize("@PIPNPNi0P")

#: struct cmsghdr: length including this header, level, type.
_CONTROL_HEADER = struct.Struct("@Nii")

#: The format of size_t for C{memoryview.cast}, whose type annotations do not allow it.
_SIZE_T: Any = "N"

#: The size of a size_t in bytes. Control messages are aligned to it (cmsg(3)).
_ALIGNMENT = struct.calcsize("N")

#: The size in bytes of a struct sockaddr by address family. An IPv6 socket uses sockaddr_in6 for IPv4 sources too.
NAME_SIZES: dict[int, int] = {socket.AF_INET: 16, socket.AF_INET6: 28}

#: Bytes reserved for the source address, and for the control messages, of each datagram.
_NAME_SPACE, _CONTROL_SPACE = 32, 256


def _findRecvmmsg() -> Callable[..., int] | None:
    """
    Find recvmmsg(2) in the C library.

    @return: the function, or L{None} on a system without it.
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        function = ctypes.CDLL(None, use_errno=True).recvmmsg
    except (AttributeError, OSError):
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p]
    function.restype = ctypes.c_int
    return function


recvmmsg = _findRecvmmsg()


class BatchReceiver:
    """
    Receives datagrams with recvmmsg(2) into buffers that it reuses. Pages that no datagram has filled use no memory.
    """

    def __init__(self, family: int, size: int) -> None:
        """
        @param family: the address family of the socket.
        @param size: the maximum size of a datagram in bytes; the kernel truncates longer ones.
        """
        iovecs = MAX_BATCH * _HEADER.size
        names = iovecs + MAX_BATCH * _IOVEC.size
        controls = names + MAX_BATCH * _NAME_SPACE
        datagrams = controls + MAX_BATCH * _CONTROL_SPACE
        self._memory = mmap.mmap(-1, datagrams + MAX_BATCH * size)
        self._anchor = ctypes.c_char.from_buffer(self._memory)
        self._address = address = ctypes.addressof(self._anchor)
        #: For each datagram the offsets of its bytes, of its name and its end, and of its control messages.
        self._offsets: list[tuple[int, int, int, int]] = []
        for index in range(MAX_BATCH):
            name, control, datagram = (
                names + index * _NAME_SPACE,
                controls + index * _CONTROL_SPACE,
                datagrams + index * size,
            )
            self._offsets.append((datagram, name, name + NAME_SIZES[family], control))
            iovec = iovecs + index * _IOVEC.size
            _IOVEC.pack_into(self._memory, iovec, address + datagram, size)
            _HEADER.pack_into(
                *(self._memory, index * _HEADER.size, address + name, _NAME_SPACE, address + iovec, 1),
                *(address + control, _CONTROL_SPACE, 0, 0),
            )
        self._headers = self._memory[:iovecs]
        view = memoryview(self._memory)[:iovecs]
        #: For each datagram the length of its bytes, and of its control messages.
        self._lengths = view.cast("I")[_LENGTH_OFFSET // 4 :: _HEADER.size // 4]
        self._controlLengths = view.cast(_SIZE_T)[_CONTROL_LENGTH_OFFSET // _ALIGNMENT :: _HEADER.size // _ALIGNMENT]

    def receive(self, descriptor: int, limit: int) -> list[tuple[bytes, bytes, bytes]]:
        """
        Receive queued datagrams without blocking.

        @param descriptor: the descriptor of the socket.
        @param limit: the maximum number of datagrams; L{MAX_BATCH} if this is higher.
        @return: for each datagram its bytes, its source as a struct sockaddr, and its control messages.
        @raise OSError: L{BlockingIOError} when the queue is empty.
        """
        assert recvmmsg is not None
        memory = self._memory
        # Restore the lengths and flags that the kernel overwrote in the last call.
        memory[: len(self._headers)] = self._headers
        count = recvmmsg(descriptor, self._address, min(limit, MAX_BATCH), socket.MSG_DONTWAIT, None)
        if count < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        lengths, controls = self._lengths[:count].tolist(), self._controlLengths[:count].tolist()
        return [
            (memory[datagram : datagram + length], memory[name:nameEnd], memory[control : control + controlLength])
            for (datagram, name, nameEnd, control), length, controlLength in zip(
                self._offsets, lengths, controls, strict=False
            )
        ]


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
