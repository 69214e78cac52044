"""
Stream transports that write at once, in a poll group.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IFileDescriptorReceiver, IProtocol
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST

from sockservices.transports.poll_group import REASONS, PollGroup
from sockservices.transports.unacked import held

__all__ = ["Connection", "UnixConnection"]

#: The most bytes that a connection holds in user space, those that have just been read included.
MOST = 131072

#: Bytes that are read at a time at first, and at least: more when it turns out that more is there. Reads of all that
#: may be held were slower again, by a fifth.
LEAST, LARGEST = 4096, 98304


class Connection(tcp.Server):
    """
    A TCP connection.

    What is written goes to the kernel at once, when nothing waits: most often there is room, and neither the reactor
    nor the kernel has to be asked to tell when there is. What the kernel does not take waits as in any transport of
    Twisted, and so does everything over TLS. The protocol is told of no end from within one of its own calls, but where
    Twisted does that, too: when it closes what it has half-closed before.
    """

    #: What every message asks for lies together: a thousand connections do not fit into the nearest caches.
    __slots__ = (
        *("TLS", "_recv", "_send", "_size", "_tempDataLen", "_writeDisconnected", "connected", "dataBuffer"),
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
        self._size = LEAST
        self.connected = 1
        self.startReading()

    # Names and addresses, made when somebody asks.

    @property
    def hostname(self) -> Any:  # type: ignore[override]
        """
        The peer's IP address, or the name of its Unix socket.
        """
        return getattr(self._peer, "host", None) or getattr(self._peer, "name", None)

    def getPeer(self) -> Any:
        """
        The peer's address.
        """
        return self._peer

    def getHost(self) -> Any:
        """
        The address that the peer has called.
        """
        return self.server.address(self.socket.getsockname())

    def logPrefix(self) -> str:
        """
        What a line in the log begins with.
        """
        return f"{self._getLogPrefix(getattr(self, 'protocol', None))},{self.sessionno},{self.hostname}"

    def __repr__(self) -> str:
        protocol = getattr(self, "protocol", None)
        return f"<{type(protocol).__name__} #{self.sessionno} of {self._peer}>"

    # Who is told when there is something to read, or room to write.

    def startReading(self) -> None:
        """
        Be told of input.
        """
        self._group.addReader(self)

    def stopReading(self) -> None:
        """
        Be told of it no more.
        """
        self._group.removeReader(self)

    def startWriting(self) -> None:
        """
        Be told of room for output.
        """
        self._group.addWriter(self)

    def stopWriting(self) -> None:
        """
        Be told of it no more.
        """
        self._group.removeWriter(self)

    # The way of a byte.

    def doRead(self) -> Any:
        """
        Read once: no more than may be held, less what is held already. When a read was filled, the next one is larger.
        """
        # What is called is got first: so the interpreter finds a slot sooner than by self._recv().
        recv, size = self._recv, self._size
        if self.dataBuffer or self._tempDataLen:
            size = max(LEAST, min(size, MOST - held(self)))
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
            self._size = min(LARGEST, self._size * 4)
        elif length * 8 < self._size > LEAST:
            self._size //= 2
        self.protocol.dataReceived(segment)
        return None

    def write(self, data: bytes) -> None:
        """
        Write: at once, as far as the kernel takes it.
        """
        if (
            self._tempDataLen
            or self.dataBuffer
            or not self.connected
            or self.TLS
            or self._writeDisconnected
            or type(data) is not bytes
            # One that is to be pulled is asked for more when the reactor has found room.
            or (self.producer is not None and not self.streamingProducer)
        ):
            super().write(data)
            return
        send = self._send
        try:
            sent = send(data)
        except OSError:
            # No room, or the connection is broken: that is found by the group, and not told in the midst of this.
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

    # The ways out. With nothing to write there is no need to wait for room.

    def _idle(self) -> bool:
        """
        Whether all is written, and nobody is to be asked for more.
        """
        return (
            not self.TLS
            and not held(self)
            and not self._writeDisconnected
            and (self.producer is None or (self.streamingProducer and not self.producerPaused))
        )

    def loseWriteConnection(self) -> None:
        """
        Write what waits, then half-close.
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
                # There is nothing left for a second shutdown(2) to do, when it is closed.
                self._shouldShutdown = False
                self._closeWriteConnection()
            else:
                self.startWriting()

    def loseConnection(self) -> None:
        """
        Write what waits, then close.
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

    def abortConnection(self) -> None:
        """
        Reset, whatever waits. What is still written is lost with it.
        """
        super().abortConnection()
        self._send = len

    def _close(self) -> None:
        if self.connected and not self._aborting:
            if self._idle():
                self.connectionLost(REASONS[ConnectionDone])
            else:
                self.startWriting()


class UnixConnection(Connection, unix.Server):
    """
    A Unix-stream connection. Descriptors can be sent; for a protocol that does not want any, they are not received but
    left to the kernel to drop, which costs less than to close them one by one.
    """

    def __init__(self, connection: socket.socket, protocol: IProtocol, peer: IAddress, port: Any, serial: int) -> None:
        self._sendmsgQueue: list[int] = []
        self._receives = IFileDescriptorReceiver.providedBy(protocol)
        super().__init__(connection, protocol, peer, port, serial)

    def doRead(self) -> Any:
        """
        Read once.
        """
        return unix.Server.doRead(self) if self._receives else super().doRead()

    def write(self, data: bytes) -> None:
        """
        Write; not at once when descriptors are to go along.
        """
        if self._sendmsgQueue:
            unix.Server.write(self, data)
        else:
            super().write(data)
