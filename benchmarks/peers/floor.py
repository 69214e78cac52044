"""
The floor of CPython: a bare loop of epoll, recv and send.

No protocol, no buffer, no limit: what the interpreter and its socket calls cost at least. It is no server: an answer
that the kernel does not take whole is lost, so it is spared the stream.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.peers import HOST, WELCOME, ready

SERVICES = {"tcp", "udp", "welcome"}
UNFIT = {"stream": "it keeps nothing that the kernel does not take"}


def serve(service: str, folder: Path) -> None:
    """
    Serve.
    """
    poller = select.epoll()
    if service == "udp":
        datagrams(poller)
    listener = socket.create_server((HOST, 0), backlog=1024)
    listener.setblocking(False)
    poller.register(listener, select.EPOLLIN)
    ready(listener.getsockname()[1])
    welcome = service == "welcome"
    connections: dict[int, tuple[Callable[[int], bytes], Callable[[bytes], int], socket.socket]] = {}
    while True:
        for fd, _ in poller.poll():
            if fd not in connections:
                accept(listener, poller, connections)
                continue
            recv, send, connection = connections[fd]
            data = recv(65536)
            if data and not welcome:
                send(data)
                continue
            if data:
                send(WELCOME)
            del connections[fd]
            connection.close()


def accept(listener: socket.socket, poller: select.epoll, connections: dict[int, Any]) -> None:
    """
    Accept whoever waits.
    """
    with suppress(BlockingIOError):
        while True:
            connection = listener.accept()[0]
            connection.setblocking(False)
            connections[connection.fileno()] = (connection.recv, connection.send, connection)
            poller.register(connection, select.EPOLLIN)


def datagrams(poller: select.epoll) -> None:
    """
    One datagram after another.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.bind((HOST, 0))
        port.setblocking(False)
        poller.register(port, select.EPOLLIN)
        ready(port.getsockname()[1])
        while True:
            poller.poll()
            with suppress(BlockingIOError):
                while True:
                    data, peer = port.recvfrom(65536)
                    port.sendto(data, peer)
