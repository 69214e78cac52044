"""
What ports over an opened socket have in common.
"""

from __future__ import annotations

import os
import socket
from typing import Any, Literal

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IAddress, IListeningPort, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from sockservices.text.addresses import addressText
from sockservices.transports.reactor import Reactor
from sockservices.transports.sockets import BoundSocket

__all__ = ["ListeningPort"]

log = Logger("sockservices")


@implementer(IListeningPort, IReadDescriptor)
class ListeningPort:
    """
    A socket that a reactor reads, from C{startListening} to C{stopListening}.

    Unlike Twisted's own ports it takes the socket as it finds it: an inherited one keeps its mode, its path, and its
    other holders. It is read once more before it is closed: what has come is served.

    @ivar connected: whether it is being read.
    """

    connected = False
    _stopping = False

    def __init__(self, bound: BoundSocket, factoryOrProtocol: Any, reactor: Reactor) -> None:
        """
        @param factoryOrProtocol: the factory of connections, or the protocol of datagrams.
        """
        self.socket = bound.socket
        self.reactor = reactor
        self._bound = bound
        #: The address family: the socket makes an Enum's member of it each time.
        self.family = bound.socket.family
        self._factoryOrProtocol = factoryOrProtocol

    def fileno(self) -> int:
        """
        The descriptor of the socket, -1 once it is closed.
        """
        return self.socket.fileno()

    def logPrefix(self) -> str:
        """
        What a line in the log begins with.
        """
        return type(self._factoryOrProtocol).__name__

    def getHost(self) -> IAddress:
        """
        The address that is listened on.
        """
        return self.address(self.socket.getsockname())

    def address(self, name: Any) -> IAddress:
        """
        A socket's name as an address.
        """
        if self.family == socket.AF_UNIX:
            return UNIXAddress(os.fsencode(name) if name else None)
        kind: Literal["TCP", "UDP"] = "TCP" if self._bound.stream else "UDP"
        if self.family == socket.AF_INET6:
            return IPv6Address(kind, *name)
        return IPv4Address(kind, *name)

    def startListening(self) -> None:
        """
        Begin to read.
        """
        self.connected = True
        self.reactor.addReader(self)

    def doRead(self) -> None:
        """
        Serve what has come, as far as one turn of the reactor goes.
        """
        raise NotImplementedError

    def stopListening(self) -> Deferred[None]:
        """
        Serve what has come, and then close the socket.

        @return: fires when it is closed.
        """
        if self.connected and not self._stopping:
            # What is served now may stop the port as well.
            self._stopping = True
            try:
                self.lastRead()
            finally:
                self._close()
        return succeed(None)

    def _close(self) -> None:
        self.connected = False
        self.reactor.removeReader(self)
        self._bound.close()
        self._factoryOrProtocol.doStop()

    def lastRead(self) -> None:
        """
        Serve all that has come.
        """
        self.doRead()

    def connectionLost(self, reason: Failure) -> None:
        """
        The reactor lets go of its readers, or the socket is broken: another holder of an inherited one may do that.
        """
        if self.connected:
            if not reason.check(ConnectionLost):
                log.error(
                    "{port} is listened on no more: {error}", port=addressText(self.getHost()), error=reason.value
                )
            self._stopping = True
            self._close()
