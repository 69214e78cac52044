"""
TCP transports in a poll group. They call send(2) directly in write().
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet import tcp
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IProtocol
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from zope.interface import implementer

from sockservices.transports.group_member import GroupMember
from sockservices.transports.interfaces import IStreamTransport
from sockservices.transports.lazy_addresses import LazyAddresses
from sockservices.transports.poll_group import REASONS
from sockservices.transports.unacked import unackedBytes, unsentBytes, userspaceBytes

__all__ = ["Connection"]

#: Maximum number of bytes that a connection buffers in user space, including the segment that has just been read.
MAX_BUFFER = 131072

#: Minimum and maximum size of a read in bytes. A connection begins with the minimum; after a read that fills its
#: buffer, the next one is larger. Reads of 128 KiB were a fifth slower than reads of 96 KiB.
MIN_READ, MAX_READ = 4096, 98304


@implementer(IStreamTransport)
class Connection(GroupMember, LazyAddresses, tcp.Server):
    """
    A TCP connection.

    C{write} calls send(2) at once if nothing is buffered: the send buffer usually has space, so that no event of the
    reactor or of epoll is needed. Bytes that the kernel does not accept are buffered as in Twisted's own transports,
    and so are all bytes over TLS. The connection never calls its protocol back re-entrantly, except where Twisted does
    so too: in C{loseConnection} after a half-close.
    """

    identifying = False
    halfCloses = True
    faults = ()
    discardedBytes = 0, 0
    _maxRead = MAX_READ

    #: Slots keep the attributes that each message uses adjacent in memory: a thousand connections exceed the L2 cache.
    __slots__ = (
        *("TLS", "_recv", "_send", "_readSize", "_tempDataLen", "_writeDisconnected", "connected", "dataBuffer"),
        *("producer", "protocol", "streamingProducer"),
    )

    def __init__(self, connection: socket.socket, protocol: IProtocol, peer: IAddress, port: Any, serial: int) -> None:
        """
        @param port: the L{StreamPort<sockservices.transports.stream_port.StreamPort>} that has accepted the connection.
            The connection joins its poll group.
        @param serial: the number of the connection at that port.
        """
        tcp.Connection.__init__(self, connection, protocol, port.reactor)
        self._recv = connection.recv
        self._send: Callable[[bytes], int] = connection.send
        self._group = port.group
        self._peer = peer
        self.server: Any = port
        self.sessionno = serial
        self.TLS = self._writeDisconnected = self.streamingProducer = False
        self.dataBuffer = b""
        self.producer = None
        self._readSize = MIN_READ
        self.connected = 1
        self.startReading()

    userspaceBytes, unackedBytes, unsentBytes = userspaceBytes, unackedBytes, unsentBytes

    def limitBuffers(self, size: int) -> None:
        """
        Read at most C{size} bytes at once, and pause the producer when more are pending in this process.
        """
        self._maxRead = self.bufferSize = size
        self._readSize = min(self._readSize, size)

    def limitReads(self, size: int) -> None:
        """
        Read no more than so many bytes at a time.
        """
        self._maxRead, self._readSize = min(size, self._maxRead), min(size, self._readSize)

    # Reading and writing.

    def doRead(self) -> Any:
        """
        Call recv(2) once. Read no more bytes than the user-space buffer has space for.
        """
        # In CPython 3.11, a call of a local variable is faster than self._recv(), because _recv is a slot.
        recv, size = self._recv, self._readSize
        if self.dataBuffer or self._tempDataLen:
            size = max(MIN_READ, min(size, MAX_BUFFER - userspaceBytes(self)))
        try:
            segment = recv(size)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not segment:
            return CONNECTION_DONE
        length = len(segment)
        if length == size:
            self._readSize = min(self._maxRead, self._readSize * 4)
        elif length * 8 < self._readSize > MIN_READ:
            self._readSize //= 2
        self.protocol.dataReceived(segment)
        return None

    def write(self, data: bytes) -> None:
        """
        Send as many bytes as the kernel accepts now; buffer the others until the send buffer has space.
        """
        if (
            self._tempDataLen
            or self.dataBuffer
            or not self.connected
            or self.TLS
            or self._writeDisconnected
            or type(data) is not bytes
            # A pull producer expects resumeProducing from the reactor when the send buffer has space.
            or (self.producer is not None and not self.streamingProducer)
        ):
            super().write(data)
            return
        send = self._send
        try:
            sent = send(data)
        except OSError:
            # The send buffer is full, or the connection is broken. The poll group reports a broken connection; calling
            # connectionLost here would re-enter the protocol.
            sent = 0
        if sent < len(data):
            super().write(data[sent:])

    def writeSequence(self, iovec: Any) -> None:
        """
        Write the concatenation of byte strings.
        """
        if self.TLS:
            super().writeSequence(iovec)
        else:
            self.write(b"".join(iovec))

    # Closing. If nothing is buffered, closing does not wait for space in the send buffer.

    def _flushed(self) -> bool:
        """
        Whether nothing is buffered, and no producer has more data.
        """
        return (
            not self.TLS
            and not userspaceBytes(self)
            and not self._writeDisconnected
            and (self.producer is None or (self.streamingProducer and not self.producerPaused))
        )

    def loseWriteConnection(self) -> None:
        """
        Send all buffered bytes, then a FIN.
        """
        if not self.connected:
            return
        if self._flushed():
            self._writeDisconnecting = True
            self._group.callAfterDispatch(self._halfClose)
        else:
            super().loseWriteConnection()

    def _halfClose(self) -> None:
        if self.connected and not (self.disconnecting or self._writeDisconnected or self._aborting):
            if self._flushed():
                self._writeDisconnected = True
                # Twisted calls shutdown(2) again when the connection closes, unless this is false.
                self._shouldShutdown = False
                self._closeWriteConnection()
            else:
                self.startWriting()

    def loseConnection(self) -> None:
        """
        Send all buffered bytes, then close.
        """
        if self.TLS or not self.connected or self.disconnecting:
            super().loseConnection()
        elif self._writeDisconnected:
            self.connectionLost(REASONS[ConnectionDone])
        elif self._flushed():
            self.disconnecting = 1
            self.stopReading()
            self._group.callAfterDispatch(self._close)
        else:
            super().loseConnection()

    def startTLS(self, ctx: Any, normal: bool = True) -> None:
        """
        Start TLS on this connection. Twisted's TLS has no half-close.
        """
        super().startTLS(ctx, normal)
        self.halfCloses = False

    def abortConnection(self) -> None:
        """
        Reset the connection. Buffered bytes, and bytes that are written from now on, are lost.
        """
        super().abortConnection()
        # As a sender, len discards the bytes and returns their number, as send(2) does.
        self._send = len

    def _close(self) -> None:
        if self.connected and not self._aborting:
            if self._flushed():
                self.connectionLost(REASONS[ConnectionDone])
            else:
                self.startWriting()
