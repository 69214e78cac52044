"""
Sends several datagrams with one system call, sendmmsg(2), on Linux.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from array import array
from collections.abc import Sequence
from itertools import accumulate

from sockservices.transports.mmsghdr import HEADER, IOVEC, MAX_BATCH, NAME_SIZES, systemCall

__all__ = ["BatchSender", "sendmmsg"]

#: The offset of the length of the control messages in a struct mmsghdr.
_CONTROL_LENGTH_OFFSET = struct.calcsize("@PIPNP0L")

#: Bytes reserved for the control messages of each message: a struct in6_pktinfo, and UDP_SEGMENT.
_CONTROL_SPACE = 64

#: The size in bytes of an unsigned long, which is that of a pointer and of a size_t on Linux.
_LONG = struct.calcsize("L")

sendmmsg = systemCall("sendmmsg", ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)


class BatchSender:
    """
    Sends datagrams with sendmmsg(2). It fills the structures with one operation for all datagrams: operations for each
    one would cost more than the system calls that sendmmsg(2) saves.
    """

    def __init__(self, family: int) -> None:
        """
        @param family: the address family of the socket.
        """
        iovecs = MAX_BATCH * HEADER.size
        self._names = names = iovecs + MAX_BATCH * IOVEC.size
        self._controls = controls = names + MAX_BATCH * NAME_SIZES[family]
        self._memory = mmap.mmap(-1, controls + MAX_BATCH * _CONTROL_SPACE)
        self._anchor = ctypes.c_char.from_buffer(self._memory)
        self._address = address = ctypes.addressof(self._anchor)
        for index in range(MAX_BATCH):
            HEADER.pack_into(
                *(self._memory, index * HEADER.size, address + names + index * NAME_SIZES[family], NAME_SIZES[family]),
                *(address + iovecs + index * IOVEC.size, 1, address + controls + index * _CONTROL_SPACE, 0, 0, 0),
            )
        view = memoryview(self._memory)
        self._controlLengths = view[:iovecs].cast("L")[_CONTROL_LENGTH_OFFSET // _LONG :: HEADER.size // _LONG]
        self._bases, self._lengths = (view[iovecs:names].cast("L")[each::2] for each in (0, 1))

    def send(
        self, descriptor: int, names: Sequence[bytes], controls: Sequence[bytes], datagrams: Sequence[bytes]
    ) -> dict[int, OSError]:
        """
        Send datagrams, in this order.

        @param descriptor: the descriptor of the socket.
        @param names: the destination of each as a struct sockaddr; at most L{MAX_BATCH}.
        @param controls: the control messages of each; at most 64 bytes.
        @param datagrams: the bytes of each. With UDP_SEGMENT among its control messages, one stands for several.
        @return: by index, the errors of those that the kernel has refused.
        """
        assert sendmmsg is not None
        count, memory = len(names), self._memory
        joinedNames = b"".join(names)
        memory[self._names : self._names + len(joinedNames)] = joinedNames
        controlLengths = array("L", map(len, controls))
        self._controlLengths[:count] = memoryview(controlLengths)
        if any(controlLengths):
            padded = b"".join([control.ljust(_CONTROL_SPACE, b"\0") for control in controls])
            memory[self._controls : self._controls + len(padded)] = padded
        # One more byte, because an empty buffer has no address.
        content = bytearray().join((*datagrams, b"\0"))
        anchor = ctypes.c_char.from_buffer(content)
        lengths = array("L", map(len, datagrams))
        bases = array("L", accumulate(lengths, initial=ctypes.addressof(anchor)))
        self._bases[:count], self._lengths[:count] = memoryview(bases)[:count], memoryview(lengths)
        return self._send(descriptor, count)

    def _send(self, descriptor: int, count: int) -> dict[int, OSError]:
        assert sendmmsg is not None
        errors: dict[int, OSError] = {}
        index = 0
        while index < count:
            # The call ends at the first message that the kernel refuses. Its error is that of the first message only.
            sent = sendmmsg(descriptor, self._address + index * HEADER.size, count - index, 0)
            if sent < 0:
                number = ctypes.get_errno()
                errors[index] = OSError(number, os.strerror(number))
            index += max(sent, 1)
        return errors
