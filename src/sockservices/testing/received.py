"""
What the peers of a server have sent, for tests.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any

from sockservices.monitoring.journal import Journal, layersWithJournal
from sockservices.transports.datagram_layer import DatagramLayer
from sockservices.transports.stream_layer import StreamLayer

__all__ = ["Received", "recordingLayers"]

#: The maximum number of conversations whose bytes are kept: the latest ones.
MAX_CONVERSATIONS = 1000

#: The maximum number of bytes that are kept of a conversation: the first ones.
MAX_BYTES = 65536


class Received:
    """
    The bytes of the last 1000 conversations, of each at most the first 65536.
    """

    def __init__(self) -> None:
        self._conversations: deque[bytearray] = deque(maxlen=MAX_CONVERSATIONS)

    def begin(self, data: bytes = b"") -> bytearray:
        """
        A conversation begins.

        @param data: its first bytes.
        @return: the bytes that are kept, to be passed to L{add}.
        """
        kept = bytearray(data[:MAX_BYTES])
        self._conversations.append(kept)
        return kept

    def add(self, kept: bytearray, data: bytes) -> None:
        """
        A segment of a conversation.
        """
        kept += data[: MAX_BYTES - len(kept)]

    def all(self) -> list[bytes]:
        """
        The bytes of each conversation, in the order in which they began.
        """
        return [bytes(kept) for kept in tuple(self._conversations)]


class _ReceivedStream(StreamLayer):
    """
    Keeps the segments of a connection.
    """

    def __init__(self, protocol: Any, received: Received) -> None:
        super().__init__(protocol)
        self._received = received
        self._kept = received.begin()

    def dataReceived(self, data: bytes) -> None:
        self._received.add(self._kept, data)
        super().dataReceived(data)


class _ReceivedDatagrams(DatagramLayer):
    """
    Keeps the datagrams of a port.
    """

    def __init__(self, protocol: Any, received: Received) -> None:
        super().__init__(protocol)
        self._received = received

    def requestReceived(self, datagram: bytes, route: Any) -> None:
        self._received.begin(datagram)
        super().requestReceived(datagram, route)


def recordingLayers(stream: bool, journal: Journal, received: Received) -> list[Any]:
    """
    Make the layers that record what passes between a server and its peers: for connections, or for datagrams.
    """
    streams, datagrams = layersWithJournal(
        journal, [partial(_ReceivedStream, received=received)], [partial(_ReceivedDatagrams, received=received)]
    )
    return streams if stream else datagrams
