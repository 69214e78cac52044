"""
Receives several datagrams with one system call, recvmmsg(2), on Linux.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import struct

from sockservices.transports.mmsghdr import HEADER, IOVEC, MAX_BATCH, NAME_SIZES, systemCall
from sockservices.transports.pktinfo import ANCILLARY_SIZE

__all__ = ["BatchReceiver", "recvmmsg"]

#: Offsets in a struct mmsghdr.
_CONTROL_LENGTH_OFFSET, _LENGTH_OFFSET = struct.calcsize("@PIPNP0L"), struct.calcsize("@PIPNPNi0P")

#: Bytes reserved for the source address of each datagram.
_NAME_SPACE = 32

#: The size in bytes of an unsigned long, which is that of a size_t on Linux.
_LONG = struct.calcsize("L")

recvmmsg = systemCall("recvmmsg", ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)


class BatchReceiver:
    """
    Receives datagrams with recvmmsg(2) into buffers that it reuses. Pages that no datagram has filled use no memory.
    The kernel truncates datagrams that are longer than C{size}, in bytes.
    """

    def __init__(self, family: int, size: int) -> None:
        iovecs = MAX_BATCH * HEADER.size
        names = iovecs + MAX_BATCH * IOVEC.size
        datagrams = names + MAX_BATCH * (_NAME_SPACE + ANCILLARY_SIZE)
        self._memory = mmap.mmap(-1, datagrams + MAX_BATCH * size)
        self._anchor = ctypes.c_char.from_buffer(self._memory)
        self._address = address = ctypes.addressof(self._anchor)
        #: For each datagram the offsets of its bytes, of its name, and of its control messages, which follow the name.
        self._offsets: list[tuple[int, int, int]] = []
        for index in range(MAX_BATCH):
            control = names + index * (_NAME_SPACE + ANCILLARY_SIZE) + _NAME_SPACE
            name, datagram = control - NAME_SIZES[family], datagrams + index * size
            self._offsets.append((datagram, name, control))
            iovec = iovecs + index * IOVEC.size
            IOVEC.pack_into(self._memory, iovec, address + datagram, size)
            HEADER.pack_into(
                *(self._memory, index * HEADER.size, address + name, NAME_SIZES[family], address + iovec, 1),
                *(address + control, ANCILLARY_SIZE, 0, 0),
            )
        self._headers = memoryview(self._memory[:iovecs])
        self._used = 0  # how many headers the last call has overwritten
        view = memoryview(self._memory)[:iovecs]
        #: For each datagram the length of its bytes, and of its control messages.
        self._lengths = view.cast("I")[_LENGTH_OFFSET // 4 :: HEADER.size // 4]
        self._controlLengths = view.cast("L")[_CONTROL_LENGTH_OFFSET // _LONG :: HEADER.size // _LONG]

    def receive(self, descriptor: int, limit: int) -> list[tuple[bytes, bytes]]:
        """
        Receive queued datagrams without blocking.

        @param limit: the maximum number of datagrams; L{MAX_BATCH} if this is higher.
        @return: for each datagram its bytes, and its source as a struct sockaddr, followed by its control messages.
        @raise OSError: L{BlockingIOError} when the queue is empty.
        """
        assert recvmmsg is not None
        memory = self._memory
        # Restore the lengths and flags that the kernel overwrote in the last call.
        used = self._used * HEADER.size
        memory[:used] = self._headers[:used]
        self._used = count = recvmmsg(descriptor, self._address, min(limit, MAX_BATCH), socket.MSG_DONTWAIT, None)
        if count < 0:
            # The kernel may have written to the first header before it failed.
            self._used = 1
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        lengths, controls = self._lengths[:count].tolist(), self._controlLengths[:count].tolist()
        return [
            (memory[datagram : datagram + length], memory[name : control + controlLength])
            for (datagram, name, control), length, controlLength in zip(self._offsets, lengths, controls, strict=False)
        ]
