"""
Sends several datagrams with one system call, sendmmsg(2), on Linux.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from array import array
from collections.abc import Callable, Sequence
from itertools import accumulate

from sockservices.transports.mmsghdr import HEADER, IOVEC, MAX_BATCH, NAME_SIZES, systemCall

__all__ = ["BatchSender", "sendmmsg"]

#: The offset of the length of the control messages in a struct mmsghdr.
_CONTROL_LENGTH_OFFSET = struct.calcsize("@PIPNP0L")

#: Bytes reserved for the control messages of each message: a struct in6_pktinfo, and UDP_SEGMENT.
_CONTROL_SPACE = 64

#: Bytes reserved for each datagram. A datagram over IPv6 has up to 65527 bytes.
_MAX_DATAGRAM = 65536

#: The size in bytes of an unsigned long, which is that of a pointer and of a size_t on Linux.
_LONG = struct.calcsize("L")

sendmmsg = systemCall("sendmmsg", ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)


class BatchSender:
    """
    Sends datagrams with sendmmsg(2). It fills the structures with one operation for all datagrams: operations for each
    one would cost more than the system calls that sendmmsg(2) saves.

    @cvar minMessages: fewer messages cost less with a system call each, because filling the structures takes as long as
        several calls.
    """

    minMessages = 8

    def __init__(self, family: int) -> None:
        iovecs = MAX_BATCH * HEADER.size
        self._names = names = iovecs + MAX_BATCH * IOVEC.size
        self._controls = controls = names + MAX_BATCH * NAME_SIZES[family]
        self._content = controls + MAX_BATCH * _CONTROL_SPACE
        # Pages that no datagram has filled use no memory.
        self._memory = mmap.mmap(-1, self._content + MAX_BATCH * _MAX_DATAGRAM)
        self._anchor = ctypes.c_char.from_buffer(self._memory)
        self._address = address = ctypes.addressof(self._anchor)
        for index in range(MAX_BATCH):
            HEADER.pack_into(
                *(self._memory, index * HEADER.size, address + names + index * NAME_SIZES[family], NAME_SIZES[family]),
                *(address + iovecs + index * IOVEC.size, 1, address + controls + index * _CONTROL_SPACE, 0, 0, 0),
            )
        self._controlled = 0  # how many headers may have control messages
        view = memoryview(self._memory)
        self._controlLengths = view[:iovecs].cast("L")[_CONTROL_LENGTH_OFFSET // _LONG :: HEADER.size // _LONG]
        self._bases, self._lengths = (view[iovecs:names].cast("L")[each::2] for each in (0, 1))

    def send(
        self,
        descriptor: int,
        names: Sequence[bytes],
        controls: Sequence[bytes],
        datagrams: Sequence[bytes],
        refused: Callable[[int, OSError], object],
    ) -> None:
        """
        Send datagrams, in this order.

        @param names: the destination of each as a struct sockaddr; at most L{MAX_BATCH}.
        @param controls: the control messages of each; at most 64 bytes.
        @param datagrams: the bytes of each. With UDP_SEGMENT among the control messages, a buffer has several.
        @param refused: called with the index and the error of each that the kernel refuses, before the next is sent.
        @raise TypeError: for a datagram that is not bytes. None is sent.
        @raise IndexError: for datagrams that are longer than any network allows. None is sent.
        """
        count, memory = len(names), self._memory
        joinedNames = b"".join(names)
        memory[self._names : self._names + len(joinedNames)] = joinedNames
        content = b"".join(datagrams)
        memory[self._content : self._content + len(content)] = content
        lengths = array("L", map(len, datagrams))
        bases = array("L", accumulate(lengths, initial=self._address + self._content))
        self._bases[:count], self._lengths[:count] = memoryview(bases)[:count], memoryview(lengths)
        if self._controlled:
            self._controlLengths[: self._controlled] = memoryview(array("L", bytes(_LONG * self._controlled)))
            self._controlled = 0
        if any(controls):
            self._controlLengths[:count] = memoryview(array("L", map(len, controls)))
            self._controlled = count
            padded = b"".join([control.ljust(_CONTROL_SPACE, b"\0") for control in controls])
            memory[self._controls : self._controls + len(padded)] = padded
        self._send(descriptor, count, refused)

    def _send(self, descriptor: int, count: int, refused: Callable[[int, OSError], object]) -> None:
        assert sendmmsg is not None
        index = 0
        while index < count:
            # The call ends at the first message that the kernel refuses. Its error is that of the first message only.
            sent = sendmmsg(descriptor, self._address + index * HEADER.size, count - index, 0)
            if sent < 0:
                number = ctypes.get_errno()
                refused(index, OSError(number, os.strerror(number)))
            index += max(sent, 1)
