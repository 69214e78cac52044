"""
How the rules of a script cut a stream into messages.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

from sockservices.conversation.transport import Transport
from sockservices.scripting.remote_peer import RemotePeer
from sockservices.scripting.script_bytes import toBytes
from sockservices.transports.stream_reader import MAX_BUFFER, IncompleteRead, TooLong

__all__ = ["ReceiveMessage", "receiveDatagram", "toFraming"]

#: Receives the next message, without its frame.
ReceiveMessage: TypeAlias = Callable[[RemotePeer], Awaitable[bytes]]

EXPECTED = (
    'expected "line", "datagram", {delimiter = "..."}, {fixed = BYTES}, '
    'or {length = 1, 2 or 4, order = "big" or "little"}'
)


async def receiveDatagram(peer: RemotePeer) -> bytes:
    """
    Receive a whole datagram; on a connection, a segment.
    """
    data = await peer.receive()
    if not data and Transport(peer.conversation.transport).isStream:
        raise IncompleteRead(b"")
    return data


async def _receiveLine(peer: RemotePeer) -> bytes:
    return await _receiveUntil(b"\n", peer, b"\r\n")


async def _receiveUntil(delimiter: bytes, peer: RemotePeer, longer: bytes = b"") -> bytes:
    try:
        message = await peer.receiveUntil(delimiter)
    except TooLong:
        raise AssertionError(f"expected {delimiter!r} within {MAX_BUFFER} bytes") from None
    return message.removesuffix(longer or delimiter).removesuffix(delimiter)


async def _receiveAfterLength(size: int, order: Any, peer: RemotePeer) -> bytes:
    length = int.from_bytes(await peer.receiveExactly(size), order)
    if length > MAX_BUFFER:
        raise AssertionError(f"a message of {length} bytes: expected at most {MAX_BUFFER}")
    return await peer.receiveExactly(length)


async def _receiveFixed(length: int, peer: RemotePeer) -> bytes:
    return await peer.receiveExactly(length)


def toFraming(value: Any) -> ReceiveMessage:
    """
    The framing that a value of a script file stands for.

    @raise ValueError: with what is expected.
    """
    match value:
        case "line":
            return _receiveLine
        case "datagram":
            return receiveDatagram
        case {"delimiter": delimiter, **rest} if not rest and toBytes(delimiter):
            return partial(_receiveUntil, toBytes(delimiter))
        case {"fixed": int(length), **rest} if not rest and 1 <= length <= MAX_BUFFER and length is not True:
            return partial(_receiveFixed, length)
        case {"length": 1 | 2 | 4 as size, "order": "big" | "little" as order, **rest} if not rest and size is not True:
            return partial(_receiveAfterLength, int(size), order)
        case {"length": 1 as size, **rest} if not rest and size is not True:
            return partial(_receiveAfterLength, 1, "big")
    raise ValueError(EXPECTED)
