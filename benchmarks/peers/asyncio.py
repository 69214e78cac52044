"""
asyncio: a bare Protocol.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

from benchmarks.peers import GREETING, WELCOME
from benchmarks.peers._reuse_port import startWorkers

SERVICES = {"tcp", "udp", "welcome", "greet"}


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


class Greet(asyncio.Protocol):
    """
    Sends the greeting, and closes.
    """

    def connection_made(self, transport: Any) -> None:
        """
        Send the greeting.
        """
        transport.write(GREETING)
        transport.close()


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


PROTOCOLS = {"tcp": Echo, "welcome": Welcome, "greet": Greet}


async def serveSocket(service: str, port: socket.socket) -> None:
    """
    Serve forever.
    """
    loop = asyncio.get_running_loop()
    port.setblocking(False)
    if service == "udp":
        await loop.create_datagram_endpoint(EchoDatagrams, sock=port)
        await loop.create_future()
    server = await loop.create_server(PROTOCOLS[service], sock=port, backlog=1024)
    await server.serve_forever()


def serve(service: str, folder: Path) -> None:
    """
    Serve with asyncio's own event loop.
    """
    port = startWorkers(service, 1)
    asyncio.run(serveSocket(service, port))
