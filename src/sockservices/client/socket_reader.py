"""
A datagram socket as the reactor reads from it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["SocketReader"]


@implementer(IReadDescriptor)
class SocketReader:
    """
    Adapts a socket to the reactor's interface for reading.
    """

    def __init__(
        self, watched: socket.socket, onReadable: Callable[[socket.socket], None], onReactorStop: Callable[[], None]
    ) -> None:
        """
        @param onReadable: called with the socket when it has a datagram or an error to read.
        @param onReactorStop: called when the reactor stops.
        """
        self._socket = watched
        self._onReadable = onReadable
        self._onReactorStop = onReactorStop

    def fileno(self) -> int:
        """
        Give the descriptor to the reactor.
        """
        return self._socket.fileno()

    def doRead(self) -> None:
        """
        Report that the socket is readable.
        """
        self._onReadable(self._socket)

    def connectionLost(self, reason: Failure) -> None:
        """
        Report a pending socket error, or that the reactor stops.

        EPOLLERR on a datagram socket is an ICMP error to read. L{EPollReactor<twisted.internet.epollreactor>} treats
        it as the end of a connection.
        """
        if reason.check(ConnectionDone):
            self._onReadable(self._socket)
        else:
            self._onReactorStop()

    def close(self) -> None:
        """
        Close the socket.
        """
        self._socket.close()

    def logPrefix(self) -> str:
        """
        Give the name for the reactor's log.
        """
        return "datagram client"
