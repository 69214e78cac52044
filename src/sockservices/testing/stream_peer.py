"""
The far end of a connection in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from sockservices.conversation.visit import Visit
from sockservices.protocols.stream_factory import StreamFactory
from sockservices.testing.peer import Peer
from sockservices.transports.layered_factory import MakeStreamLayer, layered

__all__ = ["StreamPeer"]


class _StreamTransport(StringTransport):
    """
    Keeps what is said. Its peer takes everything at once, and closes when it is told the end.
    """

    protocol: Any

    def __init__(self, clock: Clock, host: IAddress, peer: IAddress) -> None:
        super().__init__(host, peer)
        self._clock = clock

    def loseConnection(self) -> None:
        """
        The connection is lost in the reactor's next turn, as on a real transport.
        """
        self._clock.callLater(0, self.lose, ConnectionAborted() if self.disconnected else ConnectionDone())
        super().loseConnection()

    def lose(self, reason: Exception) -> None:
        """
        The connection is lost now, once.
        """
        if self.connected:
            self.connected = False
            self.protocol.connectionLost(Failure(reason))


class StreamPeer(Peer):
    """
    The peer of one connection. What it is told it takes at once, and when it is told the end, it ends too.

    @ivar protocol: the L{StreamProtocol}, of a L{StreamFactory<sockservices.StreamFactory>} of its own.
    @ivar transport: the server's transport, a L{StringTransport}.
    @ivar clock: the time of all deadlines.
    @ivar visits: the L{Visit}, once the conversation is over.
    """

    def __init__(
        self,
        factory: StreamFactory,
        clock: Clock,
        visits: list[Visit],
        host: IAddress,
        peer: IAddress,
        layers: Sequence[MakeStreamLayer] = (),
    ) -> None:
        super().__init__(clock, visits)
        self.transport = _StreamTransport(clock, host, peer)
        self.transport.protocol = self._outermost = layered(factory, layers).buildProtocol(peer)
        self._gone = False
        self._outermost.makeConnection(self.transport)
        (self.protocol,) = factory.protocols
        clock.advance(0)
        clock.advance(0)

    @property
    def heard(self) -> bytes:
        """
        All that it was told, the opening included.
        """
        heard: bytes = self.transport.value()
        return heard

    def say(self, *segments: bytes) -> bytes:
        """
        Send some segments, which come one by one, but before anything else happens.

        @return: the answer. After the server's end there is none.
        """
        if self._gone:
            raise RuntimeError("this peer has ended, and says no more")
        before = len(self.heard)
        for segment in segments:
            if segment and self.transport.connected:
                self._outermost.dataReceived(segment)
        return self._since(before)

    def hear(self) -> bytes:
        """
        Read on: endless talk says its next words, which are returned.
        """
        before = len(self.heard)
        producer = self.transport.producer
        if producer is not None and not self.transport.streaming:
            producer.resumeProducing()
        return self._since(before)

    def wait(self, seconds: float) -> bytes:
        """
        Let time pass, in which all that is due happens at its time.

        @return: what is said meanwhile.
        """
        before = len(self.heard)
        self._pass(seconds)
        return self._since(before)

    def end(self) -> bytes:
        """
        Send a FIN: the peer says no more, and is still told what it is owed.

        @return: the last words.
        """
        before = len(self.heard)
        self._gone = True
        if self.transport.connected:
            self._outermost.readConnectionLost()
        return self._since(before)

    def reset(self) -> None:
        """
        Send a reset: the connection is gone.
        """
        self._gone = True
        self.transport.lose(ConnectionLost())
        self.clock.advance(0)

    def _since(self, before: int) -> bytes:
        self.clock.advance(0)
        return self.heard[before:]
