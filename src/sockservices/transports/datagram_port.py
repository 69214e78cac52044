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

from sockservices.fault import faultText
from sockservices.transports.port import Port
from sockservices.transports.sockets import Opened

__all__ = ["DatagramPort", "UDPPort"]

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

    def __init__(self, opened: Opened, protocol: AbstractDatagramProtocol, reactor: Any) -> None:
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
                log.error("{protocol} raised {fault}", protocol=self.logPrefix(), fault=faultText(fault))
        self.destination = None

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


class UDPPort(DatagramPort):
    """
    Replies leave from the address that was asked, on a wildcard socket too (RFC 1122 4.1.3.5), as long as they are
    written while the datagram is being received.
    """

    _pktinfo: tuple[int, int, bytes] | None = None

    def startListening(self) -> None:
        """
        Begin to receive, destinations included.
        """
        if self.socket.family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        if IP_PKTINFO and (self.socket.family == socket.AF_INET or self._dual()):
            self.socket.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        super().startListening()

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
        self._pktinfo = self.destination = None
        for level, kind, data in ancillary:
            if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
                _, local, destination = _PKTINFO4.unpack(data)
                # Not an address of this host: whatever its form, a broadcast to one of our networks, or multicast.
                self.destination = socket.inet_ntop(socket.AF_INET, destination if destination == local else EVERYBODY)
                self._pktinfo = level, kind, _PKTINFO4.pack(0, local, bytes(4))
                break
            if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
                destination, interface = _PKTINFO6.unpack(data)
                self.destination = socket.inet_ntop(socket.AF_INET6, destination)
                self._pktinfo = level, kind, _PKTINFO6.pack(destination, interface if peer[3] else 0)
        # Link-local peers (RFC 4007) are another host on every link.
        return datagram, (f"{peer[0]}%{peer[3]}" if peer[3:] and peer[3] else peer[0], peer[1])

    def write(self, datagram: bytes, peer: Any) -> None:
        """
        Send a datagram.

        @param peer: host and port, in the form in which they were received.
        @raise OSError: when the kernel does not take it, a full queue included: then it is lost.
        """
        if self._pktinfo is None or self.destination is None:
            self.socket.sendto(datagram, peer)
        else:
            self.socket.sendmsg([datagram], [self._pktinfo], 0, peer)
