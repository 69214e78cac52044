"""
asyncio: a bare Protocol.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from benchmarks.peers import HOST, WELCOME, ready

SERVICES = {"tcp", "udp", "welcome"}


class Echo(asyncio.Protocol):
    """
    Gives back every byte.
    """

    def connection_made(self, transport: Any) -> None:
        """
        Keep the transport.
        """
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """
        Give it back.
        """
        self.transport.write(data)


class Welcome(Echo):
    """
    Says its words, and hangs up.
    """

    def data_received(self, data: bytes) -> None:
        """
        Say them.
        """
        self.transport.write(WELCOME)
        self.transport.close()


class EchoDatagrams(asyncio.DatagramProtocol):
    """
    Gives back every datagram.
    """

    def connection_made(self, transport: Any) -> None:
        """
        Keep the transport.
        """
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """
        Give it back.
        """
        self.transport.sendto(data, addr)


async def listen(service: str) -> None:
    """
    Listen, and never end.
    """
    loop = asyncio.get_running_loop()
    if service == "udp":
        transport, _ = await loop.create_datagram_endpoint(EchoDatagrams, (HOST, 0))
        ready(transport.get_extra_info("sockname")[1])
        await loop.create_future()
    protocol = Welcome if service == "welcome" else Echo
    server = await loop.create_server(protocol, HOST, 0, backlog=1024)
    ready(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def serve(service: str, folder: Path) -> None:
    """
    Serve with the loop that asyncio has.
    """
    asyncio.run(listen(service))
