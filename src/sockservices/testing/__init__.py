"""
For tests of responders, and of what embeds them: conversations in memory, on a clock that the test moves. Needs
Twisted alone, and opens no socket.
"""

from sockservices.testing.contract import ResponderContract
from sockservices.testing.conversations import converse
from sockservices.testing.cutting import segmentations
from sockservices.testing.datagram_peer import DatagramPeer
from sockservices.testing.memory import DatagramMemoryReactor, MemoryPort
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
