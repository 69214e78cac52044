"""
C{sockservices record} in a process of its own, and its client.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from sockservices.client import Target, target
from sockservices.testing.background_server import BackgroundServer
from tests.support.commands import TIMEOUT, Piped

__all__ = ["connected", "recording"]


@contextmanager
def recording(*arguments: str) -> Iterator[tuple[Piped, Target]]:
    """
    Run the command.

    @return: the command, and where its client connects.
    """
    with Piped("record", *arguments) as command:
        line = command.stdout.readline().decode()
        transport, address = re.findall(r" on (\w+):(.*)\n", line)[0]
        yield command, target(f"{transport}://{address}")


@contextmanager
def connected(to: Target | BackgroundServer) -> Iterator[socket.socket]:
    """
    Connect a client.
    """
    stream = not isinstance(to, Target) or to.stream
    family = socket.AF_UNIX if isinstance(to.address, str) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM) as client:
        client.settimeout(TIMEOUT)
        if not stream and family == socket.AF_UNIX:
            client.bind("")
        client.connect(to.address)
        yield client
