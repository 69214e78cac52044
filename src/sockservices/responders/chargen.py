"""
The character generator service (RFC 864).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

from sockservices.conversation.responder import Responder

__all__ = ["Chargen"]

#: The 95 printable characters of ASCII, from space to tilde (RFC 864, "Data Syntax").
RING = bytes(range(0x20, 0x7F))

#: One period of the output: 95 lines of 72 characters and CR LF, each one step further along the ring.
PATTERN = b"".join((RING + RING)[start : start + 72] + b"\r\n" for start in range(len(RING)))

#: The maximum length of a reply to a datagram, in characters (RFC 864, "UDP Based Character Generator Service").
MAX_REPLY = 512


class Chargen(Responder):
    r"""
    Sends lines of 72 characters without end, and discards its input (RFC 864). The peer closes the connection.

    Over UDP, it replies to each datagram with 0 to 512 characters, at random, cut to the limit.

    >>> from sockservices import Conversation
    >>> next(Chargen(Conversation()).generate())[:74]
    b' !"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg\r\n'
    """

    name = "chargen"
    port = 8019

    def answer(self, message: bytes) -> bytes:
        """
        Return a random length of the pattern. Over a stream, L{generate} takes the place of answers.
        """
        length = self.conversation.random.randint(0, MAX_REPLY)
        return PATTERN[:length][: self.conversation.limit]

    def generate(self) -> Iterator[bytes]:
        """
        Repeat the pattern forever.
        """
        return repeat(PATTERN)
