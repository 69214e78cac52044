"""
The lower bound of CPython: a bare loop of epoll, recv and send.

It has no protocol, no buffer and no limit, so its cost is the minimum of the interpreter and its socket calls. It loses
the part of a reply that the kernel does not accept, so it cannot run the stream workload.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.peers import HOST, WELCOME, reportPort

SERVICES = {"tcp", "udp", "welcome"}
EXCLUDED = {"stream": "it does not buffer what the kernel does not accept"}


def serve(service: str, folder: Path) -> None:
    """
    Serve with a loop over epoll events.
    """
    poller = select.epoll()
    if service == "udp":
        serveDatagrams(poller)
    listener = socket.create_server((HOST, 0), backlog=1024)
    listener.setblocking(False)
    poller.register(listener, select.EPOLLIN)
    reportPort(listener.getsockname()[1])
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
    Accept all waiting connections.
    """
    with suppress(BlockingIOError):
        while True:
            connection = listener.accept()[0]
            connection.setblocking(False)
            connections[connection.fileno()] = (connection.recv, connection.send, connection)
            poller.register(connection, select.EPOLLIN)


def serveDatagrams(poller: select.epoll) -> None:
    """
    Send back one datagram after the other.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.bind((HOST, 0))
        port.setblocking(False)
        poller.register(port, select.EPOLLIN)
        reportPort(port.getsockname()[1])
        while True:
            poller.poll()
            with suppress(BlockingIOError):
                while True:
                    data, peer = port.recvfrom(65536)
                    port.sendto(data, peer)
