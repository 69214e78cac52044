"""
The base class of the ports over a bound socket.
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
from sockservices.transports.shared_sockets import watchInTurn
from sockservices.transports.sockets import BoundSocket

__all__ = ["ListeningPort"]

log = Logger("sockservices")


@implementer(IListeningPort, IReadDescriptor)
class ListeningPort:
    """
    A socket that a reactor reads, from C{startListening} to C{stopListening}.

    Unlike Twisted's own ports, it leaves the mode and the path of an inherited socket unchanged, and does not shut the
    socket down for other processes that hold it. It reads the socket once more before it closes it, so that connections
    and datagrams already in the queue are served.

    @ivar connected: whether the reactor reads the socket.
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
        self.family = bound.family
        self._factoryOrProtocol = factoryOrProtocol

    def fileno(self) -> int:
        """
        The descriptor of the socket; -1 after it has closed.
        """
        return self.socket.fileno()

    def logPrefix(self) -> str:
        """
        The prefix of log lines.
        """
        return type(self._factoryOrProtocol).__name__

    def getHost(self) -> IAddress:
        """
        The local address.
        """
        return self.address(self.socket.getsockname())

    def address(self, name: Any) -> IAddress:
        """
        Convert a socket name to an address.

        @param name: as getsockname(2) and accept(2) return it in Python.
        """
        if self.family == socket.AF_UNIX:
            return UNIXAddress(os.fsencode(name) if name else None)
        kind: Literal["TCP", "UDP"] = "TCP" if self._bound.stream else "UDP"
        if self.family == socket.AF_INET6:
            return IPv6Address(kind, *name)
        return IPv4Address(kind, *name)

    def startListening(self) -> None:
        """
        Start reading.
        """
        self.connected = True
        self._watch()

    def _watch(self) -> None:
        if self._bound.watched:
            self.reactor.addReader(self)
            if self._bound.shared:
                watchInTurn(self.reactor, self)

    def doRead(self) -> None:
        """
        Serve queued connections or datagrams, up to the limit for one turn of the reactor.
        """
        raise NotImplementedError

    def stopListening(self) -> Deferred[None]:
        """
        Serve all queued connections or datagrams, then close the socket.

        @return: fires when the socket is closed.
        """
        if self.connected and not self._stopping:
            # A protocol that is called by lastRead may call stopListening again.
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
        Serve all queued connections or datagrams.
        """
        self.doRead()

    def connectionLost(self, reason: Failure) -> None:
        """
        Close the socket. The reactor calls this when it stops, and when the socket fails: another process
        may shut an inherited socket down.
        """
        if self.connected:
            if not reason.check(ConnectionLost):
                log.error(
                    "stopped listening on {address}: {error}", address=addressText(self.getHost()), error=reason.value
                )
            self._stopping = True
            self._close()
