"""
Unix-stream transports in a poll group. They call send(2) directly in write().
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import unix
from twisted.internet.interfaces import IAddress, IFileDescriptorReceiver, IProtocol

from sockservices.transports.connection import Connection

__all__ = ["UnixConnection"]


class UnixConnection(Connection, unix.Server):
    """
    A Unix-stream connection that can send descriptors. It receives them only for a protocol that provides
    L{IFileDescriptorReceiver}. Otherwise it reads with recv(2) and the kernel drops them, which costs less than
    receiving and closing each.
    """

    def __init__(self, connection: socket.socket, protocol: IProtocol, peer: IAddress, port: Any, serial: int) -> None:
        self._sendmsgQueue: list[int] = []
        self._receives = IFileDescriptorReceiver.providedBy(protocol)
        super().__init__(connection, protocol, peer, port, serial)

    def doRead(self) -> Any:
        """
        Read one segment, with its descriptors if the protocol receives them.
        """
        return unix.Server.doRead(self) if self._receives else super().doRead()

    def write(self, data: bytes) -> None:
        """
        Write data. If descriptors are queued, buffer the data, so that both are sent together.
        """
        if self._sendmsgQueue:
            unix.Server.write(self, data)
        else:
            super().write(data)
