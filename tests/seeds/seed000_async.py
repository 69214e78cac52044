"""
A tutorial's outline of an event-driven client. Arguments: host, port, data to send.

Changed for Python 3: asyncore was removed in Python 3.12, so its methods have the names of C{asyncio.Protocol}:
C{handle_write} is C{connection_made}, C{handle_read} is C{data_received}, C{handle_close} is C{connection_lost}. The
event loop replaces C{readable} and C{writable}. The outline's C{pass} is filled in.
"""

import asyncio
import sys
from typing import cast


class Client(asyncio.Protocol):
    """
    Sends data, waits until as many bytes have come back, closes, and prints them.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.answer = b""
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Send the data.
        """
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self.data)

    def data_received(self, data: bytes) -> None:
        """
        Close when all bytes have come back.
        """
        self.answer += data
        if len(self.answer) >= len(self.data):
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """
        Print the bytes received.
        """
        print(self.answer)
        self.closed.set_result(None)


async def main(host: str, port: int, data: bytes) -> None:
    """
    Run the client until its connection is closed.
    """
    _, client = await asyncio.get_running_loop().create_connection(lambda: Client(data), host, port)
    await client.closed


asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()))
