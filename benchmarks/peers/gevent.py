"""
gevent: StreamServer, a greenlet per connection.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.peers import HOST, WELCOME, reportPort

SERVICES = {"tcp", "udp", "welcome"}
LIBRARY = "gevent"


def echo(connection: Any, peer: object) -> None:
    """
    Send back every byte.
    """
    while data := connection.recv(65536):
        connection.sendall(data)


def welcome(connection: Any, peer: object) -> None:
    """
    Send the reply, and close.
    """
    connection.recv(65536)
    connection.sendall(WELCOME)


def serve(service: str, folder: Path) -> None:
    """
    Serve with C{StreamServer} or C{DatagramServer}.
    """
    from gevent.server import DatagramServer, StreamServer

    if service == "udp":
        server: Any = DatagramServer((HOST, 0), lambda data, peer: server.sendto(data, peer))
    else:
        server = StreamServer((HOST, 0), welcome if service == "welcome" else echo, backlog=1024)
    server.start()
    reportPort(server.server_port)
    server.serve_forever()
