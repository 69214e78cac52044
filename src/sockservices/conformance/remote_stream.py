"""
A service over TCP, as the cases use it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from twisted.internet.interfaces import IReactorTime

from sockservices.client import Target, Unanswered, connect
from sockservices.conformance.exceptions import NotOffered
from sockservices.conformance.response import Response
from sockservices.conformance.session import Session
from sockservices.conformance.throttle import Throttle
from sockservices.conformance.timing import Timing

__all__ = ["RemoteStream"]


class RemoteStream:
    """
    A service over TCP.

    @ivar responded: whether a connection was ever established.
    """

    def __init__(
        self,
        address: tuple[str, int],
        *,
        reactor: IReactorTime,
        throttle: Throttle,
        timing: Timing,
        now: Callable[[], float],
    ) -> None:
        """
        @param address: IP address and port.
        @param throttle: shared by all connections to one host.
        @param now: the time in seconds since 1970-01-01 00:00 UTC.
        """
        self._endpoint = Target("tcp", address).endpoint(reactor)
        self._reactor = reactor
        self._throttle = throttle
        self._now = now
        self.timing = timing
        self.responded = False

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """
        Connect; close the connection after the C{with} block.

        @raise NotOffered: if the connection fails.
        """
        await self._throttle.wait()
        try:
            protocol = await connect(self._endpoint, reactor=self._reactor, timeout=self.timing.responseTimeout)
        except Unanswered as error:
            raise NotOffered(error.verdict) from error
        self.responded = True
        session = Session(protocol, self._reactor, self.timing, self._now)
        try:
            yield session
        finally:
            await session.close()

    async def request(self, data: bytes = b"", *, halfClose: bool = True, timeout: float | None = None) -> Response:
        """
        Connect, send bytes, and receive the whole response.

        @param halfClose: close the sending side after the bytes.
        @param timeout: the maximum wait for each segment, in seconds.
        @raise NotOffered: if the connection fails.
        """
        async with self.session() as session:
            if data:
                session.send(data)
            if halfClose:
                session.halfClose()
            return await session.receive(timeout=timeout)
