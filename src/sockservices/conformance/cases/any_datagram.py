"""
The case of services that reply to any datagram.
"""

from __future__ import annotations

from sockservices.conformance.exceptions import Deviation, ReplyWithheld
from sockservices.conformance.remote_datagrams import RemoteDatagrams
from sockservices.conformance.suite import Suite

__all__ = ["declareAnyDatagram"]


def declareAnyDatagram(suite: Suite) -> None:
    """
    Declare that the service replies to any datagram.
    """

    @suite.udp("replies to any datagram, empty or 512 bytes long")
    async def anyDatagram(remote: RemoteDatagrams) -> None:
        empty, long = await remote.requestEmptyAndLong()
        if long is None:
            raise Deviation("a reply to an empty datagram, no reply to 512 bytes", "a reply to each")
        if empty is None:
            raise ReplyWithheld("a reply to 512 bytes, no reply to an empty datagram", "a reply to each")
