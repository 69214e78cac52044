"""
What the services have in common that answer any datagram.
"""

from __future__ import annotations

from sockservices.conformance.datagrams import FarDatagrams
from sockservices.conformance.deviation import Deviation, Limited
from sockservices.conformance.service import Service

__all__ = ["answersAnyDatagram"]


def answersAnyDatagram(service: Service) -> None:
    """
    Declare that it does.
    """

    @service.udp("answers any datagram, be it empty or long")
    async def any_(far: FarDatagrams) -> None:
        empty, padded = await far.both()
        if padded is None:
            raise Deviation("a reply to an empty datagram, none to 512 bytes", "a reply to each")
        if empty is None:
            raise Limited("a reply to 512 bytes, none to an empty datagram", "a reply to each")
