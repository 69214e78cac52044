"""
A layer that delays all data by 0.1 s in each direction. It needs no code outside this file.
"""

from __future__ import annotations

from typing import Any

from sockservices.transports.datagram_layer import DatagramLayer
from sockservices.transports.stream_layer import StreamLayer


class StreamDelay(StreamLayer):  # noqa: D101
    def __init__(self, protocol: Any, clock: Any) -> None:
        super().__init__(protocol)
        for name in ("dataReceived", "readConnectionLost", "loseWriteConnection", "loseConnection"):
            setattr(self, name, self.delayed(getattr(super(), name), clock))
        self.send = self.delayed(self.sendNow, clock)

    def delayed(self, function: Any, clock: Any) -> Any:  # noqa: D102
        return lambda *arguments: clock.callLater(0.1, function, *arguments)

    def write(self, data: bytes) -> None:  # noqa: D102
        self.heldBytes += len(data)
        self.send(data)

    def sendNow(self, data: bytes) -> None:  # noqa: D102
        self.heldBytes -= len(data)
        super().write(data)


class DatagramDelay(DatagramLayer):  # noqa: D101
    def __init__(self, protocol: Any, clock: Any) -> None:
        super().__init__(protocol)
        for name in ("requestReceived", "send"):
            function = getattr(super(), name)
            setattr(self, name, lambda *arguments, call=function: clock.callLater(0.1, call, *arguments))
