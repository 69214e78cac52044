"""
The character generator (RFC 864).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

from sockservices.conversation.responder import Responder

__all__ = ["Chargen"]

#: The 95 printing characters of ASCII, space to tilde.
RING = bytes(range(0x20, 0x7F))

#: Every line begins one character further along the ring; after 95 lines of 74 bytes the pattern is back at its start.
PATTERN = b"".join((RING + RING)[start : start + 72] + b"\r\n" for start in range(len(RING)))

#: The most characters a datagram may have (RFC 864).
MOST = 512


class Chargen(Responder):
    r"""
    Talks without end and without regard to what it is told: lines of 72 characters (RFC 864). The peer ends.

    On datagrams any of them is answered with 0 to 512 characters, at random, or what the limit leaves of them.

    >>> from sockservices import Conversation
    >>> next(Chargen(Conversation()).generate())[:74]
    b' !"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg\r\n'
    """

    name = "chargen"
    port = 8019

    def answer(self, message: bytes) -> bytes:
        """
        The beginning of the pattern, of a random length. Not asked on streams, where L{generate} is all there is.
        """
        length = self.conversation.random.randint(0, MOST)
        return PATTERN[:length][: self.conversation.limit]

    def generate(self) -> Iterator[bytes]:
        """
        The pattern, over and over.
        """
        return repeat(PATTERN)
