"""
Many datagrams by one call into the kernel: recvmmsg(2), which Linux alone has.
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

#: The most datagrams of one call.
MAX_BATCH = 64

#: struct iovec: address and length.
_IOVEC = struct.Struct("@PN")

#: struct mmsghdr: a name and its length, iovecs and their number, control messages and their length, flags; then the
#: bytes that came.
_HEADER = struct.Struct("@PIPNPNi0PI0P")
_CONTROL_AT, _LENGTH_AT = struct.calcsize("@PIPNP0N"), struct.calcsize("@PIPNPNi0P")

#: struct cmsghdr: the length with this header, level and kind.
_MESSAGE = struct.Struct("@Nii")

#: struct iovec and its like count in size_t, which the types of memoryviews do not know by its letter.
_SIZE_T: Any = "N"

#: The bytes of a size_t, to which control messages are aligned.
_WORD = struct.calcsize("N")

#: The bytes of a name: struct sockaddr_in, and struct sockaddr_in6 (for IPv4 too, on such a socket).
NAME_SIZES: dict[int, int] = {socket.AF_INET: 16, socket.AF_INET6: 28}

#: The bytes kept for a name, and for the control messages of a datagram.
_NAME, _CONTROL = 32, 256


def _found() -> Callable[..., int] | None:
    """
    The call, where there is one.
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


recvmmsg = _found()


class BatchReceiver:
    """
    The memory that the kernel writes datagrams to. What is never written to is never taken from the system.
    """

    def __init__(self, family: int, size: int) -> None:
        """
        @param family: the socket's.
        @param size: the bytes of a datagram that are kept.
        """
        iovecs = MAX_BATCH * _HEADER.size
        names = iovecs + MAX_BATCH * _IOVEC.size
        controls = names + MAX_BATCH * _NAME
        datagrams = controls + MAX_BATCH * _CONTROL
        self._memory = mmap.mmap(-1, datagrams + MAX_BATCH * size)
        self._anchor = ctypes.c_char.from_buffer(self._memory)
        self._address = address = ctypes.addressof(self._anchor)
        #: For each datagram where its bytes begin, where its name begins and ends, and where control messages begin.
        self._places: list[tuple[int, int, int, int]] = []
        for index in range(MAX_BATCH):
            name, control, datagram = names + index * _NAME, controls + index * _CONTROL, datagrams + index * size
            self._places.append((datagram, name, name + NAME_SIZES[family], control))
            iovec = iovecs + index * _IOVEC.size
            _IOVEC.pack_into(self._memory, iovec, address + datagram, size)
            _HEADER.pack_into(
                *(self._memory, index * _HEADER.size, address + name, _NAME, address + iovec, 1),
                *(address + control, _CONTROL, 0, 0),
            )
        self._headers = self._memory[:iovecs]
        view = memoryview(self._memory)[:iovecs]
        #: For each datagram how many bytes came, and how many of control messages.
        self._lengths = view.cast("I")[_LENGTH_AT // 4 :: _HEADER.size // 4]
        self._controlLengths = view.cast(_SIZE_T)[_CONTROL_AT // _WORD :: _HEADER.size // _WORD]

    def receive(self, descriptor: int, most: int) -> list[tuple[bytes, bytes, bytes]]:
        """
        Receive what has come, and wait for nothing.

        @return: for each datagram its bytes, the source as a struct sockaddr, and the control messages.
        @raise OSError: L{BlockingIOError} when nothing has come.
        """
        assert recvmmsg is not None
        memory = self._memory
        # The kernel has written into the headers of the last call.
        memory[: len(self._headers)] = self._headers
        count = recvmmsg(descriptor, self._address, min(most, MAX_BATCH), socket.MSG_DONTWAIT, None)
        if count < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        lengths, controls = self._lengths[:count].tolist(), self._controlLengths[:count].tolist()
        return [
            (memory[datagram : datagram + length], memory[name:nameEnd], memory[control : control + controlLength])
            for (datagram, name, nameEnd, control), length, controlLength in zip(
                self._places, lengths, controls, strict=False
            )
        ]


def controlMessages(control: bytes) -> list[tuple[int, int, bytes]]:
    """
    Control messages as C{socket.recvmsg} has them: level, kind and bytes of each.
    """
    messages = []
    while len(control) >= _MESSAGE.size:
        length, level, kind = _MESSAGE.unpack_from(control)
        messages.append((level, kind, control[_MESSAGE.size : length]))
        control = control[max(-(-length // _WORD) * _WORD, _MESSAGE.size) :]
    return messages
