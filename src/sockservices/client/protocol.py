"""
A stream connection for a client, with awaitable sends and receives.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer, IReactorTime, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from sockservices.client.request_failed import RequestFailed, Verdict, fromException, pendingFailure
from sockservices.client.timeout import withTimeout
from sockservices.transports.receiving import Receiving
from sockservices.transports.stream_reader import IncompleteRead, Rule, StreamReader

__all__ = ["ClientProtocol"]


@implementer(IHalfCloseableProtocol, IPushProducer)
class ClientProtocol(Receiving, Protocol):
    """
    One connection. Received data waits in a bounded buffer for C{receive}.

    A receive fails with L{RequestFailed} after its timeout, after a lost connection, and if the peer's FIN comes before
    all bytes. The connection stays open after a timeout.

    @ivar finished: whether the transport has sent our data and our FIN.
    """

    transport: Any
    finished = False

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._reader = StreamReader(lambda: self.transport.pauseProducing(), lambda: self.transport.resumeProducing())
        self._senders: list[Deferred[None]] = []
        self._closers: list[Deferred[None]] = []
        self._canRead = self._canWrite = True
        self._connected = False
        self._writingPaused = self._closing = False
        self._failure: RequestFailed | None = None

    def connectionMade(self) -> None:
        """
        Register as the transport's producer, to learn when its write buffer is full.
        """
        self._connected = True
        self.transport.registerProducer(self, True)

    def send(self, data: bytes) -> Deferred[None]:
        """
        Send bytes.

        @return: fires when the transport takes more data; fails with L{RequestFailed} if the connection is lost first.
        """
        if not (self._connected and self._canWrite):
            return fail(self._failure or RequestFailed(Verdict.EOF, "the connection is closed"))
        self.transport.write(data)
        if not self._writingPaused:
            return succeed(None)
        sender: Deferred[None] = Deferred(self._senders.remove)
        self._senders.append(sender)
        return sender

    def _receive(self, rule: Rule, timeout: float | None, expected: str) -> Deferred[bytes]:
        def convertIncomplete(failure: Failure) -> Failure:
            error = failure.value
            if not isinstance(error, IncompleteRead):
                return failure
            verdict = Verdict.SHORT if error.received else Verdict.EOF
            return Failure(RequestFailed(verdict, f"the peer ended before {expected} came", error.received))

        assert not self._reader.receiving, "another receive() is waiting"
        received = self._reader.receive(rule).addErrback(convertIncomplete)
        return withTimeout(received, timeout, self._clock, f"no {expected}")

    def __aiter__(self) -> AsyncIterator[bytes]:
        """
        Iterate over the received data until the peer's FIN.
        """
        return self

    async def __anext__(self) -> bytes:
        """
        Receive the next data.
        """
        data = await self.receive()
        if not data:
            raise StopAsyncIteration
        return data

    def finish(self) -> None:
        """
        Send a FIN after the data sent so far, and go on receiving. Over TLS, which has no half-close, do nothing.
        """
        halfClose = getattr(self.transport, "loseWriteConnection", None)
        open_ = self._connected and self._canWrite
        if open_ and halfClose is not None and not ISSLTransport.providedBy(self.transport):
            self._stopWriting()
            halfClose()

    def end(self) -> Deferred[None]:
        """
        Close the connection after the data sent so far.

        @return: fires when the connection is closed.
        """
        return self._close("loseConnection")

    def abort(self) -> Deferred[None]:
        """
        Reset the connection.

        @return: fires when the connection is closed.
        """
        return self._close("abortConnection")

    def _close(self, method: str) -> Deferred[None]:
        if not self._connected:
            return succeed(None)
        self._closing = True
        if self._canWrite:
            self._stopWriting()
        # A TLS connection closes only after it has read the peer's close_notify.
        self._reader.resume()
        closer: Deferred[None] = Deferred(self._closers.remove)
        # The transport may call connectionLost before its method returns.
        self._closers.append(closer)
        getattr(self.transport, method)()
        return closer

    def _stopWriting(self) -> None:
        self._canWrite = False
        if self._connected:
            # Twisted does not close while a producer is registered.
            self.transport.unregisterProducer()
        self.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        """
        Pass the data to a waiting C{receive}, or buffer it.
        """
        if self._closing:
            # A TLS connection delivers data until the peer's close_notify.
            return
        self._reader.received(data)

    def readConnectionLost(self) -> None:
        """
        Record the peer's FIN.
        """
        self._canRead = False
        # For a moment, Linux reports an RST as EPOLLHUP without EPOLLIN, which Twisted takes for a FIN.
        self._failure = pendingFailure(self.transport)
        self._reader.end(self._failure)

    def writeConnectionLost(self) -> None:
        """
        Record that the transport has sent our data and our FIN.
        """
        self.finished = True

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Fire all waiting Deferreds.
        """
        self._connected = False
        failure = None if reason.check(ConnectionDone) else fromException(reason.value)
        if self._canRead:
            # A reset after the peer's FIN loses no received data.
            self._failure = failure
        self._canRead = False
        self._reader.end(self._failure)
        self._fireSenders(Failure(failure) if failure else None)
        closers, self._closers = self._closers, []
        for closer in closers:
            closer.callback(None)

    def pauseProducing(self) -> None:
        """
        Make L{send} wait: the transport's write buffer is full.
        """
        self._writingPaused = True

    def resumeProducing(self) -> None:
        """
        Fire the waiting L{send} calls: the transport takes more data.
        """
        self._writingPaused = False
        self._fireSenders(None)

    def _fireSenders(self, result: Failure | None) -> None:
        senders, self._senders = self._senders, []
        for sender in senders:
            sender.callback(result)

    def stopProducing(self) -> None:
        """
        Do nothing: L{connectionLost} follows.
        """
