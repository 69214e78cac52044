"""
A layer that notes every segment and datagram, and both ends: all that a trace needs is in this file.
"""

from __future__ import annotations

from typing import Any

from sockservices.transports.datagram_layer import DatagramLayer
from sockservices.transports.stream_layer import StreamLayer

#: What passed, as C{(what, bytes)}.
passed: list[tuple[str, bytes]] = []


class StreamTrace(StreamLayer):  # noqa: D101
    def dataReceived(self, data: bytes) -> None:  # noqa: D102
        passed.append(("in", data))
        super().dataReceived(data)

    def readConnectionLost(self) -> None:  # noqa: D102
        passed.append(("peer's end", b""))
        super().readConnectionLost()

    def write(self, data: bytes) -> None:  # noqa: D102
        passed.append(("out", data))
        super().write(data)


class DatagramTrace(DatagramLayer):  # noqa: D101
    def requestReceived(self, datagram: bytes, route: Any) -> None:  # noqa: D102
        passed.append(("in", datagram))
        super().requestReceived(datagram, route)

    def send(self, route: Any, datagram: bytes, token: object) -> None:  # noqa: D102
        passed.append(("out", datagram))
        super().send(route, datagram, token)
