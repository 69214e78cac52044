"""
A layer that records every segment, every datagram and the peer's FIN. It needs no code outside this file.
"""

from __future__ import annotations

from typing import Any

from sockservices.transports.datagram_layer import DatagramLayer
from sockservices.transports.stream_layer import StreamLayer

#: The records: C{"in"}, C{"out"} or C{"FIN"}, and the data.
records: list[tuple[str, bytes]] = []


class StreamTrace(StreamLayer):  # noqa: D101
    def dataReceived(self, data: bytes) -> None:  # noqa: D102
        records.append(("in", data))
        super().dataReceived(data)

    def readConnectionLost(self) -> None:  # noqa: D102
        records.append(("FIN", b""))
        super().readConnectionLost()

    def write(self, data: bytes) -> None:  # noqa: D102
        records.append(("out", data))
        super().write(data)


class DatagramTrace(DatagramLayer):  # noqa: D101
    def requestReceived(self, datagram: bytes, route: Any) -> None:  # noqa: D102
        records.append(("in", datagram))
        super().requestReceived(datagram, route)

    def send(self, route: Any, datagram: bytes, token: object) -> None:  # noqa: D102
        records.append(("out", datagram))
        super().send(route, datagram, token)
