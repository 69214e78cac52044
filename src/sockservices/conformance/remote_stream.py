"""
A service over TCP, as the cases use it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sockservices.client import Target, connect
from sockservices.conformance.remote import Remote
from sockservices.conformance.response import Response
from sockservices.conformance.session import Session

__all__ = ["RemoteStream"]


class RemoteStream(Remote):
    """
    A service over TCP.
    """

    transport = "tcp"

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """
        Connect; close the connection after the C{with} block.

        @raise RequestFailed: if the connection fails.
        """
        await self.throttle.wait()
        endpoint = Target("tcp", self.address).endpoint(self.reactor)
        protocol = await connect(endpoint, reactor=self.reactor, timeout=self.timing.responseTimeout)
        self.responded = True
        session = Session(protocol, self)
        try:
            yield session
        finally:
            await session.close()

    async def request(self, data: bytes = b"", *, halfClose: bool = True) -> Response:
        """
        Connect, send bytes, and receive the whole response.

        @param halfClose: close the sending side after the bytes.
        @raise RequestFailed: if the connection fails.
        """
        async with self.session() as session:
            if data:
                session.send(data)
            if halfClose:
                session.halfClose()
            return await session.receive()
