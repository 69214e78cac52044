"""
A port over a datagram socket: UDP, and Unix datagrams.
"""

from __future__ import annotations

import socket
from functools import lru_cache
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import AbstractDatagramProtocol
from twisted.logger import Logger

from sockservices.text.exceptions import exceptionText
from sockservices.transports.interfaces import IRequestProtocol
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
from sockservices.transports.reply_route import TransportRoute
from sockservices.transports.sockets import BoundSocket

__all__ = ["MAX_ROUTES", "DatagramPort", "PortRoute", "UDPPort"]

log = Logger("sockservices")

#: Maximum number of datagrams read in one turn of the reactor. A limit in bytes, such as Twisted's, would not stop a
#: flood of empty datagrams.
DATAGRAMS_PER_TURN = 64

#: Maximum number of queued datagrams that are served when the port stops.
MAX_QUEUED = 4096

#: Maximum number of routes to the latest sources that a port keeps: forged sources cannot fill the memory.
MAX_ROUTES = 4096


class PortRoute(TransportRoute):
    """
    A reply route through the port that received the datagram.

    @ivar pktinfo: the control message that makes the destination of the datagram the source of the reply; L{None} where
        the system chooses.
    """

    __slots__ = ("pktinfo",)

    def __init__(self, port: DatagramPort, peer: Any, destination: str | None = None, pktinfo: Pktinfo = None) -> None:
        super().__init__(port, peer, port.protocol, destination)
        self.pktinfo = pktinfo

    def write(self, datagram: bytes) -> None:
        """
        Send a reply, and report nothing.
        """
        if self.pktinfo is None:
            self._transport.socket.sendto(datagram, self.peer)
        else:
            self._transport.socket.sendmsg([datagram], [self.pktinfo], 0, self.peer)


class DatagramPort(ListeningPort):
    """
    Reads datagrams for a protocol and sends its replies. Errors of system calls on the socket do not close the port.

    A protocol that provides L{IRequestProtocol} replies through a route; any other protocol calls L{write}.

    @ivar maxPacketSize: the maximum number of bytes read of a datagram; a protocol may set it in C{startProtocol}.
    @ivar errors: the number of failed reads.
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
        Start receiving datagrams.
        """
        self.protocol.makeConnection(self)
        super().startListening()

    def doRead(self) -> None:
        """
        Receive queued datagrams, up to L{DATAGRAMS_PER_TURN}.
        """
        self._read(DATAGRAMS_PER_TURN)

    def lastRead(self) -> None:
        """
        Receive all queued datagrams, up to L{MAX_QUEUED}: a flood must not keep the port open.
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
                # An ICMP error that an earlier reply caused, or a lack of memory. The next read may succeed.
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
        The destination IP address of the datagram that is being received; L{None} where it is not known.
        """
        return None if self._route is None else self._route.destination

    def _logException(self, exception: BaseException) -> None:
        log.error("{protocol} raised {error}", protocol=self.logPrefix(), error=exceptionText(exception))

    def _receive(self) -> tuple[bytes, Any]:
        datagram, peer = self.socket.recvfrom(self.maxPacketSize)
        return datagram, PortRoute(self, peer or None)

    def write(self, datagram: bytes, peer: Any) -> None:
        """
        Send a datagram from the destination address of the one that is being received.

        @param peer: the address, in the form in which C{datagramReceived} got it.
        @raise OSError: when the kernel refuses the datagram, for example because its queue is full.
        """
        pktinfo = None if self._route is None else self._route.pktinfo
        PortRoute(self, peer, pktinfo=pktinfo).write(datagram)


class UDPPort(DatagramPort):
    """
    A UDP port. The source address of a reply is the destination address of the datagram, on a wildcard socket too
    (RFC 1122 section 4.1.3.5). For C{write} this holds only while C{datagramReceived} runs.
    """

    _fixedDestination: str | None = None

    def startListening(self) -> None:
        """
        Start receiving datagrams, with their destination addresses where several are possible.
        """
        self._routeOf = lru_cache(MAX_ROUTES)(self._newRoute)
        self._fixedDestination = fixedDestination(self.socket)
        if self._fixedDestination is None:
            if self.family == socket.AF_INET6:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            if IP_PKTINFO and (self.family == socket.AF_INET or self._isDualStack()):
                self.socket.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        super().startListening()

    def _isDualStack(self) -> bool:
        # Only an inherited socket can be dual-stack: openSockets sets IPV6_V6ONLY.
        return not self.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)

    def address(self, name: Any) -> IAddress:
        """
        Convert a socket name to an address, without the flow information and scope of IPv6.
        """
        return super().address(name[:2])

    def _receive(self) -> tuple[bytes, Any]:
        datagram, ancillary, _, peer = self.socket.recvmsg(self.maxPacketSize, ANCILLARY_SIZE)
        return datagram, self._routeOf(peer, *ancillary)

    def _newRoute(
        self, name: tuple[Any, ...], *ancillary: tuple[int, int, bytes], kind: type[PortRoute] = PortRoute
    ) -> Any:
        """
        @param name: the name of the source, as recvmsg(2) returns it in Python.
        @param ancillary: the control messages.
        """
        scope = name[3] if len(name) > 2 else 0
        destination, pktinfo = destinationOf(ancillary, bool(scope), self._fixedDestination)
        return kind(self, peerName(name[0], name[1], scope), destination, pktinfo)
