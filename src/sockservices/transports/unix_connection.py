"""
Unix-stream transports that write at once, in a poll group.
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
    A Unix-stream connection. Descriptors can be sent. For a protocol that does not take any, the kernel drops those
    that the peer sends, which costs less than to receive and close them one by one.
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
        Write; buffered when descriptors go along.
        """
        if self._sendmsgQueue:
            unix.Server.write(self, data)
        else:
            super().write(data)
