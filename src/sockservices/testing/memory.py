"""
A reactor in memory that knows datagrams.
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
    A port that listens in memory only.

    @ivar listening: whether it still does.
    """

    def __init__(self, host: IAddress) -> None:
        self._host = host
        self.listening = True

    def startListening(self) -> None:
        """
        It does already.
        """

    def stopListening(self) -> None:
        """
        Note it.
        """
        self.listening = False

    def getHost(self) -> IAddress:
        """
        The address it was made for.
        """
        return self._host


@implementer(IReactorUDP)
class DatagramMemoryReactor(MemoryReactorClock):
    """
    Twisted's reactor in memory, with a clock, that records datagram ports too.

    @ivar udpServers: port, protocol, interface and size of each.
    @ivar unixDatagramServers: path, protocol, size and mode of each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.udpServers: list[tuple[int, Any, str, int]] = []
        self.unixDatagramServers: list[tuple[str, Any, int, int]] = []

    def listenUDP(self, port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192) -> MemoryPort:
        """
        Record it.
        """
        self.udpServers.append((port, protocol, interface, maxPacketSize))
        kind = IPv6Address if ":" in interface else IPv4Address
        return MemoryPort(kind("UDP", interface or "0.0.0.0", port))

    def listenUNIXDatagram(
        self, address: str, protocol: Any, maxPacketSize: int = 8192, mode: int = 0o666
    ) -> MemoryPort:
        """
        Record it.
        """
        self.unixDatagramServers.append((address, protocol, maxPacketSize, mode))
        return MemoryPort(UNIXAddress(address))
