"""
A port over a datagram socket: UDP, and Unix datagrams.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import AbstractDatagramProtocol
from twisted.logger import Logger
from zope.interface import implementer

from sockservices.text.exceptions import exceptionText
from sockservices.transports.interfaces import IReplyRoute, IRequestProtocol
from sockservices.transports.listening_port import ListeningPort
from sockservices.transports.pktinfo import (
    ANCILLARY_SIZE,
    IP_PKTINFO,
    Pktinfo,
    destinationOf,
    fixedDestination,
    peerName,
)
from sockservices.transports.reactor import Reactor
from sockservices.transports.reply_route import SEND_ERRORS
from sockservices.transports.sockets import BoundSocket

__all__ = ["DatagramPort", "PortRoute", "UDPPort"]

log = Logger("sockservices")

#: Datagrams read in one turn of the reactor, counted one by one: empty ones are cheap to send too.
DATAGRAMS_PER_TURN = 64

#: Datagrams that may wait in the kernel when the port is stopped, at most.
MAX_QUEUED = 4096


@implementer(IReplyRoute)
class PortRoute:
    """
    The way back to the source of a datagram, by the port that received it.

    @ivar pktinfo: the control message by which the reply leaves from the address that was asked, if one is needed.
    """

    __slots__ = ("_port", "destination", "peer", "pktinfo")

    def __init__(self, port: Any, peer: Any, destination: str | None = None, pktinfo: Pktinfo = None) -> None:
        self._port = port
        self.peer, self.destination, self.pktinfo = peer, destination, pktinfo

    def send(self, datagram: bytes, token: object) -> None:
        """
        Send a reply.
        """
        self._port.reply(self, datagram, token)


class DatagramPort(ListeningPort):
    """
    Reads datagrams for a protocol and writes its replies. No error of a call on the socket closes the port.

    A protocol that provides L{IRequestProtocol} replies by a route; any other by L{write}.

    @ivar maxPacketSize: the bytes of a datagram that are read; a protocol may set it when it is started.
    @ivar errors: how many reads have failed.
    """

    maxPacketSize = 65536
    errors = 0
    _route: Any = None

    def __init__(self, bound: BoundSocket, protocol: AbstractDatagramProtocol, reactor: Reactor) -> None:
        super().__init__(bound, protocol, reactor)
        self.protocol: Any = protocol
        self._requestReceived = (
            protocol.requestReceived if IRequestProtocol.providedBy(protocol) else self._datagramReceived
        )

    def startListening(self) -> None:
        """
        Begin to receive.
        """
        self.protocol.makeConnection(self)
        super().startListening()

    def doRead(self) -> None:
        """
        Receive what waits, as far as one turn of the reactor goes.
        """
        self._read(DATAGRAMS_PER_TURN)

    def lastRead(self) -> None:
        """
        Receive all that waits, and no flood that goes on.
        """
        self._read(MAX_QUEUED)

    def _read(self, limit: int) -> None:
        for _ in range(limit):
            if not self.connected:
                break
            try:
                datagram, route = self._receive()
            except BlockingIOError:
                break
            except OSError:
                # The network's answer to an earlier reply (ICMP), or no memory. The next read may go well.
                self.errors += 1
                continue
            try:
                self._requestReceived(datagram, route)
            except BaseException as exception:
                self._logException(exception)

    def _datagramReceived(self, datagram: bytes, route: Any) -> None:
        self._route = route
        try:
            self.protocol.datagramReceived(datagram, route.peer)
        finally:
            self._route = None

    @property
    def destination(self) -> str | None:
        """
        The IP address that the datagram being received was sent to, where that is known.
        """
        return None if self._route is None else self._route.destination

    def _logException(self, exception: BaseException) -> None:
        log.error("{protocol} raised {error}", protocol=self.logPrefix(), error=exceptionText(exception))

    def _receive(self) -> tuple[bytes, Any]:
        datagram, peer = self.socket.recvfrom(self.maxPacketSize)
        return datagram, PortRoute(self, peer or None)

    def reply(self, route: Any, datagram: bytes, token: object) -> None:
        """
        Send a reply by a route, and tell the protocol at once what became of it.
        """
        try:
            self._send(datagram, route.peer, route.pktinfo)
        except SEND_ERRORS as error:
            self.protocol.repliesSent([], [(token, error)])
        else:
            self.protocol.repliesSent([token], [])

    def _send(self, datagram: bytes, peer: Any, pktinfo: Pktinfo) -> None:
        if pktinfo is None:
            self.socket.sendto(datagram, peer)
        else:
            self.socket.sendmsg([datagram], [pktinfo], 0, peer)

    def write(self, datagram: bytes, peer: Any) -> None:
        """
        Send a datagram.

        @param peer: the address, in the form in which it was received.
        @raise OSError: when the kernel does not take it, a full queue included: then it is lost.
        """
        self._send(datagram, peer, None if self._route is None else self._route.pktinfo)


class UDPPort(DatagramPort):
    """
    Replies leave from the address that was asked, on a wildcard socket too (RFC 1122 4.1.3.5), as long as they are
    written while the datagram is being received.
    """

    _fixedDestination: str | None = None

    def startListening(self) -> None:
        """
        Begin to receive, destinations included where there may be several.
        """
        self._fixedDestination = fixedDestination(self.socket)
        if self._fixedDestination is None:
            if self.family == socket.AF_INET6:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            if IP_PKTINFO and (self.family == socket.AF_INET or self._isDualStack()):
                self.socket.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        super().startListening()

    def _isDualStack(self) -> bool:
        # Ours never are; one of a service manager may be.
        return not self.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)

    def address(self, name: Any) -> IAddress:
        """
        A socket's name as an address.
        """
        return super().address(name[:2])

    def _receive(self) -> tuple[bytes, Any]:
        datagram, ancillary, _, peer = self.socket.recvmsg(self.maxPacketSize, ANCILLARY_SIZE)
        scope = peer[3] if len(peer) > 2 else 0
        destination, pktinfo = destinationOf(ancillary, bool(scope), self._fixedDestination)
        return datagram, PortRoute(self, peerName(peer[0], peer[1], scope), destination, pktinfo)
