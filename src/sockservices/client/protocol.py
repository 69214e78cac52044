"""
A stream conversation as its client has it: to be awaited, word by word.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IPushProducer,
    ISSLTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from sockservices.client.verdict import Unanswered, Verdict, unanswered
from sockservices.client.within import within

__all__ = ["ClientProtocol"]

#: How many bytes wait to be received before the peer has to wait too.
MOST = 65536


@implementer(IHalfCloseableProtocol, IPushProducer)
class ClientProtocol(Protocol):
    """
    One conversation, from its client's side. What comes waits, within bounds, until it is asked for.

    @ivar finished: whether our side has ended, with all that was sent handed over.
    """

    transport: Any
    finished = False

    def __init__(self, clock: Any) -> None:
        """
        @param clock: an L{IReactorTime<twisted.internet.interfaces.IReactorTime>} for the timeouts.
        """
        self._clock = clock
        self._heard = bytearray()
        self._receiver: Deferred[bytes] | None = None
        self._senders: list[Deferred[None]] = []
        self._enders: list[Deferred[None]] = []
        self._reading = self._writing = True
        self._connected = False
        self._paused = self._full = self._ending = False
        self._fault: Unanswered | None = None

    def connectionMade(self) -> None:
        """
        Be told when the transport has enough to send.
        """
        self._connected = True
        self.transport.registerProducer(self, True)

    def send(self, data: bytes) -> Deferred[None]:
        """
        Send bytes.

        @return: fires when there is room for more; fails with L{Unanswered} when the connection is cut off before.
        """
        if not (self._connected and self._writing):
            return fail(self._fault or Unanswered(Verdict.EOF, "the conversation has ended"))
        self.transport.write(data)
        if not self._full:
            return succeed(None)
        sent: Deferred[None] = Deferred(self._senders.remove)
        self._senders.append(sent)
        return sent

    def receive(self, timeout: float | None = None) -> Deferred[bytes]:
        """
        Receive what has come, or else what comes next: one byte or more, as the network cuts them.

        @param timeout: the seconds to wait for it; L{None} waits as long as it takes.
        @return: fires with bytes, C{b""} when the peer has ended its side; fails with L{Unanswered} when the connection
            was cut off, or after the timeout, after which the conversation goes on.
        """
        assert self._receiver is None, "one receives already"
        if self._heard:
            said = bytes(self._heard)
            self._heard.clear()
            self._readOn()
            return succeed(said)
        if not self._reading:
            return fail(self._fault) if self._fault else succeed(b"")
        self._receiver = Deferred(self._giveUp)
        return within(self._receiver, timeout, self._clock, "nothing was said")

    def _readOn(self) -> None:
        if self._paused and self._reading:
            self.transport.resumeProducing()
        self._paused = False

    def _giveUp(self, _: Deferred[bytes]) -> None:
        self._receiver = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        """
        All that comes, until the peer ends its side.
        """
        return self

    async def __anext__(self) -> bytes:
        """
        What comes next.
        """
        said = await self.receive()
        if not said:
            raise StopAsyncIteration
        return said

    def finish(self) -> None:
        """
        End our side, when all is sent, and go on receiving. TLS has no such thing: there, both sides end with one.
        """
        half = getattr(self.transport, "loseWriteConnection", None)
        ours = self._connected and self._writing
        if ours and half is not None and not ISSLTransport.providedBy(self.transport):
            self._stopWriting()
            half()

    def end(self) -> Deferred[None]:
        """
        End both sides, when all is sent.

        @return: fires when the connection is gone.
        """
        return self._gone("loseConnection")

    def abort(self) -> Deferred[None]:
        """
        Cut the connection off.

        @return: fires when it is gone.
        """
        return self._gone("abortConnection")

    def _gone(self, way: str) -> Deferred[None]:
        if not self._connected:
            return succeed(None)
        self._ending = True
        if self._writing:
            self._stopWriting()
        # Over TLS there is no end without the peer's.
        self._readOn()
        gone: Deferred[None] = Deferred(self._enders.remove)
        # Before the call: the connection may be gone when it returns.
        self._enders.append(gone)
        getattr(self.transport, way)()
        return gone

    def _stopWriting(self) -> None:
        self._writing = False
        if self._connected:
            # Or Twisted would wait for us to have no more to send.
            self.transport.unregisterProducer()
        self.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        """
        Give it to who receives, or keep it.
        """
        if self._ending:
            # Over TLS something may still come.
            return
        if self._receiver is not None:
            self._received(data)
            return
        self._heard += data
        if len(self._heard) >= MOST:
            self._paused = True
            self.transport.pauseProducing()

    def _received(self, result: bytes | Failure) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.callback(result)

    def readConnectionLost(self) -> None:
        """
        The peer has ended its side.
        """
        self._reading = False
        self._received(b"")

    def writeConnectionLost(self) -> None:
        """
        Our side has ended, and all was sent.
        """
        self.finished = True

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone: at its end, or before.
        """
        self._connected = False
        fault = None if reason.check(ConnectionDone) else unanswered(reason.value)
        if self._reading:
            # After the peer's end, nothing is missing of what it has said.
            self._fault = fault
        self._reading = False
        self._received(Failure(self._fault) if self._fault else b"")
        self._sent(Failure(fault) if fault else None)
        enders, self._enders = self._enders, []
        for ended in enders:
            ended.callback(None)

    def pauseProducing(self) -> None:
        """
        The transport has enough to send.
        """
        self._full = True

    def resumeProducing(self) -> None:
        """
        The transport takes more.
        """
        self._full = False
        self._sent(None)

    def _sent(self, result: Failure | None) -> None:
        senders, self._senders = self._senders, []
        for sent in senders:
            sent.callback(result)

    def stopProducing(self) -> None:
        """
        The transport takes no more; that it is gone is told apart.
        """
