"""
A peer that exchanges datagrams in memory.
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
from sockservices.testing.peer import Peer, checkSent
from sockservices.transports.datagram_layer import MakeDatagramLayer, layeredDatagrams

__all__ = ["DatagramPeer"]


class DatagramPeer(Peer):
    """
    A peer that sends datagrams, each of which is a conversation.

    @ivar protocol: the L{DatagramResponder}.
    @ivar transport: the server's transport, a L{FakeDatagramTransport}.
    @ivar visits: one L{Visit} for each datagram. Its outcome gives the reason for a missing reply.
    """

    transport: Any

    def __init__(
        self,
        protocol: DatagramResponder,
        clock: Clock,
        visits: list[Visit],
        host: IAddress,
        peer: IAddress,
        layers: Sequence[MakeDatagramLayer],
    ) -> None:
        super().__init__(clock, visits)
        protocol.onException = self._onException
        self.protocol = protocol
        self._source: Any = peer.name if isinstance(peer, UNIXAddress) else (peer.host, peer.port)  # type: ignore[attr-defined]
        self.transport = FakeDatagramTransport()
        self.transport.getHost = lambda: host
        self._outermost = layeredDatagrams(protocol, layers)
        self._outermost.makeConnection(self.transport)

    @property
    def heard(self) -> list[bytes]:
        """
        All replies, each a whole datagram.
        """
        return [reply for reply, _ in self.transport.written]

    def say(self, datagram: bytes) -> bytes | None:
        """
        Send a datagram.

        @return: the reply; C{b""} for an empty reply, L{None} for no reply.
        @raise TypeError: for a datagram that is not bytes.
        """
        checkSent(datagram)
        offset = len(self.heard)
        self._outermost.datagramReceived(datagram, self._source)
        self._raiseTypeError()
        replies = self.heard[offset:]
        return replies[0] if replies else None

    def wait(self, seconds: float) -> None:
        """
        Advance the clock. Each timer fires at its own time.
        """
        self._advance(seconds)
