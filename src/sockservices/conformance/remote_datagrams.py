"""
A service over UDP, as the cases use it.
"""

from __future__ import annotations

from contextlib import closing

from twisted.internet.defer import Deferred

from sockservices.client import DatagramClient, RequestFailed, Verdict
from sockservices.client.gather import gather
from sockservices.conformance.remote import Remote
from sockservices.conformance.response import Deviation, Response
from sockservices.text.addresses import hostPort

__all__ = ["LONG_REQUEST", "RemoteDatagrams"]

#: How many times a request is sent until there is a reply: the network may lose datagrams.
MAX_ATTEMPTS = 3

#: 512 bytes: as long as the longest reply of the RFCs (864 to 867), so that no rule on reply sizes withholds one.
LONG_REQUEST = (b"sockservices check. " * 26)[:512]


class RemoteDatagrams(Remote):
    """
    A service over UDP. Each request has a socket of its own, so that a late reply is not taken for the next one's.
    """

    transport = "udp"
    _emptyAndLong: tuple[Response | None, Response | None] | None = None
    _longReplies: tuple[Response, ...] = ()

    async def attempt(self, datagram: bytes) -> Response | None:
        """
        Send a datagram up to three times, and wait for a reply after each.

        @return: L{None} if there is no reply.
        @raise RequestFailed: if the host reports the port as unreachable (ICMP).
        @raise Deviation: if a reply came from another address.
        """
        with closing(DatagramClient(self.address, reactor=self.reactor)) as client:
            await client.open()
            for _ in range(MAX_ATTEMPTS):
                await self.throttle.wait()
                client.send(datagram)
                reply = await self._receive(client, self.timing.responseTimeout / MAX_ATTEMPTS)
                if reply is not None:
                    self.responded = True
                    return Response(reply, localAddress=hostPort(*client.host), time=self.now())
        if client.wrongSourceCount:
            self.responded = True
            raise Deviation(f"a reply from {client.lastWrongSource}", f"a reply from {hostPort(*self.address)}")
        return None

    async def _receive(self, client: DatagramClient, timeout: float) -> bytes | None:
        try:
            return await client.receive(timeout)
        except RequestFailed as error:
            if error.verdict is not Verdict.TIMEOUT:
                raise
        return None

    async def request(self, datagram: bytes) -> Response:
        """
        Send a datagram as L{attempt} does, and expect a reply.

        @raise Deviation: if there is no reply.
        @raise RequestFailed: if there is no reply, and never was one.
        """
        response = await self.attempt(datagram)
        if response is not None:
            return response
        if not self.responded:
            raise RequestFailed(Verdict.TIMEOUT, "no reply")
        raise Deviation("no reply", f"a reply to {len(datagram)} bytes")

    async def requestEmptyAndLong(self) -> tuple[Response | None, Response | None]:
        """
        Request with an empty datagram and with L{LONG_REQUEST}. Later calls return the same replies.

        @raise RequestFailed: if there is no reply to either.
        """
        if self._emptyAndLong is None:
            attempts = [Deferred.fromCoroutine(self.attempt(datagram)) for datagram in (b"", LONG_REQUEST)]
            empty, long = await gather(attempts)
            self._emptyAndLong = empty, long
        if self._emptyAndLong == (None, None):
            raise RequestFailed(Verdict.TIMEOUT, "no reply")
        return self._emptyAndLong

    async def replies(self, count: int = 1) -> list[Response]:
        """
        Collect the reply to an empty datagram, and C{count} replies to L{LONG_REQUEST}, as far as there are any.
        """
        empty, long = await self.requestEmptyAndLong()
        if long is not None:
            while len(self._longReplies) < count:
                self._longReplies += (await self.request(LONG_REQUEST) if self._longReplies else long,)
        return [response for response in (empty, *self._longReplies[:count]) if response is not None]

    async def sendWithoutReply(self, *datagrams: bytes) -> Response | None:
        """
        Send datagrams to which a conforming service sends no reply, and wait for the quiet period.

        @return: an unexpected reply, or L{None}.
        @raise RequestFailed: if the host reports the port as unreachable (ICMP).
        """
        with closing(DatagramClient(self.address, reactor=self.reactor)) as client:
            await client.open()
            for datagram in datagrams:
                await self.throttle.wait()
                client.send(datagram)
            reply = await self._receive(client, self.timing.quietPeriod)
        if reply is None:
            return None
        self.responded = True
        return Response(reply)
