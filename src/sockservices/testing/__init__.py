"""
Support for tests of responders and of programs that embed them: conversations in memory, on a clock that the test
advances. It needs no package but Twisted, and opens no socket.
"""

from sockservices.testing.contract import ResponderContract
from sockservices.testing.conversations import converse
from sockservices.testing.datagram_peer import DatagramPeer
from sockservices.testing.memory import DatagramMemoryReactor, MemoryPort
from sockservices.testing.segmentation import segmentations
from sockservices.testing.stream_peer import StreamPeer

__all__ = [
    "DatagramMemoryReactor",
    "DatagramPeer",
    "MemoryPort",
    "ResponderContract",
    "StreamPeer",
    "converse",
    "segmentations",
]
