"""
The far end of datagrams in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock
from twisted.internet.testing import FakeDatagramTransport

from sockservices.conversation.visit import Visit
from sockservices.protocols.datagram import DatagramResponder
from sockservices.testing.peer import Peer
from sockservices.transports.datagram_layer import MakeDatagramLayer, layeredDatagrams

__all__ = ["DatagramPeer"]


class _DatagramTransport(FakeDatagramTransport):
    """
    Keeps what is written.
    """

    def __init__(self, host: IAddress) -> None:
        super().__init__()
        self._host = host

    def getHost(self) -> IAddress:
        """
        The address it was made for.
        """
        return self._host


class DatagramPeer(Peer):
    """
    The peer of as many datagrams as it sends.

    @ivar protocol: the L{DatagramResponder}.
    @ivar transport: the server's transport, a L{FakeDatagramTransport}.
    @ivar clock: the time of the rates.
    @ivar visits: a L{Visit} for each datagram: why one was not answered is its outcome.
    """

    def __init__(
        self,
        protocol: DatagramResponder,
        clock: Clock,
        visits: list[Visit],
        host: IAddress,
        peer: IAddress,
        layers: Sequence[MakeDatagramLayer] = (),
    ) -> None:
        super().__init__(clock, visits)
        self.protocol = protocol
        self._from: Any = peer.name if isinstance(peer, UNIXAddress) else (peer.host, peer.port)  # type: ignore[attr-defined]
        self.transport: Any = _DatagramTransport(host)
        self._outermost = layeredDatagrams(protocol, layers)
        self._outermost.makeConnection(self.transport)

    @property
    def heard(self) -> list[bytes]:
        """
        All replies.
        """
        return [reply for reply, _ in self.transport.written]

    def say(self, datagram: bytes) -> bytes | None:
        """
        Send a datagram.

        @return: the reply; L{None} is no reply at all, C{b""} an empty one.
        """
        before = len(self.heard)
        self._outermost.datagramReceived(datagram, self._from)
        replies = self.heard[before:]
        return replies[0] if replies else None

    def wait(self, seconds: float) -> None:
        """
        Let time pass.
        """
        self._pass(seconds)
