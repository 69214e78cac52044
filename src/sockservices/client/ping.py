"""
Probing an echo service, over and over.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

from sockservices.client.datagram import DatagramClient
from sockservices.client.factory import connect
from sockservices.client.protocol import ClientProtocol
from sockservices.client.tally import SIZE, Tally
from sockservices.client.target import Target
from sockservices.client.verdict import Unanswered, Verdict
from sockservices.client.within import within

__all__ = ["ping"]


async def ping(
    target: Target,
    tally: Tally,
    *,
    reactor: Any,
    count: int | None,
    interval: float = 1.0,
    timeout: float = 2.0,
) -> None:
    """
    Send probes to a service that gives back what it gets, and count what returns. A fault ends one probe, not all.

    @param tally: makes the probes, and has the figures at any time.
    @param reactor: the clock, and what the sockets are in.
    @param count: how many to send; L{None} sends them until this is cancelled.
    @param interval: seconds from one probe to the next.
    @param timeout: seconds to wait for a connection, and at the end for the probes that are still out.
    """
    pinger = (_Stream if target.stream else _Datagrams)(target, tally, reactor, timeout)
    try:
        while count is None or tally.sent < count:
            began = reactor.seconds()
            await pinger.probe()
            if tally.sent != count:
                await deferLater(reactor, max(0.0, began + interval - reactor.seconds()))
        with suppress(Unanswered):
            await within(pinger.settled(), timeout, reactor, "no reply")
    finally:
        await pinger.close()


class _Ping:
    """
    Probes one service.
    """

    def __init__(self, target: Target, tally: Tally, reactor: Any, timeout: float) -> None:
        self._target = target
        self._tally = tally
        self._reactor = reactor
        self._timeout = timeout
        self._settled: Deferred[None] | None = None
        self._hearing: Deferred[None] | None = None
        self._closed = False

    async def probe(self) -> None:
        """
        Send one, if there is a way to.
        """
        try:
            await self._open()
        except Unanswered as fault:
            self._tally.miss(fault)
        else:
            try:
                await self._send(self._tally.probe(self._reactor.seconds()))
            except Unanswered as fault:
                self._tally.fault = fault

    def settled(self) -> Deferred[None]:
        """
        Wait for what is still out.

        @return: fires when all have returned, or there is a fault.
        """
        self._settled = Deferred()
        self._look()
        return self._settled

    def _look(self, fault: Unanswered | None = None) -> None:
        if self._closed:
            # It is we who have ended it.
            return
        if fault is not None:
            self._tally.fault = fault
        settled = self._settled
        if settled is not None and not settled.called and (not self._tally.awaited or self._hearing is None or fault):
            settled.callback(None)

    def _hear(self, hearing: Any) -> None:
        # Cancelled when we are done with it.
        self._hearing = Deferred.fromCoroutine(hearing).addErrback(lambda failure: failure.trap(CancelledError))

    def _stop(self) -> None:
        self._closed = True
        hearing, self._hearing = self._hearing, None
        if hearing is not None:
            hearing.cancel()

    async def _open(self) -> None:
        raise NotImplementedError

    async def _send(self, probe: bytes) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        """
        Be done with it.
        """
        self._stop()


class _Datagrams(_Ping):
    """
    Each probe a datagram.
    """

    _client: DatagramClient | None = None

    async def _open(self) -> None:
        if self._client is None:
            client = DatagramClient(self._target.address, reactor=self._reactor)
            try:
                await client.open()
            except Unanswered:
                client.close()
                raise
            self._client = client
            self._hear(self._replies(client))

    async def _replies(self, client: DatagramClient) -> None:
        while True:
            try:
                self._tally.hear(await client.receive(), self._reactor.seconds())
            except Unanswered as fault:
                self._look(fault)
            else:
                self._look()

    async def _send(self, probe: bytes) -> None:
        assert self._client is not None
        self._client.send(probe)

    def _look(self, fault: Unanswered | None = None) -> None:
        if self._client is not None:
            self._tally.strays = self._client.strays
        super()._look(fault)

    async def close(self) -> None:
        """
        Close the socket.
        """
        self._stop()
        if self._client is not None:
            self._tally.strays = self._client.strays
            self._client.close()


class _Stream(_Ping):
    """
    Probes one after the other in one conversation, and another one when that has ended.
    """

    _conversation: ClientProtocol | None = None

    async def _open(self) -> None:
        if self._conversation is None:
            endpoint = self._target.endpoint(self._reactor)
            conversation = await connect(endpoint, reactor=self._reactor, timeout=self._timeout)
            self._conversation = conversation
            self._hear(self._answers(conversation))

    async def _answers(self, conversation: ClientProtocol) -> None:
        part = b""
        try:
            async for segment in conversation:
                part += segment
                while len(part) >= SIZE:
                    corrupt = self._tally.corrupt
                    self._tally.hear(part[:SIZE], self._reactor.seconds())
                    if self._tally.corrupt > corrupt:
                        # Bytes may be missing: where the next probe begins is anyone's guess.
                        raise Unanswered(Verdict.CORRUPT, "what came is not what was sent")
                    part = part[SIZE:]
                self._look()
            if part:
                raise Unanswered(Verdict.SHORT, f"the peer ended with {len(part)} bytes of {SIZE}")
            raise Unanswered(Verdict.EOF, "the peer ended")
        except Unanswered as fault:
            self._conversation = self._hearing = None
            await conversation.abort()
            self._look(fault)

    async def _send(self, probe: bytes) -> None:
        if self._conversation is not None:
            await within(self._conversation.send(probe), self._timeout, self._reactor, "nothing is read")

    async def close(self) -> None:
        """
        End the conversation.
        """
        self._stop()
        if self._conversation is not None:
            await self._conversation.abort() if self._tally.lost else await self._conversation.end()
