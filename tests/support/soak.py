"""
Load a server with twenty clients of every kind: C{python -m tests.support.soak --seconds 600}. Print its memory growth
and CPU share; fail if memory keeps growing, a descriptor leaks, or the log has a traceback (T30).
"""

from __future__ import annotations

import argparse
import random
import socket
import threading
import time
from contextlib import suppress

from sockservices.registry import names
from tests.support.sockets import closeWithReset
from tests.support.watched import Watched, readToEnd, sender

__all__ = ["soak"]

MIB = 1 << 20


def _stream(server: Watched, chance: random.Random) -> None:
    """
    Open one connection, well-behaved or not.
    """
    service = chance.choice(names())
    sent = chance.randbytes(chance.choice((0, 1, 1000, 100_000)))
    with socket.create_connection(server.address(service), 10) as client, suppress(ConnectionError):
        if service == "chargen" or chance.random() < 0.1:
            client.recv(chance.randrange(1, 100_000)) if service == "chargen" else client.sendall(sent)
            closeWithReset(client)
            return
        writer = sender(client, sent)
        received = readToEnd(client)
        writer.join()
        if service in ("echo", "upper"):
            assert received == (sent if service == "echo" else sent.upper()), service


def _datagrams(server: Watched, chance: random.Random) -> None:
    """
    Send a few datagrams and check the replies.
    """
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(0.2)
        client.connect(server.address(chance.choice(names()), "udp"))
        for _ in range(chance.randrange(1, 10)):
            size = chance.choice((0, 1, 512, 8193, 65507))
            client.send(chance.randbytes(size))
            with suppress(TimeoutError):
                assert len(client.recv(65536)) <= max(size, 40)


def soak(seconds: float, clients: int = 20) -> str:
    """
    Load a server with clients of every kind.

    @return: a sentence with the memory growth and the CPU share.
    @raise AssertionError: when memory, descriptors or a reply are not as expected.
    """
    until = time.monotonic() + seconds
    faults: list[BaseException] = []
    counts = [0] * clients

    def run(number: int, server: Watched) -> None:
        chance = random.Random(number)
        try:
            while time.monotonic() < until:
                (_datagrams if number % 4 == 0 else _stream)(server, chance)
                counts[number] += 1
                time.sleep(0.01)
        except BaseException as fault:
            faults.append(fault)

    arguments = ("--service", "all=0", "--proto", "all", "--drain", "1")
    with Watched(*arguments) as server:
        threads = [threading.Thread(target=run, args=(number, server)) for number in range(clients)]
        for thread in threads:
            thread.start()
        # Buffers and caches have their full size after a tenth of the time; later growth is a leak.
        time.sleep(seconds / 10)
        early, cpu = server.resident(), server.cpu()
        for thread in threads:
            thread.join()
        grown, spent = server.resident() - early, (server.cpu() - cpu) / (seconds * 0.9)
        assert not faults, faults
        assert grown < MIB, f"{grown >> 10} KiB more memory"
    return f"{sum(counts)} conversations in {seconds:.0f} s: {grown >> 10} KiB more memory, {spent:.0%} of a core"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Load a server and check that it leaks nothing.")
    parser.add_argument("--seconds", type=float, default=600, help="how long (default: 600)")
    print(soak(parser.parse_args().seconds))
