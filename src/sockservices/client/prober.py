"""
Sending one probe after the other to a target, and counting the replies.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

from sockservices.client.connect import connect
from sockservices.client.datagram import DatagramClient
from sockservices.client.ping_statistics import PROBE_SIZE, PingStatistics
from sockservices.client.protocol import ClientProtocol
from sockservices.client.request_failed import RequestFailed, Verdict
from sockservices.client.target import Target
from sockservices.client.timeout import withTimeout

__all__ = ["DatagramProber", "StreamProber"]


class _Prober:
    """
    Sends probes to one target. There is a subclass for each kind of socket.
    """

    def __init__(self, target: Target, statistics: PingStatistics, reactor: IReactorTime, timeout: float) -> None:
        self._target = target
        self._statistics = statistics
        self._reactor = reactor
        self._timeout = timeout
        self._allReturned: Deferred[None] | None = None
        self._receiving: Deferred[None] | None = None
        self._closed = False

    async def probe(self) -> None:
        try:
            await self._open()
        except RequestFailed as failure:
            self._statistics.countUnsent(failure)
            return
        try:
            await self._send(self._statistics.makeProbe(self._reactor.seconds()))
        except RequestFailed as failure:
            self._statistics.lastFailure = failure

    def allReturned(self) -> Deferred[None]:
        """
        Wait for the outstanding replies.

        @return: fires when no reply is outstanding, or after a failure.
        """
        self._allReturned = Deferred()
        self._fireIfAllReturned()
        return self._allReturned

    def _fireIfAllReturned(self, failure: RequestFailed | None = None) -> None:
        if self._closed:
            # close() itself causes a failure.
            return
        if failure is not None:
            self._statistics.lastFailure = failure
        waiting = self._allReturned
        complete = not self._statistics.outstanding or self._receiving is None or failure is not None
        if waiting is not None and not waiting.called and complete:
            waiting.callback(None)

    def _startReceiving(self, receiving: Any) -> None:
        self._receiving = Deferred.fromCoroutine(receiving).addErrback(lambda failure: failure.trap(CancelledError))

    async def _open(self) -> None:
        raise NotImplementedError

    async def _send(self, probe: bytes) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        """
        Stop receiving, and close the socket.
        """
        self._closed = True
        if self._receiving is not None:
            self._receiving.cancel()


class DatagramProber(_Prober):
    """
    Sends each probe as a datagram.
    """

    _client: DatagramClient | None = None

    async def _open(self) -> None:
        if self._client is None:
            client = DatagramClient(self._target.address, reactor=self._reactor)
            await client.open(self._timeout)
            self._client = client
            self._startReceiving(self._receiveReplies(client))

    async def _receiveReplies(self, client: DatagramClient) -> None:
        while True:
            failure = None
            try:
                self._statistics.countReply(await client.receive(), self._reactor.seconds())
            except RequestFailed as error:
                failure = error
            self._statistics.wrongSourceCount = client.wrongSourceCount
            self._fireIfAllReturned(failure)

    async def _send(self, probe: bytes) -> None:
        assert self._client is not None
        self._client.send(probe)

    async def close(self) -> None:
        """
        Close the socket.
        """
        await super().close()
        if self._client is not None:
            self._statistics.wrongSourceCount = self._client.wrongSourceCount
            self._client.close()


class StreamProber(_Prober):
    """
    Sends all probes over one connection. After a lost connection, the next probe opens another.
    """

    _connection: ClientProtocol | None = None

    async def _open(self) -> None:
        if self._connection is None:
            endpoint = self._target.endpoint(self._reactor)
            connection = await connect(endpoint, reactor=self._reactor, timeout=self._timeout)
            self._connection = connection
            self._statistics.silenceVerdict = Verdict.NO_ANSWER
            self._startReceiving(self._receiveReplies(connection))

    async def _receiveReplies(self, connection: ClientProtocol) -> None:
        unparsed = b""
        try:
            async for segment in connection:
                self._statistics.silenceVerdict = Verdict.INCOMPLETE
                unparsed += segment
                while unparsed:
                    reply = unparsed[:PROBE_SIZE]
                    correct = self._statistics.canBegin(reply)
                    if correct and len(reply) < PROBE_SIZE:
                        break
                    self._statistics.countReply(reply, self._reactor.seconds())
                    if not correct:
                        # If bytes are missing, the boundaries between the later replies are unknown.
                        raise RequestFailed(Verdict.CORRUPT, "a reply differs from its probe")
                    unparsed = unparsed[PROBE_SIZE:]
                self._fireIfAllReturned()
            if unparsed:
                raise RequestFailed(Verdict.SHORT, f"the peer closed after {len(unparsed)} of {PROBE_SIZE} bytes")
            raise RequestFailed(Verdict.EOF, "the peer closed the connection")
        except RequestFailed as failure:
            self._connection = self._receiving = None
            await connection.abort()
            self._fireIfAllReturned(failure)

    async def _send(self, probe: bytes) -> None:
        if self._connection is not None:
            sent = self._connection.send(probe)
            await withTimeout(sent, self._timeout, self._reactor, "the peer did not read")

    async def close(self) -> None:
        """
        Close the connection, or abort it if probes are lost.
        """
        await super().close()
        if self._connection is not None:
            await self._connection.abort() if self._statistics.lost else await self._connection.end()
