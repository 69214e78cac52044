"""
A process that sends datagrams to an echo service at a rate, and reports those without a reply.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.support.twistd import environment

__all__ = ["DatagramLoad", "datagramLoad"]

#: The most datagrams at once: after a pause of its process, the load does not send what it has missed.
MAX_BURST = 50


@dataclass
class DatagramLoad:
    """
    What became of the datagrams.

    @ivar sent: the number of datagrams.
    @ivar seconds: how long they were sent.
    @ivar lost: when each datagram without a reply was sent, by the monotonic clock, which all processes share.
    """

    sent: int = 0
    seconds: float = 0.0
    lost: list[float] = field(default_factory=list)


@contextmanager
def datagramLoad(address: tuple[str, int], rate: int) -> Iterator[DatagramLoad]:
    """
    Send so many datagrams per second. The result is complete at the end of the context.
    """
    load = DatagramLoad()
    command = [sys.executable, "-m", "tests.support.datagram_load", *map(str, address), str(rate)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment(), stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield load
        finally:
            out, _ = process.communicate()
            load.__dict__.update(json.loads(out))


def main(host: str, port: int, rate: int) -> None:
    """
    Run until the end of the standard input, and one second more for the last replies.
    """
    times: list[float] = []
    answered: set[int] = set()
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        client.setblocking(False)
        client.connect((host, port))
        startedAt = nextAt = time.monotonic()
        stopAt: float | None = None
        while stopAt is None or time.monotonic() < stopAt:
            ready, _, _ = select.select([client] if stopAt else [client, sys.stdin], [], [], 0.001)
            with suppress(BlockingIOError):
                while client in ready:
                    answered.add(int(client.recv(64)))
            if sys.stdin in ready:
                stopAt = time.monotonic() + 1
            nextAt = max(nextAt, time.monotonic() - MAX_BURST / rate)
            while stopAt is None and nextAt <= time.monotonic():
                times.append(time.monotonic())
                client.send(str(len(times) - 1).encode())
                nextAt += 1 / rate
    lost = [sentAt for number, sentAt in enumerate(times) if number not in answered]
    print(json.dumps({"sent": len(times), "seconds": times[-1] - startedAt, "lost": lost}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
