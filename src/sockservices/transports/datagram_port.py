"""
A port over a datagram socket: UDP, and Unix datagrams.
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import AbstractDatagramProtocol
from twisted.logger import Logger

from sockservices.text.exceptions import faultText
from sockservices.transports.listening_port import Port
from sockservices.transports.sockets import BoundSocket

__all__ = ["DatagramPort", "UDPPort", "destinationOf", "onlyDestination", "peerName"]

log = Logger("sockservices")

#: Datagrams read in one turn of the reactor, counted one by one: empty ones are cheap to send too.
MOST = 64

#: Datagrams that may wait in the kernel when the port is stopped, at the most.
QUEUE = 4096


class DatagramPort(Port):
    """
    Reads datagrams for a protocol and writes its replies. No error of a call on the socket closes the port.

    @ivar maxPacketSize: the bytes of a datagram that are read; a protocol may set it when it is started.
    @ivar destination: the IP address that the datagram being received was sent to, where that is known.
    @ivar errors: how many reads have failed.
    """

    maxPacketSize = 65536
    destination: str | None = None
    errors = 0

    def __init__(self, opened: BoundSocket, protocol: AbstractDatagramProtocol, reactor: Any) -> None:
        super().__init__(opened, protocol, reactor)
        self.protocol = protocol

    def startListening(self) -> None:
        """
        Begin to receive.
        """
        self.protocol.makeConnection(self)  # type: ignore[arg-type]
        super().startListening()

    def doRead(self) -> None:
        """
        Receive what waits, as far as one turn of the reactor goes.
        """
        self._read(MOST)

    def lastRead(self) -> None:
        """
        Receive all that waits, and no flood that goes on.
        """
        self._read(QUEUE)

    def _read(self, most: int) -> None:
        for _ in range(most):
            if not self.connected:
                break
            try:
                datagram, peer = self._receive()
            except BlockingIOError:
                break
            except OSError:
                # The network's answer to an earlier reply (ICMP), or no memory. The next read may go well.
                self.errors += 1
                continue
            try:
                self.protocol.datagramReceived(datagram, peer)
            except Exception as fault:
                self._raised(fault)
        self.destination = None

    def _raised(self, fault: Exception) -> None:
        log.error("{protocol} raised {fault}", protocol=self.logPrefix(), fault=faultText(fault))

    def _receive(self) -> tuple[bytes, Any]:
        datagram, peer = self.socket.recvfrom(self.maxPacketSize)
        return datagram, peer or None

    def write(self, datagram: bytes, peer: Any) -> None:
        """
        Send a datagram.

        @param peer: the address, in the form in which it was received.
        @raise OSError: when the kernel does not take it, a full queue included: then it is lost.
        """
        self.socket.sendto(datagram, peer)


#: struct in_pktinfo (ip(7)): interface, the local address to reply from, the address in the datagram.
_PKTINFO4 = struct.Struct("=I4s4s")

#: struct in6_pktinfo (ipv6(7)): the address in the datagram, interface.
_PKTINFO6 = struct.Struct("=16sI")

#: What the kernel says of a datagram beside its bytes: either of the two.
_ANCILLARY = socket.CMSG_SPACE(_PKTINFO6.size) + socket.CMSG_SPACE(_PKTINFO4.size)

#: Not in the socket module before Python 3.14. Elsewhere than on Linux, the system chooses where replies leave.
IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8) if sys.platform == "linux" else 0


#: The limited broadcast address (RFC 919).
EVERYBODY = b"\xff\xff\xff\xff"


def peerName(host: str, port: int, scope: int) -> tuple[str, int]:
    """
    A peer. One that is link-local (RFC 4007) is another host on every link.

    @param scope: the number of the link, or 0.
    """
    return f"{host}%{scope}" if scope else host, port


def destinationOf(
    ancillary: list[tuple[int, int, bytes]], scoped: bool, only: str | None = None
) -> tuple[str | None, tuple[int, int, bytes] | None]:
    """
    Where a datagram was sent to, and what the kernel is to be told to have the reply leave from there.

    @param ancillary: the control messages of the datagram.
    @param scoped: whether it came from a link-local address, and is to be answered on that link.
    @param only: where it was sent to if they do not say.
    """
    destination, pktinfo = only, None
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
            _, local, target = _PKTINFO4.unpack(data)
            # Not an address of this host: whatever its form, a broadcast to one of our networks, or multicast.
            destination = socket.inet_ntop(socket.AF_INET, target if target == local else EVERYBODY)
            return destination, (level, kind, _PKTINFO4.pack(0, local, bytes(4)))
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            target, interface = _PKTINFO6.unpack(data)
            destination = socket.inet_ntop(socket.AF_INET6, target)
            pktinfo = level, kind, _PKTINFO6.pack(target, interface if scoped else 0)
    return destination, pktinfo


def onlyDestination(bound: socket.socket) -> str | None:
    """
    The only IP address that datagrams to this socket can have been sent to: the one that it is bound to, unless that
    stands for many.
    """
    host = bound.getsockname()[0].partition("%")[0]
    if host in ("0.0.0.0", "::", "::ffff:0.0.0.0"):
        return None
    with socket.socket(bound.family, socket.SOCK_DGRAM) as other:
        try:
            # Nothing is sent. A broadcast address takes a permission (SO_BROADCAST) that this socket does not have.
            other.connect((host, 9))
        except PermissionError:
            return None
        except OSError:
            pass  # A link-local address, that is one only with its link, for one.
    return str(host)


class UDPPort(DatagramPort):
    """
    Replies leave from the address that was asked, on a wildcard socket too (RFC 1122 4.1.3.5), as long as they are
    written while the datagram is being received.
    """

    _pktinfo: tuple[int, int, bytes] | None = None
    _only: str | None = None

    def startListening(self) -> None:
        """
        Begin to receive, destinations included where there may be several.
        """
        self._only = onlyDestination(self.socket)
        if self._only is None:
            if self.family == socket.AF_INET6:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            if IP_PKTINFO and (self.family == socket.AF_INET or self._dual()):
                self.socket.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        super().startListening()

    def _read(self, most: int) -> None:
        super()._read(most)
        self._pktinfo = None

    def _dual(self) -> bool:
        # Ours never are; one of a service manager may be.
        return not self.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)

    def address(self, name: Any) -> IAddress:
        """
        A socket's name as an address.
        """
        return super().address(name[:2])

    def _receive(self) -> tuple[bytes, Any]:
        datagram, ancillary, _, peer = self.socket.recvmsg(self.maxPacketSize, _ANCILLARY)
        scope = peer[3] if len(peer) > 2 else 0
        self.destination, self._pktinfo = destinationOf(ancillary, bool(scope), self._only)
        return datagram, peerName(peer[0], peer[1], scope)

    def write(self, datagram: bytes, peer: Any) -> None:
        """
        Send a datagram.

        @param peer: host and port, in the form in which they were received.
        @raise OSError: when the kernel does not take it, a full queue included: then it is lost.
        """
        if self._pktinfo is None:
            self.socket.sendto(datagram, peer)
        else:
            self.socket.sendmsg([datagram], [self._pktinfo], 0, peer)
