"""
A port that accepts TCP and Unix-stream connections.
"""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocol, IProtocolFactory
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from sockservices.text.addresses import addressText
from sockservices.text.exceptions import exceptionText
from sockservices.text.log_interval import LogInterval
from sockservices.transports.connection import Connection
from sockservices.transports.listening_port import ListeningPort
from sockservices.transports.poll_group import PollGroup
from sockservices.transports.reactor import Reactor
from sockservices.transports.shared_sockets import watchInTurn
from sockservices.transports.sockets import BoundSocket
from sockservices.transports.unix_connection import UnixConnection

__all__ = ["StreamPort"]

log = Logger("sockservices")

#: Maximum number of connections accepted in one turn of the reactor, so that a flood of connections does not delay the
#: open ones.
ACCEPTS_PER_TURN = 64

#: Errors of accept(2) that concern one connection: it was lost in the queue, or a firewall forbids it. The next call
#: may succeed. After other errors, such as EMFILE, the connection stays in the queue, and an immediate retry also
#: fails.
TRANSIENT_ERRORS = frozenset(
    {
        errno.ECONNABORTED,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EINTR,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENOPROTOOPT,
        errno.EOPNOTSUPP,
        errno.EPERM,
        errno.EPROTO,
    }
)

#: Connections by which a process may exceed its share, and the most that it accepts from a shared socket in one turn of
#: the reactor.
MAX_EXCESS = 4

#: Seconds for which a process above that accepts no connections.
SHARED_ACCEPT_DELAY = 0.002

#: Seconds from any other error of accept(2) to the next attempt.
ACCEPT_RETRY_DELAY = 0.1


class PlainUnixConnection(unix.Server):
    """
    A Unix-stream connection that is read with recv(2), so that the kernel drops the descriptors that the peer sends.
    Twisted's own class reads with recvmsg(2); it receives, logs and closes each descriptor.
    """

    doRead = tcp.Server.doRead  # type: ignore[assignment]


class StreamPort(ListeningPort):
    """
    Accepts connections for a factory. Where the system has epoll, the connections join a poll group.

    @ivar group: the poll group, if there is one.
    @ivar excess: by how many connections this process exceeds its share, where others accept from the same socket;
        L{None} if it is the only one. Above 1, another process gets the next connection. Above L{MAX_EXCESS}, this one
        accepts none for a short time.
    """

    group: PollGroup | None = None
    excess: Callable[[], float] | None = None

    _realPortNumber = 0  # The repr of Twisted's connections reads it.
    _retryCall: IDelayedCall | None = None

    def __init__(self, bound: BoundSocket, factory: IProtocolFactory, reactor: Reactor, plain: bool = False) -> None:
        """
        @param plain: use Twisted's own transports, each of which the reactor watches itself. Without epoll there is no
            poll group either.
        """
        super().__init__(bound, factory, reactor)
        self.factory = factory
        self._setOobInline = not bound.connectionsInheritOobInline
        self._serial = 0
        self._logInterval = LogInterval()
        if not plain and hasattr(select, "epoll"):
            self.group = PollGroup(reactor)

    def startListening(self) -> None:
        """
        Start accepting connections.
        """
        if self.group is not None:
            self.group.open()
        self.factory.doStart()
        super().startListening()

    def doRead(self) -> None:
        """
        Accept the pending connections, up to L{ACCEPTS_PER_TURN}.
        """
        if self.excess is None:
            self._accept(ACCEPTS_PER_TURN)
            return
        self._accept(MAX_EXCESS)
        excess = self.excess()
        if excess > 1 and self.connected and self._retryCall is None:
            if excess > MAX_EXCESS:
                self._pauseAccepting(SHARED_ACCEPT_DELAY)
            else:
                watchInTurn(self.reactor, self)

    def lastRead(self) -> None:
        """
        Accept all pending connections: the kernel resets them when the socket closes.
        """
        self._accept(socket.SOMAXCONN)

    def stopListening(self) -> Deferred[None]:
        """
        Accept all pending connections, then close the socket.

        @return: fires when the socket is closed.
        """
        stopped = super().stopListening()
        if self._retryCall is not None:
            self._retryCall.cancel()
            self._retryCall = None
        return stopped

    def _accept(self, limit: int) -> None:
        for _ in range(limit):
            try:
                connection, name = self._bound.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in TRANSIENT_ERRORS:
                    continue
                self._acceptFailed(error)
                return
            self._setUpConnection(connection, name)
            if self.socket.fileno() < 0:
                # The protocol of this connection has stopped the port.
                return

    def _setUpConnection(self, connection: socket.socket, name: Any) -> None:
        protocol = transport = None
        try:
            peer = self.address(name)
            protocol = self.factory.buildProtocol(peer)
            if protocol is None:
                connection.close()
                return
            if self._setOobInline:
                # An urgent byte (RFC 6093, unix(7)) stays in its place in the stream.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
            self._serial += 1
            transport = self._makeTransport(connection, protocol, peer, name)
            protocol.makeConnection(transport)
        except Exception as exception:
            self._logException(exception)
            if transport is None:
                connection.close()
            else:
                # The transport is reading already. It must not call a wrapper that has failed in makeConnection (TLS).
                transport.protocol = Protocol()
                transport.abortConnection()
            if protocol is not None:
                # The factory has admitted the connection and counts it until connectionLost.
                with suppress(Exception):
                    protocol.connectionLost(Failure(ConnectionAborted()))

    def _makeTransport(self, connection: socket.socket, protocol: IProtocol, peer: IAddress, name: Any) -> tcp.Server:
        unixStream = self.family == socket.AF_UNIX
        if self.group is not None:
            return (UnixConnection if unixStream else Connection)(connection, protocol, peer, self, self._serial)
        plain: Any = PlainUnixConnection if unixStream else tcp.Server
        transport: tcp.Server = plain(connection, protocol, name, self, self._serial, self.reactor)
        return transport

    def _close(self) -> None:
        super()._close()
        if self.group is not None:
            self.group.retire()

    def _logException(self, exception: Exception) -> None:
        if self._logInterval.allows(type(exception).__name__, self.reactor.seconds()):
            log.error(
                "a connection to {address} failed: {error} (at most one such line in {interval:.0f} s)",
                address=addressText(self.getHost()),
                error=exceptionText(exception),
                interval=self._logInterval.seconds,
            )

    def _acceptFailed(self, error: OSError) -> None:
        self._pauseAccepting(ACCEPT_RETRY_DELAY)
        if self._logInterval.allows(error.errno, self.reactor.seconds()):
            log.warn(
                "cannot accept connections to {address}: {error}",
                address=addressText(self.getHost()),
                error=error.strerror,
            )

    def _pauseAccepting(self, seconds: float) -> None:
        self.reactor.removeReader(self)
        if self._retryCall is None:
            self._retryCall = self.reactor.callLater(seconds, self._resumeAccepting)

    def _resumeAccepting(self) -> None:
        self._retryCall = None
        self._watch()
