"""
A limit that a source has exceeded.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ExceededLimit"]


class ExceededLimit(NamedTuple):
    """
    A limit that refused a connection, or a reply to a datagram.

    @ivar limit: the field of L{Policy<sockservices.conversation.policy.Policy>}.
    @ivar number: its value.
    @ivar source: the key of limits per source: an IPv4 address, an IPv6 /64 or the path of a Unix socket; C{-} for
        a peer that has none of these.
    """

    limit: str
    number: int
    source: str
