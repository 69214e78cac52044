"""
The asynchronous client of seed 000. Arguments: host, port, what to send.

Forced: asyncore left the standard library with Python 3.12, so its methods have the names of C{asyncio.Protocol}:
C{handle_write} is C{connection_made}, C{handle_read} is C{data_received}, C{handle_close} is C{connection_lost};
C{readable} and C{writable} are the event loop's own affair. The outline's C{pass} is filled in.
"""

import asyncio
import sys
from typing import cast


class Client(asyncio.Protocol):
    """
    Says one thing, prints as many bytes as it said, and closes.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.answer = b""
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Speak first.
        """
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self.data)

    def data_received(self, data: bytes) -> None:
        """
        Close when all has come back.
        """
        self.answer += data
        if len(self.answer) >= len(self.data):
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """
        Print what came.
        """
        print(self.answer)
        self.closed.set_result(None)


async def main(host: str, port: int, data: bytes) -> None:
    """
    One conversation.
    """
    _, client = await asyncio.get_running_loop().create_connection(lambda: Client(data), host, port)
    await client.closed


asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()))
