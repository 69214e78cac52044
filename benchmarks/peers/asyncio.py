"""
asyncio: a bare Protocol.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from benchmarks.peers import HOST, WELCOME, reportPort

SERVICES = {"tcp", "udp", "welcome"}


class Echo(asyncio.Protocol):
    """
    Sends back every byte.
    """

    def connection_made(self, transport: Any) -> None:
        """
        Keep the transport.
        """
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """
        Send the data back.
        """
        self.transport.write(data)


class Welcome(Echo):
    """
    Sends the reply, and closes.
    """

    def data_received(self, data: bytes) -> None:
        """
        Send the reply.
        """
        self.transport.write(WELCOME)
        self.transport.close()


class EchoDatagrams(asyncio.DatagramProtocol):
    """
    Sends back every datagram.
    """

    def connection_made(self, transport: Any) -> None:
        """
        Keep the transport.
        """
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """
        Send the data back.
        """
        self.transport.sendto(data, addr)


async def listen(service: str) -> None:
    """
    Listen, and serve forever.
    """
    loop = asyncio.get_running_loop()
    if service == "udp":
        transport, _ = await loop.create_datagram_endpoint(EchoDatagrams, (HOST, 0))
        reportPort(transport.get_extra_info("sockname")[1])
        await loop.create_future()
    protocol = Welcome if service == "welcome" else Echo
    server = await loop.create_server(protocol, HOST, 0, backlog=1024)
    reportPort(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def serve(service: str, folder: Path) -> None:
    """
    Serve with asyncio's own event loop.
    """
    asyncio.run(listen(service))
