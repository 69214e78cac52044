"""
Stream transports that write at once, in a poll group.
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

from sockservices.transports.interfaces import IStreamTransport
from sockservices.transports.lazy_addresses import LazyAddresses
from sockservices.transports.poll_group import REASONS, PollGroup
from sockservices.transports.unacked import unackedBytes, userspaceBytes

__all__ = ["Connection"]

#: The most bytes that a connection buffers in user space, those that have just been read included.
MAX_BUFFER = 131072

#: The sizes of reads in bytes. A connection begins with the smallest; a read that is filled makes the next one larger.
#: Reads of 128 KiB were a fifth slower than reads of 96 KiB.
MIN_READ, MAX_READ = 4096, 98304


@implementer(IStreamTransport)
class Connection(LazyAddresses, tcp.Server):
    """
    A TCP connection.

    C{write} calls send(2) at once if nothing is buffered: the kernel has room most of the time, so neither the reactor
    nor epoll is needed. What the kernel does not take is buffered as in Twisted's own transports, and so is everything
    over TLS. The connection never calls its protocol back re-entrantly, except where Twisted does so too: in
    C{loseConnection} after a half-close.
    """

    identifying = False
    halfCloses = True

    #: In slots, so that what each message uses lies together: a thousand connections do not fit into the L2 cache.
    __slots__ = (
        *("TLS", "_recv", "_send", "_readSize", "_tempDataLen", "_writeDisconnected", "connected", "dataBuffer"),
        *("producer", "protocol", "streamingProducer"),
    )

    def __init__(self, connection: socket.socket, protocol: IProtocol, peer: IAddress, port: Any, serial: int) -> None:
        """
        @param port: the L{StreamPort<sockservices.transports.stream_port.StreamPort>} that has accepted it, and whose
            group it joins.
        """
        tcp.Connection.__init__(self, connection, protocol, port.reactor)
        self._recv = connection.recv
        self._send: Callable[[bytes], int] = connection.send
        self._group: PollGroup = port.group
        self._peer = peer
        self.server: Any = port
        self.sessionno = serial
        self.TLS = self._writeDisconnected = self.streamingProducer = False
        self.dataBuffer = b""
        self.producer = None
        self._readSize = MIN_READ
        self.connected = 1
        self.startReading()

    def userspaceBytes(self) -> int:
        """
        How many bytes are pending in this process.
        """
        return userspaceBytes(self)

    def unackedBytes(self) -> int:
        """
        How many bytes are pending in this process, or not acknowledged by the peer's kernel.
        """
        return unackedBytes(self)

    # Reading and writing are watched by the poll group.

    def startReading(self) -> None:
        """
        Watch for input.
        """
        self._group.addReader(self)

    def stopReading(self) -> None:
        """
        Watch for input no more.
        """
        self._group.removeReader(self)

    def startWriting(self) -> None:
        """
        Watch for room for output.
        """
        self._group.addWriter(self)

    def stopWriting(self) -> None:
        """
        Watch for room for output no more.
        """
        self._group.removeWriter(self)

    # The way of a byte.

    def doRead(self) -> Any:
        """
        Read once: at most what the buffer has room for.
        """
        # CPython 3.11 loads a slot and then calls it faster than it calls self._recv().
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
            self._readSize = min(MAX_READ, self._readSize * 4)
        elif length * 8 < self._readSize > MIN_READ:
            self._readSize //= 2
        self.protocol.dataReceived(segment)
        return None

    def write(self, data: bytes) -> None:
        """
        Write: at once what the kernel takes, the rest when it has room.
        """
        if (
            self._tempDataLen
            or self.dataBuffer
            or not self.connected
            or self.TLS
            or self._writeDisconnected
            or type(data) is not bytes
            # A pull producer is resumed by the reactor, when it finds room.
            or (self.producer is not None and not self.streamingProducer)
        ):
            super().write(data)
            return
        send = self._send
        try:
            sent = send(data)
        except OSError:
            # No room, or the connection is broken. The poll group finds a broken one; here the protocol is running.
            sent = 0
        if sent < len(data):
            super().write(data[sent:])

    def writeSequence(self, iovec: Any) -> None:
        """
        Write all of these.
        """
        if self.TLS:
            super().writeSequence(iovec)
        else:
            self.write(b"".join(iovec))

    # The ways out. With nothing buffered there is no need to wait for room.

    def _idle(self) -> bool:
        """
        Whether all is written, and no producer has more.
        """
        return (
            not self.TLS
            and not userspaceBytes(self)
            and not self._writeDisconnected
            and (self.producer is None or (self.streamingProducer and not self.producerPaused))
        )

    def loseWriteConnection(self) -> None:
        """
        Send what is buffered, then a FIN.
        """
        if not self.connected:
            return
        if self._idle():
            self._writeDisconnecting = True
            self._group.callAfterDispatch(self._halfClose)
        else:
            super().loseWriteConnection()

    def _halfClose(self) -> None:
        if self.connected and not (self.disconnecting or self._writeDisconnected or self._aborting):
            if self._idle():
                self._writeDisconnected = True
                # When it is closed, a second shutdown(2) would have nothing left to do.
                self._shouldShutdown = False
                self._closeWriteConnection()
            else:
                self.startWriting()

    def loseConnection(self) -> None:
        """
        Send what is buffered, then close.
        """
        if self.TLS or not self.connected or self.disconnecting:
            super().loseConnection()
        elif self._writeDisconnected:
            self.connectionLost(REASONS[ConnectionDone])
        elif self._idle():
            self.disconnecting = 1
            self.stopReading()
            self._group.callAfterDispatch(self._close)
        else:
            super().loseConnection()

    def startTLS(self, ctx: Any, normal: bool = True) -> None:
        """
        Go on over TLS, which has no half-close.
        """
        super().startTLS(ctx, normal)
        self.halfCloses = False

    def abortConnection(self) -> None:
        """
        Reset. What is buffered, and what is written from now on, is lost.
        """
        super().abortConnection()
        self._send = len

    def _close(self) -> None:
        if self.connected and not self._aborting:
            if self._idle():
                self.connectionLost(REASONS[ConnectionDone])
            else:
                self.startWriting()
