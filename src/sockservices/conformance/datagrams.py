"""
The far end of datagrams, as cases ask it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from twisted.internet.defer import Deferred, FirstError, gatherResults

from sockservices.client import DatagramClient, Unanswered, Verdict
from sockservices.conformance.deviation import Deviation, NotOffered
from sockservices.conformance.heard import Heard
from sockservices.conformance.pacer import Pacer
from sockservices.conformance.seconds import Seconds
from sockservices.text.addresses import hostPort

__all__ = ["PADDED", "FarDatagrams"]

#: How often one is sent that is not answered: datagrams are lost.
TRIES = 3

#: A probe that leaves room for any reply that an RFC allows.
PADDED = (b"sockservices asks. " * 27)[:512]


class FarDatagrams:
    """
    A service at a far end, by datagrams. Each probe has a socket of its own: what is late for one is no other's reply.

    @ivar answered: whether there ever was a reply.
    """

    def __init__(
        self, address: tuple[str, int], *, reactor: Any, pacer: Pacer, seconds: Seconds, now: Callable[[], float]
    ) -> None:
        """
        @param pacer: shared by all that send to one host.
        @param now: the time in seconds since 1970-01-01 00:00 UTC.
        """
        self._address = address
        self._reactor = reactor
        self._pacer = pacer
        self._now = now
        self._both: tuple[Heard | None, Heard | None] | None = None
        self._padded: list[Heard] = []
        self.seconds = seconds
        self.answered = False

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[DatagramClient]:
        client = DatagramClient(self._address, reactor=self._reactor)
        try:
            await client.open()
            yield client
        except Unanswered as fault:
            raise NotOffered(fault.verdict) from fault
        finally:
            client.close()

    async def probe(self, datagram: bytes) -> Heard | None:
        """
        Send a datagram, again if need be, and wait for its reply.

        @return: L{None} when there is none.
        @raise NotOffered: when the far end's host says that there is nobody.
        @raise Deviation: when a reply came from somewhere else.
        """
        async with self._client() as client:
            for _ in range(TRIES):
                await self._pacer.turn()
                client.send(datagram)
                words = await self._reply(client, self.seconds.answer / TRIES)
                if words is not None:
                    self.answered = True
                    return Heard(words, ours=hostPort(*client.host), at=self._now())
        if client.strays:
            self.answered = True
            raise Deviation(f"a reply from {client.stray}", f"one from {hostPort(*self._address)}")
        return None

    async def _reply(self, client: DatagramClient, silence: float) -> bytes | None:
        try:
            return await client.receive(silence)
        except Unanswered as fault:
            if fault.verdict is not Verdict.TIMEOUT:
                raise
        return None

    async def ask(self, datagram: bytes) -> Heard:
        """
        Send a datagram, and have its reply.

        @raise Deviation: when there is none; or L{NotOffered}, when there never was any.
        """
        heard = await self.probe(datagram)
        if heard is not None:
            return heard
        if not self.answered:
            raise NotOffered(Verdict.TIMEOUT)
        raise Deviation("no reply", f"one to {len(datagram)} bytes")

    async def both(self) -> tuple[Heard | None, Heard | None]:
        """
        The replies to an empty datagram and to a padded one; it is asked for them once.

        @raise NotOffered: when there is neither.
        """
        if self._both is None:
            probes = [Deferred.fromCoroutine(self.probe(datagram)) for datagram in (b"", PADDED)]
            try:
                empty, padded = await gatherResults(probes, consumeErrors=True)
            except FirstError as fault:
                for probe in probes:
                    probe.cancel()
                raise fault.subFailure.value from None  # type: ignore[misc]
            self._both = empty, padded
        if self._both == (None, None):
            raise NotOffered(Verdict.TIMEOUT)
        return self._both

    async def replies(self, least: int = 1) -> list[Heard]:
        """
        Such replies as there are: to an empty datagram, and to so many padded ones.
        """
        empty, padded = await self.both()
        if padded is not None:
            while len(self._padded) < least:
                self._padded.append(await self.ask(PADDED) if self._padded else padded)
        return [heard for heard in (empty, *self._padded[:least]) if heard is not None]

    async def tell(self, *datagrams: bytes) -> Heard | None:
        """
        Send datagrams that are not to be answered.

        @return: L{None} when they are not.
        @raise NotOffered: when the far end's host says that there is nobody.
        """
        async with self._client() as client:
            for datagram in datagrams:
                await self._pacer.turn()
                client.send(datagram)
            words = await self._reply(client, self.seconds.quiet)
        if words is None:
            return None
        self.answered = True
        return Heard(words)
