"""
A peer that has a connection in memory.
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
from sockservices.testing.peer import Peer, checkSent
from sockservices.transports.layered_factory import MakeStreamLayer, layered

__all__ = ["StreamPeer"]


class _StreamTransport(StringTransport):
    """
    Stores the bytes that the server writes. The peer reads them at once, and closes when the server closes.
    """

    protocol: Any

    def __init__(self, clock: Clock, host: IAddress, peer: IAddress) -> None:
        super().__init__(host, peer)
        self._clock = clock

    def loseConnection(self) -> None:
        """
        Lose the connection in the reactor's next turn, as a real transport does.
        """
        self._clock.callLater(0, self.lose, ConnectionAborted() if self.disconnected else ConnectionDone())
        super().loseConnection()

    def lose(self, reason: Exception) -> None:
        """
        Lose the connection now. Further calls do nothing.
        """
        if self.connected:
            self.connected = False
            self.protocol.connectionLost(Failure(reason))


class StreamPeer(Peer):
    """
    The peer of one connection. It reads everything at once, and closes when the server closes.

    @ivar protocol: the server's L{StreamProtocol}, whose L{StreamFactory<sockservices.StreamFactory>} serves only it.
    @ivar transport: the server's transport, a L{StringTransport}.
    @ivar visits: the L{Visit} of the conversation, after its end.
    """

    def __init__(
        self,
        factory: StreamFactory,
        clock: Clock,
        visits: list[Visit],
        host: IAddress,
        peer: IAddress,
        layers: Sequence[MakeStreamLayer],
    ) -> None:
        super().__init__(clock, visits)
        factory.onException = self._onException
        self.transport = _StreamTransport(clock, host, peer)
        self.transport.protocol = self._outermost = layered(factory, layers).buildProtocol(peer)
        self._inputEnded = False
        self._outermost.makeConnection(self.transport)
        (self.protocol,) = factory.protocols
        clock.advance(0)
        clock.advance(0)
        self._raiseTypeError()

    @property
    def heard(self) -> bytes:
        """
        All bytes received, the greeting included.
        """
        received: bytes = self.transport.value()
        return received

    def say(self, *segments: bytes) -> bytes:
        """
        Send segments. The server reads each one separately; no timer fires between them.

        @return: the reply, C{b""} after the server has closed.
        @raise RuntimeError: after L{end} or L{reset}.
        @raise TypeError: for a segment that is not bytes.
        """
        checkSent(*segments)
        if self._inputEnded:
            raise RuntimeError("cannot send after end() or reset()")
        offset = len(self.heard)
        for segment in segments:
            if segment and self.transport.connected:
                self._outermost.dataReceived(segment)
        return self._receivedSince(offset)

    def hear(self) -> bytes:
        """
        Read.

        @return: the next bytes of endless output, such as chargen's.
        """
        offset = len(self.heard)
        producer = self.transport.producer
        if producer is not None and not self.transport.streaming:
            producer.resumeProducing()
        return self._receivedSince(offset)

    def wait(self, seconds: float) -> bytes:
        """
        Advance the clock. Each timer fires at its own time.

        @return: the bytes received in that time.
        """
        offset = len(self.heard)
        self._advance(seconds)
        return self._receivedSince(offset)

    def end(self) -> bytes:
        """
        Send a FIN. The peer still receives the pending output.

        @return: the remaining output.
        """
        offset = len(self.heard)
        self._inputEnded = True
        if self.transport.connected:
            self._outermost.readConnectionLost()
        return self._receivedSince(offset)

    def reset(self) -> None:
        """
        Abort the connection: send a reset.
        """
        self._inputEnded = True
        self.transport.lose(ConnectionLost())
        self.clock.advance(0)

    def _receivedSince(self, offset: int) -> bytes:
        self.clock.advance(0)
        self._raiseTypeError()
        return self.heard[offset:]
