"""
A memory reactor with datagram ports.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress, IListeningPort, IReactorUDP
from twisted.internet.testing import MemoryReactorClock
from zope.interface import implementer

__all__ = ["DatagramMemoryReactor", "MemoryPort"]


@implementer(IListeningPort)
class MemoryPort:
    """
    A listening port without a socket.

    @ivar listening: whether the port listens.
    """

    def __init__(self, host: IAddress) -> None:
        self._host = host
        self.listening = True

    def startListening(self) -> None:
        """
        Do nothing: the port listens from the start.
        """

    def stopListening(self) -> None:
        """
        Set C{listening} to false.
        """
        self.listening = False

    def getHost(self) -> IAddress:
        """
        Return the address that the port was made with.
        """
        return self._host


@implementer(IReactorUDP)
class DatagramMemoryReactor(MemoryReactorClock):
    """
    Twisted's C{MemoryReactorClock}, which also records datagram ports.

    @ivar udpServers: the port, protocol, interface and maxPacketSize of each C{listenUDP} call.
    @ivar unixDatagramServers: the address, protocol, maxPacketSize and mode of each C{listenUNIXDatagram} call.
    """

    def __init__(self) -> None:
        super().__init__()
        self.udpServers: list[tuple[int, Any, str, int]] = []
        self.unixDatagramServers: list[tuple[str, Any, int, int]] = []

    def listenUDP(self, port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192) -> MemoryPort:
        """
        Record a UDP port.
        """
        self.udpServers.append((port, protocol, interface, maxPacketSize))
        address = IPv6Address if ":" in interface else IPv4Address
        return MemoryPort(address("UDP", interface or "0.0.0.0", port))

    def listenUNIXDatagram(
        self, address: str, protocol: Any, maxPacketSize: int = 8192, mode: int = 0o666
    ) -> MemoryPort:
        """
        Record a Unix datagram port.
        """
        self.unixDatagramServers.append((address, protocol, maxPacketSize, mode))
        return MemoryPort(UNIXAddress(address))
