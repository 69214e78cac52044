"""
One connection to a service.
"""

from __future__ import annotations

from contextlib import suppress

from sockservices.client import ClientProtocol, RequestFailed, Verdict
from sockservices.client.timeout import withTimeout
from sockservices.conformance.remote import Remote
from sockservices.conformance.response import End, Response
from sockservices.text.addresses import hostPort

__all__ = ["Session"]

#: The maximum length of a response, in bytes. A service such as C{chargen} sends endless data.
MAX_RESPONSE = 2**20

#: The maximum duration of a response, in timeouts: a service may send one byte shortly before each timeout.
MAX_TIMEOUTS = 5


class Session:
    """
    One connection to a service.
    """

    def __init__(self, protocol: ClientProtocol, remote: Remote) -> None:
        self._protocol = protocol
        self._remote = remote
        self._eofReceived = False
        host = protocol.transport.getHost()
        self._localAddress = hostPort(host.host, host.port)

    def send(self, data: bytes) -> None:
        """
        Send bytes. If the connection is lost, the next L{receive} reports it.
        """
        self._protocol.send(data).addErrback(lambda _: None)

    def halfClose(self) -> None:
        """
        Close the sending side (FIN).
        """
        self._protocol.finish()

    async def receive(self, length: int = MAX_RESPONSE, timeout: float | None = None) -> Response:
        """
        Receive until there are C{length} bytes, eof, a reset, or a timeout.

        @param timeout: the maximum wait for each segment, in seconds.
        """
        limit = self._remote.timing.responseTimeout if timeout is None else timeout
        data, end = bytearray(), End.MORE
        deadline = self._remote.reactor.seconds() + MAX_TIMEOUTS * limit
        while len(data) < length and self._remote.reactor.seconds() < deadline:
            try:
                segment = await self._protocol.receive(limit)
            except RequestFailed as error:
                end = End.TIMEOUT if error.verdict is Verdict.TIMEOUT else End.RESET
                break
            if not segment:
                self._eofReceived, end = True, End.EOF
                break
            data += segment
        return Response(bytes(data), end, self._localAddress, self._remote.now())

    async def receiveUnexpected(self) -> Response:
        """
        Receive where a conforming service sends nothing: wait for the quiet period only.
        """
        return await self.receive(1, self._remote.timing.quietPeriod)

    async def close(self) -> None:
        """
        Close the connection: cleanly after the service's FIN, else with a reset.
        """
        if self._eofReceived:
            with suppress(RequestFailed):
                await withTimeout(
                    self._protocol.end(), self._remote.timing.quietPeriod, self._remote.reactor, "connection not closed"
                )
        await self._protocol.abort()
